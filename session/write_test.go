package session_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/session"
	"github.com/websession/websession/session/driver"
	"github.com/websession/websession/session/memory"
)

func TestOverlappingSavesKeepBothAttributes(t *testing.T) {
	m := newManager(t, memory.New(), nil)
	id := stored(t, m).ID()
	a, b := load(t, m, id), load(t, m, id)
	require.NoError(t, color.Set(a, "red"))
	require.NoError(t, shape.Set(b, "round"))
	require.NoError(t, count.Delete(b))
	require.NoError(t, a.Save(t.Context()))
	require.NoError(t, b.Save(t.Context()))

	s := load(t, m, id)
	require.Equal(t, []string{"color", "shape"}, s.Names())
	require.Equal(t, "red", color.GetOr(b, ""), "after Save a session shows what others saved")
}

func TestLaterSaveOfOneAttributeWins(t *testing.T) {
	m := newManager(t, memory.New(), nil)
	id := stored(t, m).ID()
	a, b := load(t, m, id), load(t, m, id)
	require.NoError(t, color.Set(a, "red"))
	require.NoError(t, color.Set(b, "blue"))
	require.NoError(t, b.Save(t.Context()))
	require.NoError(t, a.Save(t.Context()))
	require.Equal(t, "red", color.GetOr(load(t, m, id), ""))
}

func TestClearRemovesWhatOthersSavedBefore(t *testing.T) {
	m := newManager(t, memory.New(), nil)
	id := stored(t, m).ID()
	a, b := load(t, m, id), load(t, m, id)
	require.NoError(t, a.Clear())
	require.NoError(t, shape.Set(a, "round"))
	require.NoError(t, color.Set(b, "red"))
	require.NoError(t, b.Save(t.Context()))
	require.NoError(t, a.Save(t.Context()))
	require.Equal(t, []string{"shape"}, load(t, m, id).Names())
}

func TestDestroyedSessionStaysDead(t *testing.T) {
	store := newScripted()
	m := newManager(t, store, nil)
	id := stored(t, m).ID()
	save, touch, renew := load(t, m, id), load(t, m, id), load(t, m, id)
	require.NoError(t, m.Destroy(t.Context(), id))
	require.NoError(t, m.Destroy(t.Context(), id), "a second time is no error")

	require.NoError(t, color.Set(save, "red"))
	require.ErrorIs(t, save.Save(t.Context()), session.ErrNotFound)
	require.ErrorIs(t, save.Save(t.Context()), session.ErrNotFound, "and stays so")
	require.NoError(t, touch.Save(t.Context()))
	require.ErrorIs(t, renew.Renew(t.Context()), session.ErrNotFound)
	require.ErrorIs(t, m.Update(t.Context(), id, increment), session.ErrNotFound)
	_, err := m.Load(t.Context(), id)
	require.ErrorIs(t, err, session.ErrNotFound)
	require.Zero(t, countRecords(t, store))
}

func countRecords(t *testing.T, s *scripted) int {
	n := 0
	for _, err := range s.Store.(driver.Scanner).Scan(t.Context()) {
		require.NoError(t, err)
		n++
	}
	return n
}

// Every mutation that loses its request or its answer happens exactly once.
func TestLostAnswersAndRequests(t *testing.T) {
	for _, lost := range []struct {
		name string
		step step
	}{{"request", loseRequest}, {"answer", loseAnswer}} {
		t.Run("create/"+lost.name, func(t *testing.T) {
			store := newScripted()
			m := newManager(t, store, nil)
			store.on("create", lost.step)
			s := m.NewSession()
			require.NoError(t, count.Set(s, 1))
			require.NoError(t, s.Save(t.Context()))
			require.EqualValues(t, 1, count.GetOr(load(t, m, s.ID()), 0))
			require.Equal(t, 1, countRecords(t, store), "nothing is left behind")
		})
		t.Run("create with an id that left/"+lost.name, func(t *testing.T) {
			store := newScripted()
			m := newManager(t, store, nil)
			store.on("create", lost.step)
			s := m.NewSession()
			id := s.ID()
			require.NoError(t, count.Set(s, 1))
			err := s.Save(t.Context())
			require.Equal(t, id, s.ID())
			if countRecords(t, store) == 0 { // a second request could outlive a logout
				require.ErrorIs(t, err, session.ErrUnknownOutcome)
				return
			}
			require.NoError(t, err)
			require.EqualValues(t, 1, count.GetOr(load(t, m, id), 0))
		})
		t.Run("update/"+lost.name, func(t *testing.T) {
			store := newScripted()
			m := newManager(t, store, nil)
			id := stored(t, m).ID()
			store.on("replace", lost.step, lost.step, pass)
			store.on("load", pass, loseRequest)
			require.NoError(t, m.Update(t.Context(), id, increment))
			require.EqualValues(t, 2, count.GetOr(load(t, m, id), 0))
		})
		t.Run("renew, create/"+lost.name, func(t *testing.T) {
			store := newScripted()
			m := newManager(t, store, nil)
			s := stored(t, m)
			old := s.ID()
			store.on("create", lost.step)
			require.NoError(t, s.Renew(t.Context()))
			require.NotEqual(t, old, s.ID())
			require.EqualValues(t, 1, count.GetOr(load(t, m, s.ID()), 0))
			require.Equal(t, 1, countRecords(t, store))
		})
		t.Run("destroy/"+lost.name, func(t *testing.T) {
			store := newScripted()
			m := newManager(t, store, nil)
			id := stored(t, m).ID()
			store.on("delete", lost.step, lost.step)
			require.NoError(t, m.Destroy(t.Context(), id))
			require.Zero(t, countRecords(t, store))
		})
	}
	t.Run("renew, delete/request", func(t *testing.T) {
		store := newScripted()
		m := newManager(t, store, nil)
		s := stored(t, m)
		store.on("delete", loseRequest)
		require.NoError(t, s.Renew(t.Context()))
		require.Equal(t, 1, countRecords(t, store))
	})
	t.Run("renew, delete/answer", func(t *testing.T) {
		// It cannot be told from a logout that came first: the session ends.
		store := newScripted()
		m := newManager(t, store, nil)
		s := stored(t, m)
		store.on("delete", loseAnswer)
		err := s.Renew(t.Context())
		require.ErrorIs(t, err, session.ErrNotFound)
		require.ErrorIs(t, err, session.ErrUnknownOutcome)
		require.Zero(t, countRecords(t, store))
	})
}

