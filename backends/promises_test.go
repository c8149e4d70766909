package backends_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/session"
	"github.com/websession/websession/session/driver"

	_ "github.com/websession/websession/backends"
)

// full says whether the promises are counted in full, as make prove does, or a
// twentieth of it.
var full = os.Getenv("WEBSESSION_FULL") == "1"

// place is a class and where its sessions lie, with the counts of its proofs.
type place struct {
	class      string
	props      func(t *testing.T) map[string]any
	pairs      int // overlapping saves; saves against a logout
	increments int
}

var places = []place{
	{"Memory", func(t *testing.T) map[string]any { return map[string]any{"name": t.Name()} }, 1000, 1_000_000},
	{"File", func(t *testing.T) map[string]any { return map[string]any{"Directory": t.TempDir()} }, 1000, 20_000},
	{"SQLite", func(t *testing.T) map[string]any {
		return map[string]any{"file": filepath.Join(t.TempDir(), "sessions.db")}
	}, 1000, 20_000},
}

func scaled(n int) int {
	if full {
		return n
	}
	return max(n/20, 50)
}

// zero is how a count of nothing is printed: with its bound.
func zero(n int) string {
	return fmt.Sprintf("0 of %d (95 %% bound: below %.2g %%)", n, 300/float64(n))
}

var (
	count = session.NewKey[int64]("count")
	left  = session.NewKey[string]("left")
	right = session.NewKey[string]("right")
)

// managers answers n Managers on one place, each with a handle of its own.
func (p place) managers(t *testing.T, n int) []*session.Manager {
	props := p.props(t)
	ms := make([]*session.Manager, n)
	for i := range ms {
		m, err := session.Open(t.Context(), p.class, props, nil)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, m.Close()) })
		ms[i] = m
	}
	return ms
}

func newSession(t *testing.T, m *session.Manager) session.ID {
	s := m.NewSession()
	require.NoError(t, count.Set(s, 0))
	require.NoError(t, s.Save(t.Context()))
	return s.ID()
}

func load(t *testing.T, m *session.Manager, id session.ID) *session.Session {
	s, err := m.Load(t.Context(), id)
	require.NoError(t, err)
	return s
}

func forEachPlace(t *testing.T, fn func(t *testing.T, p place)) {
	for _, p := range places {
		t.Run(p.class, func(t *testing.T) { fn(t, p) })
	}
}

// Two overlapping requests of one session, on two servers, that each set an
// attribute: both survive.
func TestOverlappingSavesLoseNothing(t *testing.T) {
	forEachPlace(t, func(t *testing.T, p place) {
		ms := p.managers(t, 2)
		n := scaled(p.pairs)
		for range n {
			id := newSession(t, ms[0])
			a, b := load(t, ms[0], id), load(t, ms[1], id)
			require.NoError(t, left.Set(a, "l"))
			require.NoError(t, right.Set(b, "r"))
			together(func() { require.NoError(t, a.Save(t.Context())) }, func() { require.NoError(t, b.Save(t.Context())) })
			require.Equal(t, []string{"count", "left", "right"}, load(t, ms[0], id).Names())
		}
		t.Logf("figure: %s: lost updates of two overlapping requests over two Managers: %s", p.class, zero(n))
	})
}

// A request that saves while another ends the session: it stays dead.
func TestLogoutDuringSlowSaveStaysALogout(t *testing.T) {
	forEachPlace(t, func(t *testing.T, p place) {
		ms := p.managers(t, 2)
		n := scaled(p.pairs)
		for range n {
			id := newSession(t, ms[0])
			slow := load(t, ms[0], id)
			require.NoError(t, left.Set(slow, "l"))
			together(func() {
				if err := slow.Save(t.Context()); err != nil {
					require.ErrorIs(t, err, session.ErrNotFound)
				}
			}, func() { require.NoError(t, ms[1].Destroy(t.Context(), id)) })
			for _, m := range ms {
				_, err := m.Load(t.Context(), id)
				require.ErrorIs(t, err, session.ErrNotFound)
			}
		}
		t.Logf("figure: %s: destroyed sessions that a slow save brought back: %s", p.class, zero(n))
	})
}

// together runs both at once and waits for them.
func together(a, b func()) {
	var wg sync.WaitGroup
	start := make(chan struct{})
	wg.Go(func() { <-start; a() })
	wg.Go(func() { <-start; b() })
	close(start)
	wg.Wait()
}

