package cassandra_test

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/internal/testenv"
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
func manager(tb testing.TB, props map[string]any, o *session.Options) *session.Manager {
	tb.Helper()
	m, err := session.Open(ctx, "Cassandra", props, o)
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

// together runs all at once and waits for them.
func together(do ...func()) {
	var all sync.WaitGroup
	start := make(chan struct{})
	for _, f := range do {
		all.Go(func() { <-start; f() })
	}
	close(start)
	all.Wait()
}

// inLanes does something n times, eight at a time: a transaction mostly waits.
func inLanes(t *testing.T, n int, do func(i int)) {
	t.Helper()
	var next atomic.Int64
	lane := func() {
		for !t.Failed() {
			i := int(next.Add(1)) - 1
			if i >= n {
				return
			}
			do(i)
		}
	}
	together(lane, lane, lane, lane, lane, lane, lane, lane)
}

// Two overlapping requests of one session, on two Managers with a handle each,
// that each set another attribute: both survive.
func TestOverlappingSavesLoseNothing(t *testing.T) {
	p := testenv.Cassandra(t)
	a, b := manager(t, p.Properties, nil), manager(t, p.Properties, nil)
	n := scaled(5000)
	inLanes(t, n, func(int) {
		err := func() error {
			s := a.NewSession()
			if err := count.Set(s, 0); err != nil {
				return err
			}
			if err := s.Save(ctx); err != nil {
				return err
			}
			one, err := a.Load(ctx, s.ID())
			if err != nil {
				return err
			}
			other, err := b.Load(ctx, s.ID())
			if err != nil {
				return err
			}
			if err := left.Set(one, "l"); err != nil {
				return err
			}
			if err := right.Set(other, "r"); err != nil {
				return err
			}
			var errOne, errOther error
			together(func() { errOne = one.Save(ctx) }, func() { errOther = other.Save(ctx) })
			if errOne != nil || errOther != nil {
				return fmt.Errorf("saves: %w, %w", errOne, errOther)
			}
			got, err := a.Load(ctx, s.ID())
			if err != nil {
				return err
			}
			if names := fmt.Sprint(got.Names()); names != "[count left right]" {
				return fmt.Errorf("the session has %s", names)
			}
			return a.Destroy(ctx, s.ID())
		}()
		if err != nil {
			t.Error(err)
		}
	})
	if !t.Failed() {
		t.Logf("figure: lost updates of two overlapping requests over two Managers: %s", zero(n))
	}
}

// A request that saves while another Manager ends its session, or after that: the
// session stays dead, for a third Manager as well. None of them remembers what it
// ended, so that it is the store that says so.
func TestSlowSavesBringNothingBack(t *testing.T) {
	p := testenv.Cassandra(t)
	var ms []*session.Manager
	for range 3 {
		ms = append(ms, manager(t, p.Properties, &forgetful))
	}
	n := scaled(5000)
	var told atomic.Int64
	inLanes(t, n, func(i int) {
		s := ms[0].NewSession()
		err := count.Set(s, 0)
		if err == nil {
			err = s.Save(ctx)
		}
		var slow *session.Session
		if err == nil {
			slow, err = ms[0].Load(ctx, s.ID())
		}
		if err == nil {
			err = left.Set(slow, "l")
		}
		if err != nil {
			t.Error(err)
			return
		}
		var saved, ended error
		if i%2 == 0 {
			together(func() { saved = slow.Save(ctx) }, func() { ended = ms[1].Destroy(ctx, s.ID()) })
		} else {
			ended = ms[1].Destroy(ctx, s.ID())
			if saved = slow.Save(ctx); saved == nil {
				t.Error("a save after the end was applied")
			}
		}
		if ended != nil {
			t.Error(ended)
		}
		if saved != nil {
			told.Add(1)
			if !isNotFound(saved) {
				t.Error(saved)
			}
		}
		for _, m := range ms {
			if _, err := m.Load(ctx, s.ID()); !isNotFound(err) {
				t.Errorf("after its end the session is there: %v", err)
			}
		}
	})
	if !t.Failed() {
		t.Logf("figure: destroyed sessions that a slow save brought back: %s; %d savers came too late and were told", zero(n), told.Load())
	}
}

// Increments of one counter over four handles add up.
func TestIncrementsAddUp(t *testing.T) {
	p := testenv.Cassandra(t)
	var ms []*session.Manager
	for range 4 {
		ms = append(ms, manager(t, p.Properties, nil))
	}
	id := newSession(t, ms[0])
	n := scaled(5000)
	each := n / len(ms)
	var work []func()
	for _, m := range ms {
		work = append(work, func() {
			for range each {
				err := m.Update(ctx, id, func(s *session.Session) error { return count.Set(s, count.GetOr(s, 0)+1) })
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	together(work...)
	got, err := count.Get(load(t, ms[1], id))
	require.NoError(t, err)
	require.Equal(t, int64(each*len(ms)), got)
	t.Logf("figure: increments of one counter over four handles: %d of %d arrived", got, each*len(ms))
}
