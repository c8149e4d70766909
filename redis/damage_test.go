package redis_test

import (
	"errors"
	"strings"
	"testing"

	goredis "github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/websession/websession/internal/servers"
	"github.com/websession/websession/internal/testenv"
	"github.com/websession/websession/redis"
	"github.com/websession/websession/session/driver"
)

// What other programs put under the name of a record, and what was cut off one:
// an error of the contract for every method, and nothing changes until it is
// deleted whatever it is.
func TestDamageIsLeftAlone(t *testing.T) {
	for _, c := range classes {
		t.Run(c.driver.Class().Name, func(t *testing.T) {
			p := c.place(t)
			s := open(t, c.driver, p.Properties, driver.OpenOptions{})
			raw := client(t, p)
			whole := func(key string) (driver.Record, driver.Version, string) {
				rec := record(key, "some data")
				v, err := s.Create(ctx, rec)
				require.NoError(t, err)
				text, err := raw.Get(ctx, p.Prefix+key).Result()
				require.NoError(t, err)
				rec.Was = rec.Index
				return rec, v, text
			}
			for name, spoil := range map[string]func(key, text string) error{
				"text":      func(k, _ string) error { return raw.Set(ctx, k, "hello", 0).Err() },
				"empty":     func(k, _ string) error { return raw.Set(ctx, k, "", 0).Err() },
				"number":    func(k, _ string) error { return raw.Set(ctx, k, 7, 0).Err() },
				"cut":       func(k, s string) error { return raw.Set(ctx, k, s[:len(s)-1], 0).Err() },
				"header":    func(k, s string) error { return raw.Set(ctx, k, s[:30], 0).Err() },
				"longer":    func(k, _ string) error { return raw.Append(ctx, k, "x").Err() },
				"other":     func(k, s string) error { return raw.Set(ctx, k, "WSR2"+s[4:], 0).Err() },
				"list":      func(k, _ string) error { raw.Del(ctx, k); return raw.RPush(ctx, k, "a").Err() },
				"hash":      func(k, _ string) error { raw.Del(ctx, k); return raw.HSet(ctx, k, "a", "b").Err() },
				"sortedset": func(k, _ string) error { raw.Del(ctx, k); return raw.ZAdd(ctx, k, goredis.Z{Member: "a"}).Err() },
			} {
				rec, v, text := whole(name)
				key := p.Prefix + name
				require.NoError(t, spoil(key, text))
				before, err := raw.Dump(ctx, key).Result()
				require.NoError(t, err)

				_, _, err = s.Load(ctx, name)
				require.ErrorIs(t, err, driver.ErrCorrupt, name)
				_, err = s.Create(ctx, rec)
				require.ErrorIs(t, err, driver.ErrExists, name)
				refused := func(err error) {
					t.Helper()
					require.True(t, errors.Is(err, driver.ErrCorrupt) || errors.Is(err, driver.ErrConflict), "%s: %v", name, err)
					require.True(t, driver.WasNotApplied(err), "%s: %v", name, err)
					require.False(t, strings.Contains(err.Error(), key), "%v", err)
				}
				_, err = s.Replace(ctx, rec, v)
				refused(err)
				_, err = s.(driver.Toucher).Touch(ctx, rec, v)
				refused(err)
				refused(s.Delete(ctx, rec, v))
				for found, err := range s.(driver.Scanner).Scan(ctx) {
					require.NoError(t, err)
					require.NotEqual(t, name, found.Key)
				}
				for range s.(driver.Searcher).Search(ctx, "user", rec.Index["user"]) {
					t.Fatal("it was found")
				}
				after, err := raw.Dump(ctx, key).Result()
				require.NoError(t, err)
				require.Equal(t, before, after, "%s: nothing has changed", name)

				require.NoError(t, s.Delete(ctx, rec, ""))
				require.Zero(t, raw.Exists(ctx, key).Val())
			}
		})
	}
}

// Keys of other programs under the prefix, and around it, are none of ours. The
// prefix means itself, whatever SCAN makes of its characters.
func TestForeignKeysAreNotListed(t *testing.T) {
	p := testenv.Redis(t)
	raw := client(t, p)
	p.Properties["prefix"] = p.Prefix + `a*b?[c]\:`
	s := open(t, redis.Driver{}, p.Properties, driver.OpenOptions{})
	rec := record("k", "data")
	_, err := s.Create(ctx, rec)
	require.NoError(t, err)
	for _, key := range []string{
		p.Prefix + "aXbY[c]\\:k", p.Prefix + "a*b?c\\:k", p.Prefix + `a*b?[c]\:other:k`, p.Prefix + `a*b?[c]\:` + strings.Repeat("k", driver.MaxKey+1),
	} {
		require.NoError(t, raw.Copy(ctx, p.Prefix+`a*b?[c]\:k`, key, 0, true).Err())
	}
	n := 0
	for got, err := range s.(driver.Scanner).Scan(ctx) {
		require.NoError(t, err)
		require.Equal(t, rec, got)
		n++
	}
	require.Equal(t, 1, n)
}

