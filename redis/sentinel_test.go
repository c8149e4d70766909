package redis_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/internal/servers"
	"github.com/websession/websession/internal/testenv"
	"github.com/websession/websession/redis"
	"github.com/websession/websession/session/driver"
)

// liar is a Sentinel that says what a test wants, to everybody who asks.
type liar struct {
	listener net.Listener
	asked    atomic.Int64
	mu       sync.Mutex
	master   string
	epoch    int
}

func newLiar(tb testing.TB) *liar {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(tb, err)
	tb.Cleanup(func() { l.Close() })
	s := &liar{listener: l}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go s.talk(c)
		}
	}()
	return s
}

func (s *liar) addr() string { return s.listener.Addr().String() }

func (s *liar) say(master string, epoch int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.master, s.epoch = master, epoch
}

func (s *liar) talk(c net.Conn) {
	defer c.Close()
	r := bufio.NewReader(c)
	for {
		args, err := readCommand(r)
		if err != nil {
			return
		}
		switch strings.ToLower(strings.Join(args[:min(2, len(args))], " ")) {
		case "sentinel master":
			s.asked.Add(1)
			s.mu.Lock()
			// The address is an old one, as when this Sentinel leads a failover.
			list(c, "name", args[2], "ip", "127.0.0.1", "port", "1", "config-epoch", strconv.Itoa(s.epoch))
			s.mu.Unlock()
		case "sentinel get-master-addr-by-name":
			s.mu.Lock()
			host, port, _ := net.SplitHostPort(s.master)
			s.mu.Unlock()
			list(c, host, port)
		case "subscribe +switch-master":
			io.WriteString(c, "*3\r\n$9\r\nsubscribe\r\n$14\r\n+switch-master\r\n:1\r\n")
		default:
			io.WriteString(c, "-ERR unknown command\r\n")
		}
	}
}

func list(w io.Writer, texts ...string) {
	fmt.Fprintf(w, "*%d\r\n", len(texts))
	for _, text := range texts {
		fmt.Fprintf(w, "$%d\r\n%s\r\n", len(text), text)
	}
}

func readCommand(r *bufio.Reader) (args []string, err error) {
	number := func(sign byte) (int, error) {
		line, err := r.ReadString('\n')
		if err != nil || len(line) < 3 || line[0] != sign {
			return 0, fmt.Errorf("%q: %w", line, err)
		}
		return strconv.Atoi(strings.TrimSpace(line[1:]))
	}
	n, err := number('*')
	for range n {
		size, err := number('$')
		if err != nil {
			return nil, err
		}
		b := make([]byte, size+2)
		if _, err := io.ReadFull(r, b); err != nil {
			return nil, err
		}
		args = append(args, string(b[:size]))
	}
	return args, err
}

// A Sentinel that accepts connections and never answers does not hold up the
// others, wherever it stands in the list; alone it ends the call within the sum of
// the three time-outs.
func TestMuteSentinel(t *testing.T) {
	set := testenv.Sentinel(t)
	mute, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer mute.Close()
	for _, list := range [][]string{
		append([]string{mute.Addr().String()}, set.Addrs...),
		append(set.Addrs[:len(set.Addrs):len(set.Addrs)], mute.Addr().String()),
		{mute.Addr().String(), set.Addrs[0]},
	} {
		p := props{
			"sentinels": list, "service": set.Service, "prefix": set.Prefix,
			"sentinels_cnx_timeout": 0.1, "sentinels_read_timeout": 1, "sentinels_write_timeout": 1,
		}
		began := time.Now()
		s := open(t, redis.Driver{}, p, driver.OpenOptions{})
		_, _, err := s.Load(ctx, "k")
		require.ErrorIs(t, err, driver.ErrNotFound)
		took := time.Since(began)
		require.Less(t, took, 2100*time.Millisecond)
		t.Logf("figure: first command with a mute Sentinel among %d: %v", len(list), took.Round(time.Millisecond))
		began = time.Now()
		require.NoError(t, s.Close())
		require.Less(t, time.Since(began), time.Second, "Close waits for nobody")
	}
	began := time.Now()
	refused(t, redis.Driver{}, props{"sentinels": mute.Addr().String(), "service": "m", "sentinels_read_timeout": 0.3})
	require.Less(t, time.Since(began), time.Second)
}

// What a Sentinel says is believed when the server itself says that it is a
// master, and not when that is older than what is known.
func TestRoleIsAsked(t *testing.T) {
	set := testenv.NewSentinel(t, nil)
	master, err := set.Master(ctx)
	require.NoError(t, err)
	var replicas []*servers.Server
	for _, n := range set.Nodes {
		if n.Addr() != master.Addr() {
			replicas = append(replicas, n)
		}
	}
	wrong, right := newLiar(t), newLiar(t)
	wrong.say(replicas[0].Addr(), 7)
	right.say(master.Addr(), 3)
	p := props{"sentinels": wrong.addr(), "service": "mymaster", "cnx_timeout": 1}
	err = refused(t, redis.SentinelDriver{}, p)
	require.ErrorContains(t, err, "replica")
	require.ErrorContains(t, err, replicas[0].Addr())

	p["sentinels"] = []string{wrong.addr(), right.addr()}
	s := open(t, redis.SentinelDriver{}, p, driver.OpenOptions{})
	_, err = s.Create(ctx, record("k", "data"))
	require.NoError(t, err)
	info, err := s.(driver.Pinger).Ping(ctx)
	require.NoError(t, err)
	require.Equal(t, master.Addr(), info.Facts["master"])
	t.Log(info)
}

// A failover: the store follows it, its old connections are closed, and it says
// once that the master has changed.
func TestFollowsAFailover(t *testing.T) {
	set := testenv.NewSentinel(t, nil)
	var changed atomic.Int64
	p := props{"sentinels": set.Addrs(), "service": "mymaster"}
	s := open(t, redis.SentinelDriver{}, p, driver.OpenOptions{PrimaryChanged: func() { changed.Add(1) }})
	v, err := s.Create(ctx, record("k", "data"))
	require.NoError(t, err)
	until(t, "the record is on the replicas", func() bool {
		for _, n := range set.Nodes[1:] {
			c, err := servers.DialRedis(ctx, n.Addr())
			require.NoError(t, err)
			size, err := c.Do("DBSIZE")
			c.Close()
			if err != nil || size != int64(2) {
				return false
			}
		}
		return true
	})
	require.Zero(t, changed.Load())
	old, err := set.Master(ctx)
	require.NoError(t, err)
	require.NoError(t, old.Kill())
	killed := time.Now()
	until(t, "a write after the failover", func() bool {
		w, err := s.Replace(ctx, record("k", "more"), v)
		if err == nil {
			v = w
		}
		require.NotErrorIs(t, err, driver.ErrConflict)
		return err == nil
	})
	t.Logf("figure: kill -9 of the master to the first write: %v", time.Since(killed).Round(time.Millisecond))
	require.Equal(t, int64(1), changed.Load())
	for range 10 {
		_, _, err := s.Load(ctx, "k")
		require.NoError(t, err)
	}
	require.Equal(t, int64(1), changed.Load())
}
