package cassandra

import (
	"context"

	"github.com/websession/websession/session/driver"
)

// OpenRouted opens a store that connects to another address wherever it would
// connect to one.
func OpenRouted(ctx context.Context, c driver.Connector, route func(addr string) string) (driver.Store, error) {
	s := c.(connector).settings
	s.route = route
	return open(ctx, s, driver.OpenOptions{Indexed: []string{"user"}})
}

// VersionSize is how long a version is.
const VersionSize = versionSize
