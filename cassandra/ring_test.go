package cassandra_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/internal/servers"
	"github.com/websession/websession/internal/testenv"
	"github.com/websession/websession/internal/workload"
	"github.com/websession/websession/session"
	"github.com/websession/websession/session/driver"
)

// onRing answers the properties of a store with three copies on three nodes.
func onRing(r *servers.CassandraRing) map[string]any {
	return map[string]any{"hosts": r.Addrs(), "keyspace": "websession", "create_keyspace": servers.CassandraDatacenter + ":3"}
}

// A node is killed and brought back, one after the other, under eight writers: no
// request fails, if it is tried again for two seconds, nothing that was confirmed
// is lost, and nothing that was ended is back. On a machine that is busy with other
// things a request has more time, unless the proof is run in full.
func TestNodesThatAreKilled(t *testing.T) {
	r := testenv.NewCassandraRing(t, nil)
	together( // which makes keyspace and tables, through all nodes at once
		func() { open(t, onRing(r)).Close() },
		func() { open(t, onRing(r)).Close() },
		func() { open(t, onRing(r)).Close() },
		func() { open(t, onRing(r)).Close() },
	)
	info, err := open(t, onRing(r)).(driver.Pinger).Ping(ctx)
	require.NoError(t, err)
	require.Equal(t, "dc1: 3", info.Facts["nodes"])
	require.Contains(t, info.Guarantee, "Every write that was answered is on 2 of 3 copies: a kill of one node that has a copy stops nothing.")
	require.Empty(t, info.Warnings)

	rng := workload.Seeded(t)
	w := &work{budget: 20 * time.Second, stopped: make(chan struct{})}
	if workload.Full {
		w.budget = 2 * time.Second
	}
	ms := []*session.Manager{workload.Manager(t, class, onRing(r), &forgetful), workload.Manager(t, class, onRing(r), &forgetful)}
	for range 4 {
		w.counters = append(w.counters, workload.NewSession(t, ms[0]))
	}
	for i := range writers {
		w.writers = append(w.writers, &writer{
			w: w, m: ms[i%len(ms)], rng: rand.New(rand.NewPCG(rng.Uint64(), 0)),
			acked: make([]int64, len(w.counters)), unknown: make([]int64, len(w.counters)), alive: make(map[session.ID]string),
		})
	}
	w.begin()
	kills := workload.Scaled(5)
	begin := time.Now()
	for i := range kills {
		until(t, "some work before the kill", w.progress(200))
		require.NoError(t, r.Nodes[i%len(r.Nodes)].Kill())
		until(t, "some work without the node", w.progress(200))
		require.NoError(t, r.Heal(ctx))
		until(t, "some work with the node", w.progress(200))
	}
	took := time.Since(begin)
	w.stop()
	for _, one := range w.writers {
		require.NoError(t, errors.Join(one.failed...))
	}
	requests, tried, slowest := w.total()
	w.check(t, workload.Manager(t, class, onRing(r), &forgetful))
	t.Logf("figure: one node of three killed %d times under %d writers in %.0f s: failed requests after a retry budget of %v: %s; %d were tried again; the slowest took %.2f s",
		kills, writers, took.Seconds(), w.budget, workload.Zero(requests), tried, slowest.Seconds())
}

const writers = 8

// work is what writers do until they are stopped, and what they were answered.
type work struct {
	counters []session.ID
	writers  []*writer
	budget   time.Duration
	stopped  chan struct{}
	running  sync.WaitGroup

	mu      sync.Mutex
	done    int
	again   int
	slowest time.Duration
}

// writer is one of them. What it was answered with nil is confirmed.
type writer struct {
	w   *work
	m   *session.Manager
	rng *rand.Rand

	acked, unknown []int64 // by counter
	alive          map[session.ID]string
	line, ended    []session.ID
	failed         []error
}

func (w *work) begin() {
	for _, one := range w.writers {
		w.running.Go(func() {
			for {
				select {
				case <-w.stopped:
					return
				default:
					one.act()
				}
			}
		})
	}
}

func (w *work) stop() {
	close(w.stopped)
	w.running.Wait()
}

