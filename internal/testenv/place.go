package testenv

import (
	"fmt"
	"os"
	"sync/atomic"
	"testing"
	"time"
)

// Place is an empty place on a real server that nobody else uses.
type Place struct {
	// Properties is what the driver's class takes. It belongs to the caller.
	Properties map[string]any

	// Addrs is where the server listens, as host:port: the Sentinels of a
	// Sentinel set, all nodes of a Cluster.
	Addrs []string

	// Service is the name of a Sentinel set's master.
	Service string

	// Prefix is how every key in Redis begins that lies in the place.
	Prefix string

	// DSN leads to the database of the place: a URL for PostgreSQL, the form of
	// go-sql-driver/mysql for MariaDB.
	DSN string

	// Keyspace is where the tables of the place are, in Cassandra.
	Keyspace string

	how string
}

// How answers where the server came from: "address", "docker" or "local".
func (p *Place) How() string { return p.how }

// cleanTimeout bounds what is done to a place at the end of its test.
const cleanTimeout = time.Minute

var placeCount atomic.Int64

// uniqueName differs between calls, test binaries and runs, and does as a name
// of a database.
func uniqueName() string {
	return fmt.Sprintf("ws_%x_%x_%d", time.Now().UnixMilli(), os.Getpid(), placeCount.Add(1))
}

// skipShort leaves a test out that needs a server.
func skipShort(tb testing.TB, server string) {
	tb.Helper()
	if testing.Short() {
		tb.Skipf("left out with -short: needs a real server, %s", server)
	}
}