// A write whose answer was lost, and that others followed, is recognised by its
// tag unless eight other Managers have written since.
func TestLostAnswerAmongOthersWrites(t *testing.T) {
	for _, tc := range []struct {
		managers, writes int
		known            bool
	}{{1, 1, true}, {1, 50, true}, {7, 3, true}, {8, 1, false}, {20, 2, false}} {
		for _, executed := range []bool{true, false} {
			t.Run(fmt.Sprintf("%d Managers, %d writes each, executed %v", tc.managers, tc.writes, executed), func(t *testing.T) {
				store := newScripted()
				m := newManager(t, store, nil)
				id := stored(t, m).ID()
				cut := step{around: func(call func() error) error {
					if executed {
						require.NoError(t, call())
					}
					othersWrite(t, store.Store, id, tc.managers, tc.writes)
					return errCut
				}}
				store.on("replace", cut)
				err := m.Update(t.Context(), id, increment)
				want := 1 + tc.managers*tc.writes
				if tc.known || executed {
					want++
				}
				if tc.known {
					require.NoError(t, err)
				} else {
					require.ErrorIs(t, err, session.ErrUnknownOutcome)
				}
				require.EqualValues(t, want, count.GetOr(load(t, m, id), 0), "nothing is lost, nothing applied twice")
			})
		}
	}
}

// othersWrite increments the counter of a session from other Managers.
func othersWrite(t *testing.T, store driver.Store, id session.ID, managers, writes int) {
	for range managers {
		other := newManager(t, nopClose{store}, nil)
		for range writes {
			require.NoError(t, other.Update(t.Context(), id, increment))
		}
	}
}

type nopClose struct{ driver.Store }

func (nopClose) Close() error { return nil }

func TestPlainChangeSetIsAppliedAgainWhenUnknown(t *testing.T) {
	store := newScripted()
	m := newManager(t, store, nil)
	id := stored(t, m).ID()
	s := load(t, m, id)
	require.NoError(t, color.Set(s, "red"))
	store.on("replace", step{around: func(func() error) error {
		othersWrite(t, store.Store, id, 20, 1)
		return errCut
	}})
	require.NoError(t, s.Save(t.Context()))
	s = load(t, m, id)
	require.Equal(t, "red", color.GetOr(s, ""))
	require.EqualValues(t, 21, count.GetOr(s, 0))
}

func TestAbsentAfterUnknownOutcome(t *testing.T) {
	store := newScripted()
	m := newManager(t, store, nil)
	id := stored(t, m).ID()
	store.on("replace", step{around: func(func() error) error {
		require.NoError(t, m.Destroy(t.Context(), id))
		return errCut
	}})
	err := m.Update(t.Context(), id, increment)
	require.ErrorIs(t, err, session.ErrNotFound)
	require.ErrorIs(t, err, session.ErrUnknownOutcome)
}

// The end of a context while waiting is not a doubt; in mid-call it is one.
func TestContextEnds(t *testing.T) {
	store := newScripted()
	m := newManager(t, store, nil)
	id := stored(t, m).ID()

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := m.Update(ctx, id, increment)
	require.ErrorIs(t, err, context.Canceled)
	require.NotErrorIs(t, err, session.ErrUnknownOutcome)

	inside, release := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		require.NoError(t, m.Update(t.Context(), id, func(s *session.Session) error {
			close(inside)
			<-release
			return increment(s)
		}))
	})
	<-inside
	ctx, cancel = context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	err = m.Update(ctx, id, increment)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NotErrorIs(t, err, session.ErrUnknownOutcome, "it waited in the queue")
	close(release)
	wg.Wait()

	ctx, cancel = context.WithCancel(t.Context())
	store.on("replace", step{around: func(call func() error) error {
		err := call()
		cancel()
		require.NoError(t, err)
		return ctx.Err()
	}})
	err = m.Update(ctx, id, increment)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, err, session.ErrUnknownOutcome)
	require.EqualValues(t, 3, count.GetOr(load(t, m, id), 0))
}

