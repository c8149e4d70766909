package redis_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/websession/websession/internal/testenv"
	"github.com/websession/websession/redis"
	"github.com/websession/websession/session/driver"
)

// Many calls at once go out together, and each has the answer that belongs to
// it, also when the server has forgotten the scripts.
func TestManyCallsAtOnce(t *testing.T) {
	for _, c := range classes {
		t.Run(c.driver.Class().Name, func(t *testing.T) {
			p := c.place(t)
			s := open(t, c.driver, p.Properties, driver.OpenOptions{})
			together := redis.CountShared(s)
			servers := masters(t, p)
			var all sync.WaitGroup
			for g := range 100 {
				all.Go(func() {
					for i := range 5 {
						if g == 0 {
							for _, m := range servers {
								m.ScriptFlush(ctx)
							}
						}
						key := fmt.Sprintf("k%d-%d", g, i)
						if err := ownLife(s, key); err != nil {
							t.Errorf("%s: %v", key, err)
							return
						}
					}
				})
			}
			all.Wait()
			require.Positive(t, together.Load(), "no call went out with others")
		})
	}
}

// ownLife takes a key from Create to Delete.
func ownLife(s driver.Store, key string) error {
	rec := record(key, "first "+key)
	v, err := s.Create(ctx, rec)
	for i := range 3 {
		if err != nil {
			return err
		}
		got, gotV, err := s.Load(ctx, key)
		if err != nil {
			return err
		}
		if gotV != v || string(got.Data) != string(rec.Data) {
			return fmt.Errorf("another answer: %q", got.Data)
		}
		rec.Data, rec.Was = fmt.Appendf(nil, "%d %s", i, key), rec.Index
		v, err = s.Replace(ctx, rec, v)
		if err != nil {
			return err
		}
	}
	rec.Was = rec.Index
	if v, err = s.(driver.Toucher).Touch(ctx, rec, v); err != nil {
		return err
	}
	return s.Delete(ctx, rec, v)
}

// A server that is there and answers nothing: every call ends soon after its
// context, whether it has a connection of its own or shares one. What was written
// may still be applied, what was not never will be.
func TestContextsEndOnAMuteServer(t *testing.T) {
	server := testenv.NewRedis(t, nil)
	p := props{"server": server.Addr(), "pool_size": 2, "read_timeout": 1}
	app := goredis.NewClient(&goredis.Options{Addr: server.Addr(), ReadTimeout: time.Second, PoolSize: 2})
	defer app.Close()
	onApp, err := redis.New(app, nil)
	require.NoError(t, err)
	defer onApp.Close()
	for name, s := range map[string]driver.Store{
		"alone":  open(t, redis.Driver{}, p, driver.OpenOptions{}),
		"shared": open(t, redis.Driver{}, p, driver.OpenOptions{}),
		"client": onApp,
	} {
		t.Run(name, func(t *testing.T) {
			rec := record("k"+name, "data")
			v, err := s.Create(ctx, rec)
			require.NoError(t, err)
			if name == "shared" {
				redis.SetThreshold(s, 1000, -1)
				redis.ShareAlways(s)
			}
			require.NoError(t, ownLife(s, "warm"+name))
			require.NoError(t, server.Pause())
			defer server.Continue()
			calls := []struct {
				what string
				do   func(context.Context) error
			}{
				{"Replace", func(ctx context.Context) error { _, err := s.Replace(ctx, rec, v); return err }},
				{"Create", func(ctx context.Context) error { _, err := s.Create(ctx, record("new", "data")); return err }},
				{"Delete", func(ctx context.Context) error { return s.Delete(ctx, rec, v) }},
				{"Load", func(ctx context.Context) error { _, _, err := s.Load(ctx, rec.Key); return err }},
				{"Scan", func(ctx context.Context) error {
					for _, err := range s.(driver.Scanner).Scan(ctx) {
						return err
					}
					return nil
				}},
				{"Ping", func(ctx context.Context) error { _, err := s.(driver.Pinger).Ping(ctx); return err }},
			}
			unknown, not := 0, 0
			for _, c := range calls {
				what, call := c.what, c.do
				for _, cancelled := range []bool{false, true} {
					ctx, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
					want := context.DeadlineExceeded
					if cancelled {
						ctx, cancel = context.WithCancel(context.Background())
						time.AfterFunc(100*time.Millisecond, cancel)
						want = context.Canceled
					}
					began := time.Now()
					err := call(ctx)
					took := time.Since(began)
					cancel()
					require.Error(t, err, what)
					require.Less(t, took, 400*time.Millisecond, "%s: %v", what, err)
					if what == "Load" || what == "Scan" || what == "Ping" {
						if cancelled {
							require.ErrorIs(t, err, want, what)
						}
						continue
					}
					if driver.WasNotApplied(err) {
						not++
					} else {
						require.ErrorIs(t, err, driver.ErrUnknownOutcome, what)
						unknown++
					}
				}
			}
			t.Logf("%d mutations unknown, %d not applied", unknown, not)
			require.Positive(t, unknown) // the first was written
		})
	}
}

// A mutation that still waits for a connection when its context ends was not
// applied, and never will be.
func TestWaitingForAConnection(t *testing.T) {
	server := testenv.NewRedis(t, nil)
	s := open(t, redis.Driver{}, props{"server": server.Addr(), "pool_size": 1, "pipelining": false}, driver.OpenOptions{})
	v, err := s.Create(ctx, driver.Record{Key: "k"})
	require.NoError(t, err)
	v, err = s.Replace(ctx, driver.Record{Key: "k"}, v)
	require.NoError(t, err)
	require.NoError(t, server.Pause())
	block := make(chan error)
	go func() {
		ctx, cancel := context.WithTimeout(ctx, 1500*time.Millisecond)
		defer cancel()
		_, _, err := s.Load(ctx, "k")
		block <- err
	}()
	until(t, "the only connection is taken", func() bool { return redis.Busy(s) })
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
			defer cancel()
			_, err := s.Create(ctx, driver.Record{Key: fmt.Sprint("new", i)})
			if !driver.WasNotApplied(err) || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%v", err)
			}
		})
	}
	all.Wait()
	require.NoError(t, server.Continue())
	<-block
	for i := range 20 {
		_, _, err := s.Load(ctx, fmt.Sprint("new", i))
		require.ErrorIs(t, err, driver.ErrNotFound)
	}
	_, err = s.Replace(ctx, driver.Record{Key: "k"}, v)
	require.NoError(t, err)
}
