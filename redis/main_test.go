package redis_test

import (
	"context"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/websession/websession/internal/testenv"
	"github.com/websession/websession/session/driver"
)

func TestMain(m *testing.M) { testenv.Main(m) }

var ctx = context.Background()

// client answers a client of an application, with go-redis's defaults.
func client(tb testing.TB, p *testenv.Place) goredis.UniversalClient {
	tb.Helper()
	o := &goredis.UniversalOptions{Addrs: p.Addrs, MasterName: p.Service, IsClusterMode: p.Service == "" && len(p.Addrs) > 1}
	c := goredis.NewUniversalClient(o)
	tb.Cleanup(func() { require.NoError(tb, c.Close()) })
	return c
}

// configure answers the connector of a class, as the core makes it.
func configure(d driver.Driver, props map[string]any) (driver.Connector, error) {
	dec := driver.NewDecoder(d.Class().Name, props)
	c, err := d.Configure(dec)
	if derr := dec.Err(); derr != nil {
		return nil, derr
	}
	return c, err
}

// open opens a store, which is closed at the end.
func open(tb testing.TB, d driver.Driver, props map[string]any, o driver.OpenOptions) driver.Store {
	tb.Helper()
	c, err := configure(d, props)
	require.NoError(tb, err)
	if o.Indexed == nil {
		o.Indexed = []string{"user"}
	}
	s, err := c.Open(ctx, o)
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, s.Close()) })
	return s
}

// refused opens a store that must not open, and answers why.
func refused(tb testing.TB, d driver.Driver, props map[string]any) error {
	tb.Helper()
	c, err := configure(d, props)
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
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			tb.Fatal("waited in vain: " + what)
		}
	}
}