func TestUpdateInsideUpdateIsAnError(t *testing.T) {
	m := newManager(t, memory.New(), nil)
	id, other := stored(t, m).ID(), stored(t, m).ID()
	err := m.Update(t.Context(), id, func(s *session.Session) error {
		require.NoError(t, m.Update(t.Context(), other, increment), "another session is fine")
		require.ErrorIs(t, s.Save(t.Context()), session.ErrNested)
		require.ErrorIs(t, s.Renew(t.Context()), session.ErrNested)
		require.ErrorIs(t, s.Destroy(t.Context()), session.ErrNested)
		return m.Update(t.Context(), id, increment)
	})
	require.ErrorIs(t, err, session.ErrNested)
	require.NoError(t, m.Update(t.Context(), id, increment), "and the queue goes on")
	require.Panics(t, func() {
		_ = m.Update(t.Context(), id, func(*session.Session) error { panic("in the function") })
	})
	require.NoError(t, m.Update(t.Context(), id, increment), "after a panic too")
}

func TestUpdateKeepsOrderWithinAManager(t *testing.T) {
	m := newManager(t, memory.New(), nil)
	id := stored(t, m).ID()
	var order []int
	inside, release := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		require.NoError(t, m.Update(t.Context(), id, func(*session.Session) error {
			close(inside)
			<-release
			return nil
		}))
	})
	<-inside
	for i := range 8 {
		started := session.QueueLength(m, id)
		wg.Go(func() {
			require.NoError(t, m.Update(t.Context(), id, func(s *session.Session) error {
				order = append(order, i)
				return increment(s)
			}))
		})
		require.Eventually(t, func() bool { return session.QueueLength(m, id) == started+1 }, 10*time.Second, time.Millisecond)
	}
	close(release)
	wg.Wait()
	require.Equal(t, []int{0, 1, 2, 3, 4, 5, 6, 7}, order)
}

// Who waited for another writer of this Manager begins with what that stored: one
// call each, however many they are.
func TestWritersPassOnWhatTheyStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newScripted()
		m := newManager(t, store, nil)
		id := stored(t, m).ID()
		const writers = 5
		var sessions [writers]*session.Session
		for w := range sessions {
			sessions[w] = load(t, m, id)
			require.NoError(t, session.NewKey[int64](fmt.Sprint("own", w)).Set(sessions[w], int64(w)))
		}
		store.reset()
		goOn := make(chan bool)
		store.on("replace", step{before: func() error { <-goOn; return nil }})
		var wg sync.WaitGroup
		for _, s := range sessions {
			wg.Go(func() { require.NoError(t, s.Save(t.Context())) })
			synctest.Wait()
		}
		goOn <- true
		wg.Wait()
		require.Equal(t, []string{"replace", "replace", "replace", "replace", "replace"}, store.made())
		require.Len(t, load(t, m, id).Names(), 1+writers)
		for w, s := range sessions {
			require.Len(t, s.Names(), 2+w, "each shows what those before it stored")
		}
	})
}

// What a writer passes on may be old by then, or gone: another server wrote.
func TestWhatIsPassedOnIsNotTrusted(t *testing.T) {
	for _, destroys := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			store := newScripted()
			m, other := newManager(t, store, nil), newManager(t, store, nil)
			id := stored(t, m).ID()
			first, second := load(t, m, id), load(t, m, id)
			require.NoError(t, color.Set(first, "red"))
			require.NoError(t, shape.Set(second, "round"))
			goOn := make(chan bool)
			store.on("replace", step{after: func(err error) error { // applied, and not answered yet
				<-goOn
				return err
			}})
			savedFirst, savedSecond := make(chan error, 1), make(chan error, 1)
			go func() { savedFirst <- first.Save(t.Context()) }()
			synctest.Wait()
			go func() { savedSecond <- second.Save(t.Context()) }()
			synctest.Wait()
			if destroys {
				require.NoError(t, other.Destroy(t.Context(), id))
			} else {
				require.NoError(t, other.Update(t.Context(), id, increment))
			}
			goOn <- true
			require.NoError(t, <-savedFirst)
			if destroys {
				require.ErrorIs(t, <-savedSecond, session.ErrNotFound)
				require.Zero(t, countRecords(t, store))
				return
			}
			require.NoError(t, <-savedSecond)
			s := load(t, m, id)
			require.EqualValues(t, 2, count.GetOr(s, 0))
			require.Equal(t, []string{"color", "count", "shape"}, s.Names())
		})
	}
}
