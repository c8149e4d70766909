package redis_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/internal/testenv"
	"github.com/websession/websession/redis"
	"github.com/websession/websession/session/driver"
)

// A connection that cannot be made is tried again as long as reconnect says; a
// call that waits for it loses nothing, and is sent once.
func TestReconnect(t *testing.T) {
	p := testenv.Redis(t)
	proxy := testenv.Proxy(t, p.Addrs[0])
	p.Properties["server"], p.Properties["reconnect"], p.Properties["every"] = proxy.Addr(), 10, 10000
	patient := open(t, redis.Driver{}, p.Properties, driver.OpenOptions{})
	delete(p.Properties, "reconnect")
	prompt := open(t, redis.Driver{}, p.Properties, driver.OpenOptions{})
	v, err := patient.Create(ctx, driver.Record{Key: "k"})
	require.NoError(t, err)
	_, _, err = prompt.Load(ctx, "k")
	require.NoError(t, err)

	proxy.Down()
	began := time.Now()
	until(t, "the connections are gone", func() bool {
		_, err = prompt.Replace(ctx, driver.Record{Key: "k"}, v)
		return driver.WasNotApplied(err)
	})
	require.Less(t, time.Since(began), 5*time.Second)
	require.ErrorContains(t, err, "connection refused")
	done := make(chan error)
	go func() {
		_, _, err := patient.Load(ctx, "k")
		done <- err
	}()
	select {
	case err := <-done:
		t.Fatalf("it did not wait: %v", err)
	case <-time.After(200 * time.Millisecond):
	}
	require.NoError(t, proxy.Up())
	require.NoError(t, <-done)
}
