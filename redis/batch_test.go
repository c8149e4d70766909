package redis_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/websession/websession/internal/testenv"
	"github.com/websession/websession/redis"
	"github.com/websession/websession/session/driver"
)

// Loads that go out together each have what a load by itself has: the session,
// that there is none, or that something else is there. A server that refuses MGET
// is asked with GETs.
func TestLoadsTogether(t *testing.T) {
	for _, allowed := range []bool{true, false} {
		t.Run(fmt.Sprint("MGET=", allowed), func(t *testing.T) {
			server := testenv.NewRedis(t, nil)
			raw := goredis.NewClient(&goredis.Options{Addr: server.Addr()})
			defer raw.Close()
			rules := []any{"ACL", "SETUSER", "app", "on", ">pa55word", "~*", "+@all"}
			if !allowed {
				rules = append(rules, "-mget")
			}
			require.NoError(t, raw.Do(ctx, rules...).Err())
			s := open(t, redis.Driver{}, props{"server": server.Addr(), "prefix": "p:", "username": "app", "password": "pa55word"}, driver.OpenOptions{})
			for i := range 50 {
				_, err := s.Create(ctx, record(fmt.Sprint("whole", i), fmt.Sprint("data of ", i)))
				require.NoError(t, err)
			}
			require.NoError(t, raw.RPush(ctx, "p:list", "a").Err())
			require.NoError(t, raw.Set(ctx, "p:text", "hello", 0).Err())
			redis.ShareAlways(s)
			redis.SetThreshold(s, 1000, -1)
			var all sync.WaitGroup
			for g := range 60 {
				all.Go(func() {
					for i := range 20 {
						key, want := fmt.Sprint("whole", g), error(nil)
						switch g - 50 {
						case 0, 1, 2, 3:
							key, want = fmt.Sprintf("absent%d-%d", g, i), driver.ErrNotFound
						case 4, 5, 6:
							key, want = "list", driver.ErrCorrupt
						case 7, 8, 9:
							key, want = "text", driver.ErrCorrupt
						}
						rec, _, err := s.Load(ctx, key)
						if want == nil {
							if err != nil || string(rec.Data) != fmt.Sprint("data of ", g) {
								t.Errorf("%s: %q, %v", key, rec.Data, err)
							}
							continue
						}
						if !errors.Is(err, want) || key == "list" && !strings.Contains(err.Error(), "another type") {
							t.Errorf("%s: %v", key, err)
						}
					}
				})
			}
			all.Wait()
			gets, mgets := ran(t, raw, "get"), ran(t, raw, "mget")
			t.Logf("1200 loads: %d GET, %d MGET", gets, mgets)
			if allowed {
				require.Positive(t, mgets)
				require.Less(t, gets+mgets, 1200)
			} else {
				require.Zero(t, mgets)
				require.GreaterOrEqual(t, gets, 1200)
			}
		})
	}
}

// ran answers how often a server has run a command.
func ran(t *testing.T, c *goredis.Client, command string) int {
	stats, err := c.Info(ctx, "commandstats").Result()
	require.NoError(t, err)
	m := regexp.MustCompile(`cmdstat_` + command + `:calls=(\d+)`).FindStringSubmatch(stats)
	if m == nil {
		return 0
	}
	n, err := strconv.Atoi(m[1])
	require.NoError(t, err)
	return n
}

// Changes that are long go out in several batches.
func TestLongChangesTogether(t *testing.T) {
	p := testenv.Redis(t)
	s := open(t, redis.Driver{}, p.Properties, driver.OpenOptions{})
	redis.ShareAlways(s)
	redis.SetThreshold(s, 1000, -1)
	data := strings.Repeat("x", 600<<10)
	var all sync.WaitGroup
	for g := range 20 {
		all.Go(func() {
			if err := ownLife(s, fmt.Sprint("k", g)); err != nil {
				t.Error(err)
			}
			if _, err := s.Create(ctx, record(fmt.Sprint("long", g), data)); err != nil {
				t.Error(err)
			}
			rec, _, err := s.Load(ctx, fmt.Sprint("long", g))
			if err != nil || string(rec.Data) != data {
				t.Errorf("%d bytes, %v", len(rec.Data), err)
			}
		})
	}
	all.Wait()
}