// increments calls Update n times from 64 goroutines, and answers how many were
// acknowledged, and how many have an unknown outcome.
func increments(t *testing.T, ms []*session.Manager, id session.ID, n int) (acked, unknown int64) {
	var todo, ack, unk atomic.Int64
	todo.Store(int64(n))
	var wg sync.WaitGroup
	for g := range 64 {
		m := ms[g%len(ms)]
		wg.Go(func() {
			for todo.Add(-1) >= 0 {
				err := m.Update(t.Context(), id, func(s *session.Session) error { return count.Set(s, count.GetOr(s, 0)+1) })
				switch {
				case err == nil:
					ack.Add(1)
				case errors.Is(err, session.ErrUnknownOutcome):
					unk.Add(1)
				case errors.Is(err, errDropped): // a load: nothing was changed
				default:
					t.Errorf("Update: %v", err)
				}
			}
		})
	}
	wg.Wait()
	return ack.Load(), unk.Load()
}

func TestUpdateLosesNothing(t *testing.T) {
	forEachPlace(t, func(t *testing.T, p place) {
		ms := p.managers(t, 4)
		id := newSession(t, ms[0])
		n := scaled(p.increments)
		acked, unknown := increments(t, ms, id, n)
		require.EqualValues(t, n, acked)
		require.Zero(t, unknown)
		require.EqualValues(t, n, count.GetOr(load(t, ms[0], id), 0))
		t.Logf("figure: %s: %d increments by 64 goroutines on 4 handles: the sum is exact", p.class, n)
	})
}

var errDropped = errors.New("connection was cut")

// dropping is a store that loses one request in a hundred before it is
// executed, and one answer in a hundred after.
type dropping struct {
	driver.Store
	dropped *atomic.Int64
	mu      *sync.Mutex
	rng     *rand.Rand
}

func (d dropping) call(execute func() error) error {
	d.mu.Lock()
	n := d.rng.IntN(100)
	d.mu.Unlock()
	if n == 0 {
		d.dropped.Add(1)
		return errDropped
	}
	err := execute()
	if n == 1 {
		d.dropped.Add(1)
		return errDropped
	}
	return err
}

func (d dropping) Load(ctx context.Context, key string) (rec driver.Record, v driver.Version, err error) {
	err = d.call(func() (err error) { rec, v, err = d.Store.Load(ctx, key); return err })
	return rec, v, err
}

func (d dropping) Replace(ctx context.Context, rec driver.Record, old driver.Version) (v driver.Version, err error) {
	err = d.call(func() (err error) { v, err = d.Store.Replace(ctx, rec, old); return err })
	return v, err
}

// store opens the store of a place without a Manager.
func (p place) store(t *testing.T, props map[string]any) driver.Store {
	for _, d := range driver.Registered() {
		if d.Class().Name == p.class {
			c, err := d.Configure(driver.NewDecoder(p.class, props))
			require.NoError(t, err)
			s, err := c.Open(t.Context(), driver.OpenOptions{Indexed: []string{"user"}})
			require.NoError(t, err)
			return s
		}
	}
	require.Fail(t, "class is not registered")
	return nil
}

func TestUpdateThroughAConnectionThatDrops(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	forEachPlace(t, func(t *testing.T, p place) {
		props := p.props(t)
		var dropped atomic.Int64
		var mu sync.Mutex
		rng := rand.New(rand.NewPCG(seed, 0))
		var ms []*session.Manager
		for range 4 {
			m, err := session.New(dropping{p.store(t, props), &dropped, &mu, rng}, nil)
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, m.Close()) })
			ms = append(ms, m)
		}
		sound, err := session.New(p.store(t, props), nil)
		require.NoError(t, err)
		defer sound.Close()
		id := newSession(t, sound)
		n := scaled(p.increments)
		began := time.Now()
		acked, unknown := increments(t, ms, id, n)
		sum := count.GetOr(load(t, sound, id), 0)
		require.LessOrEqual(t, acked, sum)
		require.LessOrEqual(t, sum, acked+unknown)
		require.LessOrEqual(t, unknown, dropped.Load()/1000, "of %d dropped", dropped.Load())
		t.Logf("figure: %s: %d increments while %d requests and answers were dropped: %d acknowledged, %d unknown, sum %d (%.0f s)",
			p.class, n, dropped.Load(), acked, unknown, sum, time.Since(began).Seconds())
	})
}
