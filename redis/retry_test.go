package redis_test

import (
	"bytes"
	"context"
	"net"
	"sync"
	"testing"

	goredis "github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/websession/websession/internal/testenv"
	"github.com/websession/websession/redis"
	"github.com/websession/websession/session/driver"
)

// proxies stand in front of all servers of a place.
type proxies struct {
	tb  testing.TB
	mu  sync.Mutex
	all map[string]*testenv.DroppingProxy
}

func (p *proxies) route(addr string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.all[addr] == nil {
		if p.all == nil {
			p.all = make(map[string]*testenv.DroppingProxy)
		}
		p.all[addr] = testenv.DropProxy(p.tb, addr)
	}
	return p.all[addr].Addr()
}

// drop has the answer to the next request of that content swallowed.
func (p *proxies) drop(content string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, proxy := range p.all {
		proxy.Drop(1, func(request []byte) bool { return bytes.Contains(request, []byte(content)) })
	}
}

func (p *proxies) dropped() (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, proxy := range p.all {
		n += proxy.Dropped()
	}
	return n
}

// A mutation whose answer is lost is an unknown outcome, and was executed once:
// on clients of this package, and on one of an application that repeats what
// fails, alone and on the shared connection.
func TestMutationsAreSentOnce(t *testing.T) {
	for _, c := range classes {
		t.Run(c.driver.Class().Name, func(t *testing.T) {
			for _, own := range []bool{true, false} {
				for _, shared := range []bool{false, true} {
					p := c.place(t)
					via := &proxies{tb: t}
					var s driver.Store
					if own {
						s = openThrough(t, c.driver, p, via.route)
					} else {
						s = onClient(t, p, via.route)
					}
					if shared {
						redis.SetThreshold(s, 1000, -1)
						redis.ShareAlways(s)
					}
					sentOnce(t, p, s, via)
				}
			}
		})
	}
}

func openThrough(t *testing.T, d driver.Driver, p *testenv.Place, route func(string) string) driver.Store {
	c, err := configure(d, p.Properties)
	require.NoError(t, err)
	s, err := redis.OpenThrough(ctx, c, driver.OpenOptions{Indexed: []string{"user"}}, route)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// onClient answers a store on a client of an application, with go-redis's
// defaults.
func onClient(t *testing.T, p *testenv.Place, route func(string) string) driver.Store {
	dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, network, route(addr))
	}
	var c goredis.UniversalClient
	switch {
	case p.Service != "":
		sentinels := make(map[string]bool)
		for _, a := range p.Addrs {
			sentinels[a] = true
		}
		c = goredis.NewFailoverClient(&goredis.FailoverOptions{MasterName: p.Service, SentinelAddrs: p.Addrs,
			Dialer: func(ctx context.Context, network, addr string) (net.Conn, error) {
				if sentinels[addr] {
					var d net.Dialer
					return d.DialContext(ctx, network, addr)
				}
				return dial(ctx, network, addr)
			}})
	case len(p.Addrs) > 1:
		c = goredis.NewClusterClient(&goredis.ClusterOptions{Addrs: p.Addrs, Dialer: dial})
	default:
		c = goredis.NewClient(&goredis.Options{Addr: p.Addrs[0], Dialer: dial})
	}
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	s, err := redis.New(c, &redis.Options{Prefix: p.Prefix})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func sentOnce(t *testing.T, p *testenv.Place, s driver.Store, via *proxies) {
	m := newMonitor(t, p)
	rec := driver.Record{Key: "k1", Data: []byte("data")}
	lost := func(what, command string, do func() error) {
		t.Helper()
		before := via.dropped()
		via.drop(p.Prefix + rec.Key)
		sent := m.sent(t, func() {
			err := do()
			require.ErrorIs(t, err, driver.ErrUnknownOutcome, what)
			require.NotContains(t, err.Error(), rec.Key)
		})
		require.Equal(t, 1, via.dropped()-before, "%s: the proxy lost an answer", what)
		require.Equal(t, []string{command}, sent, what)
		via.drop("nothing has this content")
	}
	// Have the scripts loaded.
	warm := driver.Record{Key: "warm"}
	for _, key := range []string{"warm", "a", "b", "c", "d", "e", "f", "g", "h"} { // on all masters
		warm.Key = key
		v, err := s.Create(ctx, warm)
		require.NoError(t, err)
		v, err = s.Replace(ctx, warm, v)
		require.NoError(t, err)
		v, err = s.(driver.Toucher).Touch(ctx, warm, v)
		require.NoError(t, err)
		require.NoError(t, s.Delete(ctx, warm, v))
	}
	load := func() driver.Version {
		t.Helper()
		_, v, err := s.Load(ctx, rec.Key)
		require.NoError(t, err)
		return v
	}
	lost("Create", "SET", func() error { _, err := s.Create(ctx, rec); return err })
	v := load()
	lost("Replace", "EVALSHA", func() error { _, err := s.Replace(ctx, rec, v); return err })
	require.NotEqual(t, v, load())
	v = load()
	lost("Touch", "EVALSHA", func() error { _, err := s.(driver.Toucher).Touch(ctx, rec, v); return err })
	require.NotEqual(t, v, load())
	v = load()
	lost("Delete", "EVALSHA", func() error { return s.Delete(ctx, rec, v) })
	_, _, err := s.Load(ctx, rec.Key)
	require.ErrorIs(t, err, driver.ErrNotFound)
}
