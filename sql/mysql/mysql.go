package mysql

import (
	"context"
	sqldriver "database/sql/driver"
	"net/url"

	"github.com/websession/websession/session/driver"
	websql "github.com/websession/websession/sql"
	"github.com/websession/websession/sql/internal/server"
)

func init() { driver.Register(Driver{}) }

// Driver is the class "MySQL".
type Driver struct{}

// Class implements driver.Driver.
func (Driver) Class() driver.Class {
	return driver.Class{Name: "MySQL", Aliases: []string{"MariaDB"}, Schemes: []string{"mysql", "mariadb"}}
}

var kind = server.Kind{
	Name:    "MySQL",
	Perl:    []string{"mysql", "MariaDB"},
	Scheme:  "mysql",
	Host:    "127.0.0.1",
	Port:    3306,
	Locking: "get_lock",
	Source: map[string]string{
		"database":       "database",
		"dbname":         "database",
		"db":             "database",
		"host":           "host",
		"hostname":       "host",
		"port":           "port",
		"mysql_socket":   "socket",
		"mariadb_socket": "socket",
	},
}

// Configure implements driver.Driver.
func (Driver) Configure(d *driver.Decoder) (driver.Connector, error) {
	return connector{kind.Decode(d)}, nil
}

// ParseURL implements driver.URLParser:
// mysql://user:password@host:port/database.
func (Driver) ParseURL(u *url.URL) (map[string]any, error) { return kind.ParseURL(u) }

type connector struct{ server.Properties }

func (c connector) Open(ctx context.Context, o driver.OpenOptions) (driver.Store, error) {
	s, err := server.Open(ctx, c.Properties, Dialect(), o, func(a server.Address) (sqldriver.Connector, error) {
		return connect(a)
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
