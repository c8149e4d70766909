package redis_test

import (
	"sync/atomic"
	"testing"

	goredis "github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/websession/websession/internal/testenv"
	"github.com/websession/websession/redis"
	"github.com/websession/websession/session/driver"
)

// A server that was started again may have lost writes: that is told once, to
// stores on clients of this package and of the application. A connection that was
// cut is no news.
func TestRestartIsNoticed(t *testing.T) {
	server := testenv.NewRedis(t, nil)
	proxy := testenv.DropProxy(t, server.Addr())
	app := goredis.NewClient(&goredis.Options{Addr: proxy.Addr()})
	defer app.Close()
	var own, apps atomic.Int64
	stores := []driver.Store{open(t, redis.Driver{}, props{"server": proxy.Addr()}, driver.OpenOptions{PrimaryChanged: func() { own.Add(1) }})}
	s, err := redis.New(app, &redis.Options{PrimaryChanged: func() { apps.Add(1) }})
	require.NoError(t, err)
	defer s.Close()
	stores = append(stores, s)
	use := func() {
		t.Helper()
		for _, s := range stores {
			until(t, "the server answers", func() bool {
				_, _, err := s.Load(ctx, "k")
				return err != nil && !isTrouble(err)
			})
		}
	}
	use()
	proxy.Cut()
	use()
	require.Zero(t, own.Load()+apps.Load())
	for n := range int64(2) {
		require.NoError(t, server.Restart(ctx))
		use()
		use()
		// It looks in the background, and two restarts in one look are one.
		until(t, "the client's store has noticed", func() bool { return apps.Load() == n+1 })
	}
	require.Equal(t, int64(2), own.Load())
}

func isTrouble(err error) bool {
	for _, calm := range []error{driver.ErrNotFound, driver.ErrExists, driver.ErrConflict} {
		if err == nil || err.Error() == calm.Error() {
			return false
		}
	}
	return true
}

// A master of a cluster dies: the store follows, and tells, on its own client and
// on one of the application.
func TestClusterFailoverIsNoticed(t *testing.T) {
	set := testenv.NewCluster(t, nil)
	app := goredis.NewClusterClient(&goredis.ClusterOptions{Addrs: set.Addrs()})
	defer app.Close()
	var own, apps atomic.Int64
	stores := []driver.Store{open(t, redis.ClusterDriver{}, props{"server": set.Addrs()}, driver.OpenOptions{PrimaryChanged: func() { own.Add(1) }})}
	s, err := redis.New(app, &redis.Options{PrimaryChanged: func() { apps.Add(1) }})
	require.NoError(t, err)
	defer s.Close()
	stores = append(stores, s)
	keys := []string{"a", "b", "c", "d", "e", "f", "g", "h", "i"}
	for _, s := range stores {
		for _, key := range keys {
			_, _, err := s.Load(ctx, key)
			require.ErrorIs(t, err, driver.ErrNotFound)
		}
	}
	require.Zero(t, own.Load()+apps.Load())
	require.NoError(t, set.Nodes[0].Kill())
	for _, s := range stores {
		for _, key := range keys {
			until(t, "a write after the failover", func() bool {
				_, err := s.Create(ctx, driver.Record{Key: key})
				if err == nil {
					err = s.Delete(ctx, driver.Record{Key: key}, "")
				}
				return err == nil
			})
		}
	}
	until(t, "the failover is told", func() bool { return own.Load() > 0 && apps.Load() > 0 })
	require.Equal(t, int64(1), own.Load())
	require.Equal(t, int64(1), apps.Load())
}
