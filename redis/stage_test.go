package redis_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/websession/websession/internal/servers"
	"github.com/websession/websession/internal/testenv"
	"github.com/websession/websession/session"
)

// go-redis prints every connection that it cannot make.
func init() { goredis.SetLogger(silence{}) }

type silence struct{}

func (silence) Printf(context.Context, string, ...any) {}

// stage is a set of servers of a test's own, in which a master can be killed.
type stage struct {
	tb    testing.TB
	rng   *rand.Rand
	class string
	props map[string]any

	node     func(addr string) *servers.Server
	victim   func() *servers.Server // a master
	replaced func(old *servers.Server)
	heal     func()
}

func sentinelStage(tb testing.TB) *stage {
	tb.Helper()
	set := testenv.NewSentinel(tb, nil)
	return &stage{
		tb: tb, rng: seeded(tb), class: "RedisSentinel",
		props: map[string]any{"sentinels": set.Addrs(), "service": set.Service(), "prefix": "t:"},
		node:  set.Node,
		victim: func() *servers.Server {
			master, err := set.Master(ctx)
			require.NoError(tb, err)
			return master
		},
		replaced: func(old *servers.Server) {
			_, err := set.AwaitMaster(ctx, old)
			require.NoError(tb, err)
		},
		heal: func() { require.NoError(tb, set.Heal(ctx)) },
	}
}

func clusterStage(tb testing.TB) (*stage, *servers.Cluster) {
	tb.Helper()
	set := testenv.NewCluster(tb, nil)
	s := &stage{
		tb: tb, rng: seeded(tb), class: "RedisCluster",
		props:    map[string]any{"server": set.Addrs(), "prefix": "t:"},
		node:     set.Node,
		replaced: func(old *servers.Server) { require.NoError(tb, set.AwaitFailover(ctx, old)) },
		heal:     func() { require.NoError(tb, set.Heal(ctx)) },
	}
	s.victim = func() *servers.Server {
		masters, err := set.Masters(ctx)
		require.NoError(tb, err)
		return masters[s.rng.IntN(len(masters))]
	}
	return s, set
}

// manager opens a Manager on the stage with a handle of its own.
func (s *stage) manager(more map[string]any, o *session.Options) *session.Manager {
	s.tb.Helper()
	props := make(map[string]any)
	for _, m := range []map[string]any{s.props, more} {
		for name, value := range m {
			props[name] = value
		}
	}
	return manager(s.tb, s.class, props, o)
}

// wait waits for a moment at random.
func (s *stage) wait(least, most time.Duration) {
	<-time.After(least + time.Duration(s.rng.Int64N(int64(most-least))))
}

// ask sends a server one command.
func (s *stage) ask(n *servers.Server, command ...string) any {
	s.tb.Helper()
	c, err := servers.DialRedis(ctx, n.Addr())
	require.NoError(s.tb, err)
	defer c.Close()
	a, err := c.Do(command...)
	require.NoError(s.tb, err)
	return a
}

// replicas answers those of a master.
func (s *stage) replicas(master *servers.Server) (all []*servers.Server) {
	s.tb.Helper()
	info, _ := s.ask(master, "INFO", "replication").(string)
	for line := range strings.Lines(info) {
		_, text, found := strings.Cut(strings.TrimSpace(line), ":ip=")
		if !found {
			continue
		}
		fields := strings.Split(text, ",")
		addr := net.JoinHostPort(fields[0], strings.TrimPrefix(fields[1], "port="))
		n := s.node(addr)
		require.NotNil(s.tb, n, addr)
		all = append(all, n)
	}
	return all
}

// inStep waits until the replicas have what a master has.
func (s *stage) inStep(master *servers.Server) {
	s.tb.Helper()
	n := len(s.replicas(master))
	c, err := servers.DialRedis(ctx, master.Addr())
	require.NoError(s.tb, err)
	defer c.Close()
	// WAIT waits for what this connection wrote, and so for all before it.
	a, err := c.DoAll([][]string{{"PUBLISH", "nobody", "listens"}, {"WAIT", fmt.Sprint(n), "5000"}})
	require.NoError(s.tb, err)
	require.EqualValues(s.tb, n, a[1])
}

// cut cuts the links between a master and its replicas: those are frozen, so that
// they cannot connect again, and their connections are closed by the master. What
// it answers thaws them.
func (s *stage) cut(master *servers.Server) (thaw func()) {
	s.tb.Helper()
	replicas := s.replicas(master)
	require.NotEmpty(s.tb, replicas)
	for _, r := range replicas {
		require.NoError(s.tb, r.Pause())
	}
	require.EqualValues(s.tb, len(replicas), s.ask(master, "CLIENT", "KILL", "TYPE", "replica"))
	return func() {
		for _, r := range replicas {
			require.NoError(s.tb, r.Continue())
		}
	}
}

// failover kills a master, and returns when it was replaced, and how long that
// took. With cut links its replicas miss what it confirmed in the last moments.
func (s *stage) failover(cut bool) time.Duration {
	s.tb.Helper()
	old := s.victim()
	thaw := func() {}
	if cut {
		thaw = s.cut(old)
		s.wait(150*time.Millisecond, 350*time.Millisecond)
	}
	began := time.Now()
	require.NoError(s.tb, old.Kill())
	thaw()
	s.replaced(old)
	return time.Since(began)
}

// trial is how failovers are made.
type trial struct {
	wait int  // wait_replicas
	cut  bool // the links of the replicas are cut before each kill
	n    int
}

// verdict is what became of them.
type verdict struct {
	losses
	answers
	gaps    []time.Duration
	servers []time.Duration // how long they were without a master
}

// try makes failovers under the load of writers on four Managers, which remember
// nothing that they ended. Each time the old master comes back while they work.
func (s *stage) try(tr trial) (v verdict) {
	s.tb.Helper()
	var ms []*session.Manager
	for range 4 {
		ms = append(ms, s.manager(map[string]any{"wait_replicas": tr.wait}, &forgetful))
	}
	judge := s.manager(nil, &forgetful)
	for i := range tr.n {
		w := newWork(s.tb, ms, s.rng)
		w.begin()
		s.wait(300*time.Millisecond, 800*time.Millisecond)
		alone := s.failover(tr.cut)
		s.wait(200*time.Millisecond, 500*time.Millisecond)
		s.heal()
		s.wait(200*time.Millisecond, 500*time.Millisecond)
		gap := w.stop()
		l, a := w.judge(s.tb, judge), w.answers()
		s.tb.Logf("failover %d: %.2f s without a success, %.2f s without a master; %v; lost: %v%s", i+1, gap.Seconds(), alone.Seconds(), a, l, example(a))
		v.losses.add(l)
		v.answers.add(a)
		v.gaps, v.servers = append(v.gaps, gap), append(v.servers, alone)
	}
	return v
}

func example(a answers) string {
	if a.example == nil {
		return ""
	}
	return fmt.Sprintf("; an error: %v", a.example)
}
