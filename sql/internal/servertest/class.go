package servertest

import (
	"context"
	"database/sql"
	"maps"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/session/driver"
	websql "github.com/websession/websession/sql"
)

var background = context.Background()

// Class is a class of stores and how its tests reach its servers.
type Class struct {
	Driver  driver.Driver
	Dialect websql.Dialect
	SQL     string // name of the driver in database/sql, for other programs
	Locking string // value of the property locking beside none
}

// Place is an empty database on a server.
type Place struct {
	Properties map[string]any
	Addr       string // host:port of the server
	DSN        string // the database, as the driver in database/sql takes it
}

// At answers properties that lead to another address of the same server.
func (p Place) At(addr string) map[string]any {
	source := func(addr string) string {
		host, port, _ := strings.Cut(addr, ":")
		return "host=" + host + ";port=" + port
	}
	return With(p.Properties, "DataSource", strings.Replace(p.Properties["DataSource"].(string), source(p.Addr), source(addr), 1))
}

// With answers properties with some changed: names and values in turns.
func With(props map[string]any, changes ...any) map[string]any {
	props = maps.Clone(props)
	for i := 0; i < len(changes); i += 2 {
		props[changes[i].(string)] = changes[i+1]
	}
	return props
}

// Open opens a store as the framework does.
type Open func(props map[string]any, o driver.OpenOptions) (*websql.Store, error)

// indexed is the option that most stores here are opened with.
var indexed = driver.OpenOptions{Indexed: []string{"user"}}

func (open Open) must(tb testing.TB, props map[string]any) *websql.Store {
	tb.Helper()
	s, err := open(props, indexed)
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, s.Close()) })
	return s
}

// configure answers the connector of a class, as the framework makes it.
func (c Class) configure(props map[string]any) (driver.Connector, error) {
	d := driver.NewDecoder(c.Driver.Class().Name, props)
	connector, err := c.Driver.Configure(d)
	if err == nil {
		err = d.Err()
	}
	return connector, err
}

// Try is Open of the class.
func (c Class) Try(props map[string]any, o driver.OpenOptions) (*websql.Store, error) {
	connector, err := c.configure(props)
	if err != nil {
		return nil, err
	}
	s, err := connector.Open(background, o)
	if err != nil {
		return nil, err
	}
	return s.(*websql.Store), nil
}

// Open opens a store until the end of the test. The index fields are user alone
// if none are given.
func (c Class) Open(tb testing.TB, props map[string]any, fields ...string) *websql.Store {
	tb.Helper()
	if fields == nil {
		fields = indexed.Indexed
	}
	s, err := c.Try(props, driver.OpenOptions{Indexed: fields})
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, s.Close()) })
	return s
}

// Warned opens a store and answers what it remarks on.
func (c Class) Warned(tb testing.TB, props map[string]any, fields ...string) (*websql.Store, string) {
	tb.Helper()
	var remarks []string
	s, err := c.Try(props, driver.OpenOptions{Indexed: fields, Warn: func(r string) { remarks = append(remarks, r) }})
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, s.Close()) })
	return s, strings.Join(remarks, "\n")
}

// Refused opens a store that must not open, and answers why.
func (c Class) Refused(tb testing.TB, props map[string]any, fields ...string) error {
	tb.Helper()
	s, err := c.Try(props, driver.OpenOptions{Indexed: fields})
	if err == nil {
		s.Close()
		tb.Fatal("it was opened")
	}
	return err
}

// Bare opens a database as another program does, until the end of the test.
func (c Class) Bare(tb testing.TB, dsn string) *sql.DB {
	tb.Helper()
	db, err := sql.Open(c.SQL, dsn)
	require.NoError(tb, err)
	tb.Cleanup(func() { db.Close() })
	return db
}

// Borrowed opens a store in a pool of the application, until the end of the test.
func (c Class) Borrowed(tb testing.TB, db *sql.DB) *websql.Store {
	tb.Helper()
	s, err := websql.New(db, c.Dialect, &websql.Options{Indexed: indexed.Indexed})
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, s.Close()) })
	return s
}
