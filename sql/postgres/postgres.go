package postgres

import (
	"context"
	sqldriver "database/sql/driver"
	"net/url"

	"github.com/websession/websession/session/driver"
	websql "github.com/websession/websession/sql"
	"github.com/websession/websession/sql/internal/server"
)

func init() { driver.Register(Driver{}) }

// Driver is the class "PostgreSQL".
type Driver struct{}

// Class implements driver.Driver.
func (Driver) Class() driver.Class {
	return driver.Class{Name: "PostgreSQL", Aliases: []string{"Postgres"}, Schemes: []string{"postgres", "postgresql"}}
}

var kind = server.Kind{
	Name:    "PostgreSQL",
	Perl:    []string{"Pg"},
	Scheme:  "postgres",
	Port:    5432,
	Locking: "advisory",
	Source: map[string]string{
		"dbname":      "database",
		"database":    "database",
		"db":          "database",
		"host":        "host",
		"port":        "port",
		"sslmode":     "sslmode",
		"sslrootcert": "tls_ca",
		"sslcert":     "tls_cert",
		"sslkey":      "tls_key",
	},
}

// Configure implements driver.Driver.
func (Driver) Configure(d *driver.Decoder) (driver.Connector, error) {
	return connector{kind.Decode(d)}, nil
}

// ParseURL implements driver.URLParser:
// postgres://user:password@host:port/database.
func (Driver) ParseURL(u *url.URL) (map[string]any, error) { return kind.ParseURL(u) }

type connector struct{ server.Properties }

func (c connector) Open(ctx context.Context, o driver.OpenOptions) (driver.Store, error) {
	s, err := server.Open(ctx, c.Properties, Dialect(), o, func(a server.Address) (sqldriver.Connector, error) {
		return connect(a, c.Connect)
	})
	if err != nil {
		return nil, err // not a nil *Store, which is no nil driver.Store
	}
	return s, nil
}

// Schema answers the statements that make the table and its indexes, for people
// who want to run them themselves. It needs no server.
func (c connector) Schema(indexed []string) ([]string, error) {
	return websql.Statements(Dialect(), c.Table, indexed)
}