// Calls of a batch are told their answers as those come, not when the last one has
// come.
func TestAnswersAreToldAsTheyCome(t *testing.T) {
	const calls = 50
	p := testenv.Redis(t)
	link := newHalting(t, p.Properties["server"].(string))
	s := openThrough(t, redis.Driver{}, p, func(string) string { return link.Addr().String() })
	redis.ShareAlways(s)
	redis.SetThreshold(s, 1000, -1)
	recs, versions := make([]driver.Record, calls), make([]driver.Version, calls)
	for i := range calls {
		recs[i] = record(fmt.Sprint("k", i), "first")
		v, err := s.Create(ctx, recs[i])
		require.NoError(t, err)
		recs[i].Data, recs[i].Was = fmt.Append(nil, "second", i), recs[i].Index
		versions[i], err = s.Replace(ctx, recs[i], v) // the server knows the script
		require.NoError(t, err)
	}
	var told atomic.Int64
	var all sync.WaitGroup
	link.halt()
	redis.Gather(s, calls)
	for i := range calls {
		all.Go(func() {
			defer told.Add(1)
			_, err := s.Replace(ctx, recs[i], versions[i])
			if err != nil {
				t.Error(err)
			}
		})
	}
	until(t, "the first answer is told", func() bool { return told.Load() > 0 })
	require.Less(t, told.Load(), int64(calls))
	link.goOn()
	all.Wait()
	for i := range calls {
		rec, _, err := s.Load(ctx, recs[i].Key)
		require.NoError(t, err)
		require.Equal(t, string(recs[i].Data), string(rec.Data))
	}
}

// halting is a proxy that, once told to, passes on the first half of what the
// server says next, and the rest only later.
type halting struct {
	net.Listener
	next chan struct{} // holds a value if it is to halt
	rest chan struct{} // closed when it goes on
}

func newHalting(t *testing.T, upstream string) *halting {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	h := &halting{l, make(chan struct{}, 1), make(chan struct{})}
	var all sync.WaitGroup
	t.Cleanup(func() {
		l.Close()
		h.goOn()
		all.Wait()
	})
	all.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", upstream)
			if err != nil {
				t.Error(err)
				client.Close()
				continue
			}
			all.Go(func() {
				defer server.Close()
				io.Copy(server, client)
			})
			all.Go(func() {
				defer client.Close()
				h.answer(client, server)
			})
		}
	})
	return h
}

func (h *halting) answer(client, server net.Conn) {
	buf := make([]byte, 64<<10)
	for {
		n, err := server.Read(buf)
		if err != nil {
			return
		}
		from := 0
		select {
		case <-h.next:
			from = n / 2
			client.Write(buf[:from])
			<-h.rest
		default:
		}
		if _, err := client.Write(buf[from:n]); err != nil {
			return
		}
	}
}

func (h *halting) halt() { h.next <- struct{}{} }

func (h *halting) goOn() {
	select {
	case <-h.rest:
	default:
		close(h.rest)
	}
}

// What finds the queue full was not sent, and says so.
func TestFullQueue(t *testing.T) {
	p := testenv.Redis(t)
	s := open(t, redis.Driver{}, p.Properties, driver.OpenOptions{})
	v, err := s.Create(ctx, record("k", "data"))
	require.NoError(t, err)
	redis.ShareAlways(s)
	redis.SetThreshold(s, 1000, -1)
	empty := redis.FillQueue(s)
	_, err = s.Create(ctx, record("other", "data"))
	require.True(t, driver.WasNotApplied(err), "%v", err)
	require.ErrorContains(t, err, "too many calls")
	rec := record("k", "data")
	rec.Was = rec.Index
	require.True(t, driver.WasNotApplied(s.Delete(ctx, rec, v)))
	_, _, err = s.Load(ctx, "k")
	require.ErrorContains(t, err, "too many calls")
	empty()
	_, _, err = s.Load(ctx, "other")
	require.ErrorIs(t, err, driver.ErrNotFound)
	require.NoError(t, s.Delete(ctx, rec, v))
}

// On a server that is mute the calls that wait behind those under way are never
// sent when their contexts end; the server has the others, and may execute them.
func TestGivenUpInTheQueue(t *testing.T) {
	server := testenv.NewRedis(t, nil)
	s := open(t, redis.Driver{}, props{"server": server.Addr(), "read_timeout": 2}, driver.OpenOptions{})
	redis.ShareAlways(s)
	redis.SetThreshold(s, 1000, -1)
	require.NoError(t, ownLife(s, "warm"))
	require.NoError(t, server.Pause())
	var mu sync.Mutex
	not := make(map[string]bool)
	var all sync.WaitGroup
	for i := range 100 {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
			defer cancel()
			key := fmt.Sprint("k", i)
			_, err := s.Create(ctx, driver.Record{Key: key, Data: []byte("data")})
			if err == nil || !driver.WasNotApplied(err) && !errors.Is(err, driver.ErrUnknownOutcome) {
				t.Errorf("%s: %v", key, err)
			}
			mu.Lock()
			defer mu.Unlock()
			not[key] = driver.WasNotApplied(err)
		})
	}
	all.Wait()
	require.NoError(t, server.Continue())
	until(t, "the server answers", func() bool { _, err := s.(driver.Pinger).Ping(ctx); return err == nil })
	unknown := 0
	for key, was := range not {
		if !was {
			unknown++
			continue
		}
		_, _, err := s.Load(ctx, key)
		require.ErrorIs(t, err, driver.ErrNotFound, key)
	}
	t.Logf("%d of 100 unknown", unknown)
	require.Positive(t, unknown)
	require.Less(t, unknown, 100)
}