// An index key that another program has taken: writes of that user are refused,
// and everything else works.
func TestForeignIndexKey(t *testing.T) {
	for _, c := range classes {
		p := c.place(t)
		s := open(t, c.driver, p.Properties, driver.OpenOptions{})
		require.NoError(t, client(t, p).Set(ctx, p.Prefix+"index:{user:u-k}", "mine", 0).Err())
		_, err := s.Create(ctx, record("k", "data"))
		require.True(t, driver.WasNotApplied(err), "%v", err)
		_, _, err = s.Load(ctx, "k")
		require.ErrorIs(t, err, driver.ErrNotFound)
		for _, err := range s.(driver.Searcher).Search(ctx, "user", "u-k") {
			require.ErrorContains(t, err, "WRONGTYPE")
		}
		_, err = s.Create(ctx, record("other", "data"))
		require.NoError(t, err)
	}
}

// A server that refuses writes: nothing was applied, the error says why, and what
// is there can be read. Ending a session needs no memory.
func TestServersThatRefuse(t *testing.T) {
	server := testenv.NewRedis(t, &servers.RedisOptions{Config: []string{"enable-protected-configs yes"}})
	raw := goredis.NewClient(&goredis.Options{Addr: server.Addr()})
	defer raw.Close()
	p := props{"server": server.Addr()}
	s := open(t, redis.Driver{}, p, driver.OpenOptions{})
	config := func(name, value string) { t.Helper(); require.NoError(t, raw.ConfigSet(ctx, name, value).Err()) }
	for _, c := range []struct {
		name, says    string
		begin, end    func()
		deletes, warn bool
	}{
		{"OOM", "raise it", func() { config("maxmemory", "1") }, func() { config("maxmemory", "0") }, true, true},
		{"NOREPLICAS", "min-replicas-to-write", func() { config("min-replicas-to-write", "1") }, func() { config("min-replicas-to-write", "0") }, false, true},
		{"MISCONF", "disk", func() {
			config("dir", "/proc") // where nothing can be written
			config("save", "3600 1")
			require.NoError(t, raw.Set(ctx, "x", 1, 0).Err())
			raw.BgSave(ctx)
			until(t, "a snapshot that fails", func() bool {
				return strings.Contains(raw.Info(ctx, "persistence").Val(), "rdb_last_bgsave_status:err")
			})
		}, func() { config("save", "") }, false, true},
		{"READONLY", "replica", func() { require.NoError(t, raw.Do(ctx, "REPLICAOF", "127.0.0.1", "1").Err()) }, func() { require.NoError(t, raw.Do(ctx, "REPLICAOF", "NO", "ONE").Err()) }, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			rec := record("k-"+c.name, "data")
			v, err := s.Create(ctx, rec)
			require.NoError(t, err)
			rec.Was = rec.Index
			c.begin()
			refused := func(err error) {
				t.Helper()
				require.True(t, driver.WasNotApplied(err), "%v", err)
				require.ErrorContains(t, err, c.says)
			}
			_, err = s.Create(ctx, record("new-"+c.name, "data"))
			refused(err)
			_, err = s.Replace(ctx, rec, v)
			refused(err)
			_, err = s.(driver.Toucher).Touch(ctx, rec, v)
			refused(err)
			if !c.deletes {
				refused(s.Delete(ctx, rec, v))
			}
			got, gotV, err := s.Load(ctx, rec.Key)
			if c.name == "READONLY" { // which may be behind
				require.ErrorContains(t, err, c.says)
				c.end()
				return
			}
			require.NoError(t, err)
			require.Equal(t, v, gotV)
			require.Equal(t, "data", string(got.Data))
			if c.warn { // it can be opened for reading, with a remark
				var remark string
				other := open(t, redis.Driver{}, p, driver.OpenOptions{Warn: func(w string) { remark += w }})
				_, _, err = other.Load(ctx, rec.Key)
				require.NoError(t, err)
				require.Contains(t, remark, "takes no writes")
				require.Contains(t, remark, c.says)
			}
			if c.deletes {
				require.NoError(t, s.Delete(ctx, rec, v))
			}
			c.end()
		})
	}
}

// A server that loads its data says so.
func TestServerThatLoads(t *testing.T) {
	server := testenv.NewRedis(t, &servers.RedisOptions{Config: []string{"appendonly yes", "key-load-delay 100", "aof-use-rdb-preamble no"}})
	raw := goredis.NewClient(&goredis.Options{Addr: server.Addr()})
	defer raw.Close()
	p := props{"server": server.Addr()}
	s := open(t, redis.Driver{}, p, driver.OpenOptions{})
	v, err := s.Create(ctx, record("k", "data"))
	require.NoError(t, err)
	pipe := raw.Pipeline()
	for i := range 20000 {
		pipe.Set(ctx, "filler", i, 0)
	}
	_, err = pipe.Exec(ctx)
	require.NoError(t, err)
	require.NoError(t, server.Kill())
	done := make(chan error, 1)
	go func() { done <- server.Restart(ctx) }()
	loading := false
	until(t, "the server has loaded", func() bool {
		_, err := s.Replace(ctx, record("k", "more"), v)
		switch {
		case err != nil && strings.Contains(err.Error(), "LOADING"):
			require.True(t, driver.WasNotApplied(err))
			loading = true
		case err == nil:
			return true
		}
		return false
	})
	require.NoError(t, <-done)
	if !loading {
		t.Log("the server loaded too fast to be seen")
	}
}
