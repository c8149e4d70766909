package redis_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/internal/servers"
	"github.com/websession/websession/session"
)

// As TestReplicasHaveWhatWasConfirmed, with a master of a Cluster, drawn by lot,
// whose replica's link is cut before each kill. It shows of the index, too, that
// lies on other masters, that nothing which was confirmed is lost.
func TestClusterReplicasHaveWhatWasConfirmed(t *testing.T) {
	s, _ := clusterStage(t)
	confirmed(t, s, 10)
}

// 1,000 slots move from one master to another, key by key, while 16 writers work
// with wait_replicas, most of all on sessions in these slots: no call fails, none
// meets wrong data, and nothing that was confirmed is lost.
func TestReshardingUnderLoad(t *testing.T) {
	s, set := clusterStage(t)
	var ms []*session.Manager
	for range 4 {
		ms = append(ms, s.manager(map[string]any{"wait_replicas": 1}, &forgetful))
	}
	judge := s.manager(nil, &forgetful)
	masters, err := set.Masters(ctx)
	require.NoError(t, err)
	w := newWork(t, ms, s.rng)
	// Move the slots of these sessions first, then others.
	sessions := make(map[string][]session.ID) // by slot
	idle := make(map[session.ID]string)
	n := scaled(1000)
	own := slotsOf(t, s.ask(masters[0], "CLUSTER", "NODES").(string), s.ask(masters[0], "CLUSTER", "MYID").(string))
	for i := 0; len(sessions) < n*3/4; i++ {
		one := judge.NewSession()
		require.NoError(t, left.Set(one, fmt.Sprint("session ", i)))
		require.NoError(t, one.Save(ctx))
		number := fmt.Sprint(s.ask(masters[0], "CLUSTER", "KEYSLOT", "t:"+string(one.Handle())))
		if !slices.Contains(own, number) {
			idle[one.ID()] = fmt.Sprint("session ", i)
			continue
		}
		sessions[number] = append(sessions[number], one.ID())
		switch {
		case len(w.counters) < n/4:
			w.counters = append(w.counters, one.ID())
		case i%2 == 0:
			w.writers[i%writerCount].has(one.ID(), fmt.Sprint("session ", i))
		default:
			idle[one.ID()] = fmt.Sprint("session ", i)
		}
	}
	slots := slices.Sorted(maps.Keys(sessions))
	for _, number := range own {
		if len(slots) < n && sessions[number] == nil {
			slots = append(slots, number)
		}
	}
	w.begin()
	began := time.Now()
	moved := s.reshard(masters, masters[0], masters[1], slots)
	took := time.Since(began)
	gap := w.stop()
	l, a := w.judge(t, judge), w.answers()
	for id, text := range idle {
		require.Equal(t, text, left.GetOr(load(t, judge, id), ""))
	}
	t.Logf("figure: RedisCluster: %d slots with %d keys moved in %.1f s under 16 writers with wait_replicas=1: %v; lost: %v; of %d idle sessions none (the longest gap %.2f s)%s",
		len(slots), moved, took.Seconds(), a, l, len(idle), gap.Seconds(), example(a))
	require.Zero(t, l.sum(), "%v", l)
	require.Zero(t, a.absent, "a session was not found, such as: %v", a.example)
	require.Zero(t, a.refused, "a call failed, such as: %v", a.example)
	require.Zero(t, a.doubtful)
}

// reshard moves slots of a master to another, as redis-cli does but slower, and
// answers how many keys went with them.
func (s *stage) reshard(masters []*servers.Server, from, to *servers.Server, slots []string) (moved int) {
	s.tb.Helper()
	for _, number := range slots {
		m := slot{s, number, from, to}
		m.begin()
		s.wait(time.Millisecond, 20*time.Millisecond)
		moved += m.move()
		s.wait(time.Millisecond, 20*time.Millisecond)
		m.end(masters)
	}
	return moved
}

// slotsOf answers the slots of a node, as CLUSTER NODES shows them.
func slotsOf(tb testing.TB, nodes, id string) (slots []string) {
	tb.Helper()
	for line := range strings.Lines(nodes) {
		fields := strings.Fields(line)
		if fields[0] != id {
			continue
		}
		for _, span := range fields[8:] {
			var first, last int
			if k, _ := fmt.Sscanf(span, "%d-%d", &first, &last); k == 1 {
				last = first
			}
			for slot := first; slot <= last && span[0] != '['; slot++ {
				slots = append(slots, fmt.Sprint(slot))
			}
		}
	}
	return slots
}
