package cassandra

import (
	"context"
	"errors"
	"net/url"
	"strings"

	"github.com/websession/websession/session/driver"
)

func init() { driver.Register(Driver{}) }

// Driver is the class "Cassandra".
type Driver struct{}

// Class implements driver.Driver.
func (Driver) Class() driver.Class {
	return driver.Class{Name: "Cassandra", Schemes: []string{"cassandra"}}
}

// Configure implements driver.Driver.
func (Driver) Configure(d *driver.Decoder) (driver.Connector, error) {
	return connector{readSettings(d)}, nil
}

// ParseURL implements driver.URLParser:
// cassandra://user:password@host:9042,host:9042/keyspace?datacenter=dc1.
func (Driver) ParseURL(u *url.URL) (map[string]any, error) {
	const shape = "it should look like cassandra://user:password@host:9042,host:9042/keyspace"
	keyspace := strings.TrimPrefix(u.Path, "/")
	switch {
	case u.Opaque != "" || u.Fragment != "":
		return nil, errors.New(shape)
	case strings.Contains(keyspace, "/"):
		return nil, errors.New("its path is the name of the keyspace: " + shape)
	}
	props := make(map[string]any)
	if u.Host != "" {
		props["hosts"] = u.Host
	}
	if keyspace != "" {
		props["keyspace"] = keyspace
	}
	if name := u.User.Username(); name != "" {
		props["username"] = name
	}
	if password, ok := u.User.Password(); ok {
		props["password"] = password
	}
	return props, nil
}

type connector struct{ settings settings }

// Open implements driver.Connector.
func (c connector) Open(ctx context.Context, o driver.OpenOptions) (driver.Store, error) {
	s, err := open(ctx, c.settings, o)
	if err != nil {
		return nil, err // not a nil *Store, which is no nil driver.Store
	}
	return s, nil
}

// Schema answers the statements that make the tables, and the keyspace if
// create_keyspace says how, for people who want to run them themselves. It needs
// no server. Index fields need no tables of their own.
func (c connector) Schema([]string) ([]string, error) {
	s := c.settings
	if err := checkTable(s.options.Table); err != nil {
		return nil, err
	}
	var list []string
	if s.create != nil && s.options.Keyspace != "" {
		list = append(list, s.create.statement(s.options.Keyspace))
	}
	for _, t := range tables(s.options) {
		list = append(list, t.statement(""))
	}
	return list, nil
}
