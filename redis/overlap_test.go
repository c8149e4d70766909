package redis_test

import (
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/session"
)

// full says whether the promises are counted in full, as make prove does, or a
// twentieth of it.
var full = os.Getenv("WEBSESSION_FULL") == "1"

func scaled(n int) int {
	if full {
		return n
	}
	return max(n/20, 1)
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

// forgetful is a Manager that does not refuse the sessions it ended: what is
// proven with it is proven of the store.
var forgetful = session.Options{RefuseEnded: session.NoLimit}

// manager opens a Manager by class name, with a handle of its own. o may be nil.
func manager(tb testing.TB, class string, props map[string]any, o *session.Options) *session.Manager {
	tb.Helper()
	m, err := session.Open(ctx, class, props, o)
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, m.Close()) })
	return m
}

// newSession answers the id of a session that is stored.
func newSession(tb testing.TB, m *session.Manager) session.ID {
	tb.Helper()
	s := m.NewSession()
	require.NoError(tb, count.Set(s, 0))
	require.NoError(tb, s.Save(ctx))
	return s.ID()
}

func load(tb testing.TB, m *session.Manager, id session.ID) *session.Session {
	tb.Helper()
	s, err := m.Load(ctx, id)
	require.NoError(tb, err)
	return s
}

// together runs both at once and waits for them.
func together(a, b func()) {
	var both sync.WaitGroup
	start := make(chan struct{})
	both.Go(func() { <-start; a() })
	both.Go(func() { <-start; b() })
	close(start)
	both.Wait()
}

// Two overlapping requests of one session, on two Managers with a handle each,
// that each set another attribute: both survive. It says nothing about servers
// that die; TestFailovers does.
func TestOverlappingSavesLoseNothing(t *testing.T) {
	for _, c := range classes {
		t.Run(c.driver.Class().Name, func(t *testing.T) {
			p := c.place(t)
			a := manager(t, c.driver.Class().Name, p.Properties, nil)
			b := manager(t, c.driver.Class().Name, p.Properties, nil)
			n := scaled(10_000)
			for range n {
				id := newSession(t, a)
				one, other := load(t, a, id), load(t, b, id)
				require.NoError(t, left.Set(one, "l"))
				require.NoError(t, right.Set(other, "r"))
				var errOne, errOther error
				together(func() { errOne = one.Save(ctx) }, func() { errOther = other.Save(ctx) })
				require.NoError(t, errOne)
				require.NoError(t, errOther)
				require.Equal(t, []string{"count", "left", "right"}, load(t, a, id).Names())
				require.NoError(t, a.Destroy(ctx, id))
			}
			t.Logf("figure: %s: lost updates of two overlapping requests over two Managers: %s", c.driver.Class().Name, zero(n))
		})
	}
}

// A request that saves while another Manager ends its session, or after that: the
// session stays dead, for a third Manager as well. None of them remembers what it
// ended, so that it is the store that says so.
func TestSlowSavesBringNothingBack(t *testing.T) {
	for _, c := range classes {
		t.Run(c.driver.Class().Name, func(t *testing.T) {
			p := c.place(t)
			var ms []*session.Manager
			for range 3 {
				ms = append(ms, manager(t, c.driver.Class().Name, p.Properties, &forgetful))
			}
			n, told := scaled(10_000), 0
			for i := range n {
				id := newSession(t, ms[0])
				slow := load(t, ms[0], id)
				require.NoError(t, left.Set(slow, "l"))
				var saved, ended error
				if i%2 == 0 {
					together(func() { saved = slow.Save(ctx) }, func() { ended = ms[1].Destroy(ctx, id) })
				} else {
					ended = ms[1].Destroy(ctx, id)
					saved = slow.Save(ctx)
					require.Error(t, saved)
				}
				require.NoError(t, ended)
				if saved != nil {
					require.ErrorIs(t, saved, session.ErrNotFound)
					told++
				}
				for _, m := range ms {
					_, err := m.Load(ctx, id)
					require.ErrorIs(t, err, session.ErrNotFound)
				}
			}
			t.Logf("figure: %s: destroyed sessions that a slow save brought back: %s; %d savers came too late and were told",
				c.driver.Class().Name, zero(n), told)
		})
	}
}