// progress answers what says whether so many requests more are done.
func (w *work) progress(n int) func() bool {
	done, _, _ := w.total()
	return func() bool {
		now, _, _ := w.total()
		return now >= done+n
	}
}

func (w *work) total() (done, again int, slowest time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.done, w.again, w.slowest
}

// request tries something until it succeeds or its budget is used up.
func (w *writer) request(what string, do func(ctx context.Context) error) bool {
	begin, again := time.Now(), 0
	for {
		ctx, cancel := context.WithTimeout(ctx, min(w.w.budget/4, time.Until(begin.Add(w.w.budget))))
		err := do(ctx)
		cancel()
		took := time.Since(begin)
		if err == nil || took > w.w.budget {
			w.w.mu.Lock()
			w.w.done++
			w.w.again += min(again, 1)
			w.w.slowest = max(w.w.slowest, took)
			w.w.mu.Unlock()
			if err != nil {
				w.failed = append(w.failed, fmt.Errorf("%s, after %v and %d more tries: %w", what, took, again, err))
			}
			return err == nil
		}
		again++
		time.Sleep(10 * time.Millisecond)
	}
}

func (w *writer) act() {
	switch n := w.rng.IntN(10); {
	case n < 5:
		w.increment()
	case n < 8 || len(w.line) == 0:
		w.create()
	default:
		w.destroy()
	}
}

func (w *writer) increment() {
	i := w.rng.IntN(len(w.w.counters))
	ok := w.request("increment", func(ctx context.Context) error {
		err := w.m.Update(ctx, w.w.counters[i], func(s *session.Session) error { return workload.Count.Set(s, workload.Count.GetOr(s, 0)+1) })
		if errors.Is(err, session.ErrUnknownOutcome) {
			w.unknown[i]++
		}
		return err
	})
	if ok {
		w.acked[i]++
	}
}

func (w *writer) create() {
	text := fmt.Sprintf("%x", w.rng.Uint64())
	var id session.ID
	if w.request("create", func(ctx context.Context) error {
		s := w.m.NewSession()
		id = s.ID()
		return errors.Join(workload.Left.Set(s, text), s.Save(ctx))
	}) {
		w.alive[id] = text
		w.line = append(w.line, id)
	}
}

// destroy looks at the writer's oldest session, and ends it.
func (w *writer) destroy() {
	id := w.line[0]
	w.line = w.line[1:]
	if !w.request("load", func(ctx context.Context) error {
		s, err := w.m.Load(ctx, id)
		if err != nil {
			return err
		}
		if got := workload.Left.GetOr(s, ""); got != w.alive[id] {
			return fmt.Errorf("the session has %q instead of %q", got, w.alive[id])
		}
		return nil
	}) {
		return
	}
	if w.request("destroy", func(ctx context.Context) error { return w.m.Destroy(ctx, id) }) {
		delete(w.alive, id)
		w.ended = append(w.ended, id)
	}
}

// check looks whether everything is there that was confirmed, and nothing else.
func (w *work) check(t *testing.T, m *session.Manager) {
	t.Helper()
	kept, ended := 0, 0
	for _, one := range w.writers {
		for id, text := range one.alive {
			require.Equal(t, text, workload.Left.GetOr(workload.Load(t, m, id), ""))
			kept++
		}
		for _, id := range one.ended {
			_, err := m.Load(ctx, id)
			require.ErrorIs(t, err, session.ErrNotFound)
			ended++
		}
	}
	var all, doubtful int64
	for i, id := range w.counters {
		var acked, unknown int64
		for _, one := range w.writers {
			acked, unknown = acked+one.acked[i], unknown+one.unknown[i]
		}
		got, err := workload.Count.Get(workload.Load(t, m, id))
		require.NoError(t, err)
		require.GreaterOrEqual(t, got, acked)
		require.LessOrEqual(t, got, acked+unknown)
		all, doubtful = all+acked, doubtful+unknown
	}
	t.Logf("figure: nodes killed: sessions that were stored and lost: %s; ended and back: %s; increments lost: %s; increments whose outcome is unknown: %d",
		workload.Zero(kept), workload.Zero(ended), workload.Zero(int(all)), doubtful)
}
