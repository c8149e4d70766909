package redis_test

import (
	"bufio"
	"cmp"
	"context"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/websession/websession/internal/testenv"
	"github.com/websession/websession/redis"
	"github.com/websession/websession/session/driver"
)

// monitor sees the commands that clients send to masters, as MONITOR shows them.
type monitor struct {
	prefix string
	mu     sync.Mutex
	lines  []seenCommand
	marks  []func() // have every master say that it is up to date
	seen   int
}

// seenCommand is a command, and when its server took it: what several servers
// show arrives here in any order.
type seenCommand struct {
	at   float64 // seconds
	name string
}

func newMonitor(tb testing.TB, p *testenv.Place) *monitor {
	tb.Helper()
	m := &monitor{prefix: p.Prefix}
	for _, c := range masters(tb, p) {
		addr := c.Options().Addr
		if p.Service != "" { // a client of the service dials through Sentinel
			info, err := client(tb, p).Info(ctx, "server").Result()
			require.NoError(tb, err)
			addr = net.JoinHostPort("127.0.0.1", regexp.MustCompile(`tcp_port:(\d+)`).FindStringSubmatch(info)[1])
		}
		conn, err := net.Dial("tcp", addr)
		require.NoError(tb, err)
		tb.Cleanup(func() { conn.Close() })
		_, err = conn.Write([]byte("MONITOR\r\n"))
		require.NoError(tb, err)
		lines := bufio.NewScanner(conn)
		lines.Buffer(nil, 8<<20)
		require.True(tb, lines.Scan())
		require.Equal(tb, "+OK", lines.Text())
		go func() {
			for lines.Scan() {
				m.add(lines.Text())
			}
		}()
		m.marks = append(m.marks, func() { require.NoError(tb, c.Echo(ctx, "mark-"+p.Prefix).Err()) })
	}
	m.sync(tb)
	return m
}

func (m *monitor) add(line string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case strings.Contains(line, "mark-"+m.prefix):
		m.seen++
	case strings.Contains(line, " lua]"), !strings.Contains(line, m.prefix): // a script's, or somebody else's
	default:
		if _, rest, ok := strings.Cut(line, `] "`); ok {
			name, _, _ := strings.Cut(rest, `"`)
			stamp, _, _ := strings.Cut(strings.TrimPrefix(line, "+"), " ")
			at, err := strconv.ParseFloat(stamp, 64)
			if err != nil {
				name = "a line without time: " + line
			}
			m.lines = append(m.lines, seenCommand{at, strings.ToUpper(name)})
		}
	}
}

// sync waits until everything that was sent before is seen.
func (m *monitor) sync(tb testing.TB) {
	tb.Helper()
	m.mu.Lock()
	m.seen = 0
	m.mu.Unlock()
	for _, mark := range m.marks {
		mark()
	}
	until(tb, "MONITOR", func() bool {
		m.mu.Lock()
		defer m.mu.Unlock()
		return m.seen == len(m.marks)
	})
}

// sent answers the commands that do sends, in the order in which the servers
// took them.
func (m *monitor) sent(tb testing.TB, do func()) []string {
	tb.Helper()
	m.sync(tb)
	m.mu.Lock()
	m.lines = nil
	m.mu.Unlock()
	do()
	m.sync(tb)
	m.mu.Lock()
	defer m.mu.Unlock()
	slices.SortStableFunc(m.lines, func(a, b seenCommand) int { return cmp.Compare(a.at, b.at) })
	var names []string
	for _, l := range m.lines {
		names = append(names, l.name)
	}
	return names
}

// masters answers clients of all masters of a place.
func masters(tb testing.TB, p *testenv.Place) (all []*goredis.Client) {
	tb.Helper()
	c := client(tb, p)
	cluster, ok := c.(*goredis.ClusterClient)
	if !ok {
		return []*goredis.Client{c.(*goredis.Client)}
	}
	var mu sync.Mutex
	require.NoError(tb, cluster.ForEachMaster(ctx, func(_ context.Context, c *goredis.Client) error {
		mu.Lock()
		defer mu.Unlock()
		all = append(all, c)
		return nil
	}))
	return all
}

var classes = []struct {
	driver driver.Driver
	place  func(testing.TB) *testenv.Place
	apart  bool
}{
	{redis.Driver{}, testenv.Redis, false},
	{redis.SentinelDriver{}, testenv.Sentinel, false},
	{redis.ClusterDriver{}, testenv.Cluster, true},
}

// Every call is one command. With an index on other servers Create and Delete are
// two, and a change of user three.
func TestCommandsPerCall(t *testing.T) {
	for _, c := range classes {
		t.Run(c.driver.Class().Name, func(t *testing.T) {
			p := c.place(t)
			s := open(t, c.driver, p.Properties, driver.OpenOptions{})
			m := newMonitor(t, p)
			for _, client := range masters(t, p) {
				for _, sc := range redis.Scripts {
					require.NoError(t, client.ScriptLoad(ctx, sc.Text()).Err())
				}
			}
			rec := record("k", "data")
			var v driver.Version
			call := func(what string, here, apart []string, do func() error) {
				t.Helper()
				want := here
				if c.apart {
					want = apart
				}
				require.Equal(t, want, m.sent(t, func() { require.NoError(t, do(), what) }), what)
			}
			sha := []string{"EVALSHA"}
			call("Create", sha, []string{"EVALSHA", "SET"}, func() (err error) { v, err = s.Create(ctx, rec); return err })
			call("Load", []string{"GET"}, []string{"GET"}, func() error { _, _, err := s.Load(ctx, "k"); return err })
			rec.Was = rec.Index
			call("Replace", sha, sha, func() (err error) { v, err = s.Replace(ctx, rec, v); return err })
			rec.Expires = rec.Expires.Add(time.Minute)
			call("Touch", sha, sha, func() (err error) { v, err = s.(driver.Toucher).Touch(ctx, rec, v); return err })
			rec.Index = map[string]string{"user": "another"}
			call("Replace of the user", sha, []string{"EVALSHA", "EVALSHA", "EVALSHA"}, func() (err error) { v, err = s.Replace(ctx, rec, v); return err })
			rec.Was = rec.Index
			call("Delete", sha, []string{"EVALSHA", "EVALSHA"}, func() error { return s.Delete(ctx, rec, v) })
			call("Delete of nothing", sha, sha, func() error { return s.Delete(ctx, rec, "") })
			anonymous := driver.Record{Key: "anonymous", Expires: rec.Expires}
			call("Create without user", []string{"SET"}, []string{"SET"}, func() (err error) { v, err = s.Create(ctx, anonymous); return err })
			call("Delete without user", sha, sha, func() error { return s.Delete(ctx, anonymous, v) })

			// A server that has forgotten the scripts has done nothing.
			for _, client := range masters(t, p) {
				require.NoError(t, client.ScriptFlush(ctx).Err())
			}
			v, err := s.Create(ctx, anonymous)
			require.NoError(t, err)
			call("Replace after SCRIPT FLUSH", []string{"EVALSHA", "EVAL"}, []string{"EVALSHA", "EVAL"},
				func() (err error) { v, err = s.Replace(ctx, anonymous, v); return err })
			call("Replace afterwards", sha, sha, func() (err error) { v, err = s.Replace(ctx, anonymous, v); return err })
		})
	}
}
