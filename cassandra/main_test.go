package cassandra_test

import (
	"context"
	"testing"
	"time"

	"github.com/gocql/gocql"
	"github.com/stretchr/testify/require"

	"github.com/websession/websession/cassandra"
	"github.com/websession/websession/internal/testenv"
	"github.com/websession/websession/session/driver"
)

func TestMain(m *testing.M) { testenv.Main(m) }

var ctx = context.Background()

// bare answers a session of an application, to look at what lies in a place.
func bare(tb testing.TB, p *testenv.Place) *gocql.Session {
	tb.Helper()
	s, err := testenv.CassandraSession(p.Addrs, p.Keyspace)
	require.NoError(tb, err)
	tb.Cleanup(s.Close)
	return s
}

// configure answers the connector of the class, as the core makes it.
func configure(props map[string]any) (driver.Connector, error) {
	d := cassandra.Driver{}
	dec := driver.NewDecoder(d.Class().Name, props)
	c, err := d.Configure(dec)
	if derr := dec.Err(); derr != nil {
		return nil, derr
	}
	return c, err
}

// open opens a store, which is closed at the end.
func open(tb testing.TB, props map[string]any) driver.Store {
	tb.Helper()
	c, err := configure(props)
	require.NoError(tb, err)
	s, err := c.Open(ctx, driver.OpenOptions{Indexed: []string{"user"}})
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, s.Close()) })
	return s
}

// refused opens a store that must not open, and answers why.
func refused(tb testing.TB, props map[string]any) error {
	tb.Helper()
	c, err := configure(props)
	require.NoError(tb, err)
	s, err := c.Open(ctx, driver.OpenOptions{})
	if err == nil {
		s.Close()
		tb.Fatal("it was opened")
	}
	return err
}

func record(key, data string) driver.Record {
	return driver.Record{
		Key: key, Data: []byte(data), Expires: time.Now().Add(time.Hour).UTC().Truncate(time.Millisecond),
		Index: map[string]string{"user": "u-" + key},
	}
}

// until polls for a condition that another goroutine or process brings about.
func until(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	for end := time.Now().Add(time.Minute); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			tb.Fatal("waited in vain: " + what)
		}
	}
}
