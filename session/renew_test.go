package session_test

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/session"
	"github.com/websession/websession/session/memory"
)

func TestRenewKeepsAllButTheID(t *testing.T) {
	clk := newManual()
	m := newManager(t, memory.New(), &session.Options{Now: clk.Now})
	s := stored(t, m)
	require.NoError(t, s.SetPersistent(true))
	require.NoError(t, s.Save(t.Context()))
	old, created, deadline := s.ID(), s.Created(), s.Deadline()
	clk.advance(session.DefaultIdle / 2)
	require.NoError(t, user.Set(s, "ada"))
	require.NoError(t, s.Renew(t.Context()))
	require.NotEqual(t, old, s.ID())

	_, err := m.Load(t.Context(), old)
	require.ErrorIs(t, err, session.ErrNotFound, "the old id is dead at once")
	got := load(t, m, s.ID())
	require.Equal(t, created, got.Created())
	require.Equal(t, deadline, got.Deadline())
	require.True(t, got.Persistent())
	require.Equal(t, "ada", user.GetOr(got, ""), "changes are stored with the new id")
	require.EqualValues(t, 1, count.GetOr(got, 0))
}

func TestRenewOfUnstoredSession(t *testing.T) {
	store := newScripted()
	m := newManager(t, store, nil)
	s := m.NewSession()
	require.NoError(t, color.Set(s, "red"))
	a := s.ID()
	require.NoError(t, s.Renew(t.Context()))
	b := s.ID()
	require.NoError(t, s.Renew(t.Context()))
	require.NotEqual(t, a, b)
	require.NotEqual(t, b, s.ID())
	require.Empty(t, store.made())
	require.NoError(t, s.Save(t.Context()))
	require.Equal(t, "red", color.GetOr(load(t, m, s.ID()), ""))
}

func TestRenewMergesWhatOthersSaved(t *testing.T) {
	m := newManager(t, memory.New(), nil)
	id := stored(t, m).ID()
	a, b := load(t, m, id), load(t, m, id)
	require.NoError(t, color.Set(b, "red"))
	require.NoError(t, b.Save(t.Context()))
	require.NoError(t, shape.Set(a, "round"))
	require.NoError(t, a.Renew(t.Context()))
	got := load(t, m, a.ID())
	require.Equal(t, []string{"color", "count", "shape"}, got.Names())
	require.NoError(t, color.Set(b, "blue"))
	require.ErrorIs(t, b.Save(t.Context()), session.ErrNotFound, "a save under the old id is refused")
}

func TestOfTwoRenewalsOneWins(t *testing.T) {
	for range 50 {
		store := newScripted()
		m1 := newManager(t, store, nil)
		m2 := newManager(t, nopClose{store.Store}, nil)
		id := stored(t, m1).ID()
		a, b := load(t, m1, id), load(t, m2, id)
		var errA, errB error
		var wg sync.WaitGroup
		wg.Go(func() { errA = a.Renew(t.Context()) })
		wg.Go(func() { errB = b.Renew(t.Context()) })
		wg.Wait()
		require.Equal(t, 1, countRecords(t, store), "%v, %v", errA, errB)
		if errA == nil {
			require.ErrorIs(t, errB, session.ErrNotFound)
			load(t, m1, a.ID())
		} else {
			require.NoError(t, errB)
			require.ErrorIs(t, errA, session.ErrNotFound)
			load(t, m1, b.ID())
		}
	}
}

// A logout that comes between the two calls of a renewal ends the session.
func TestLogoutDuringRenewal(t *testing.T) {
	store := newScripted()
	m := newManager(t, store, nil)
	s := stored(t, m)
	id := s.ID()
	store.on("delete", step{before: func() error { return m.Destroy(t.Context(), id) }})
	require.ErrorIs(t, s.Renew(t.Context()), session.ErrNotFound)
	require.Zero(t, countRecords(t, store))
}

func TestSealedSession(t *testing.T) {
	store := newScripted()
	m := newManager(t, store, nil)
	fresh := m.NewSession()
	fresh.Seal()
	require.ErrorIs(t, color.Set(fresh, "red"), session.ErrHeadersSent)
	require.NoError(t, fresh.Save(t.Context()))

	s := stored(t, m)
	s.Seal()
	store.reset()
	require.ErrorIs(t, s.Renew(t.Context()), session.ErrHeadersSent)
	require.Empty(t, store.made())
	require.NoError(t, color.Set(s, "red"))
	require.NoError(t, s.Save(t.Context()))
	require.NoError(t, s.Destroy(t.Context()))
	require.ErrorIs(t, color.Set(s, "red"), session.ErrHeadersSent, "there is no way to tell the client the new id")
}

func TestFinishedSession(t *testing.T) {
	m := newManager(t, memory.New(), nil)
	s := stored(t, m)
	s.Finish()
	_, err := count.Get(s)
	require.ErrorIs(t, err, session.ErrFinished)
	require.ErrorIs(t, count.Set(s, 2), session.ErrFinished)
	require.ErrorIs(t, s.Clear(), session.ErrFinished)
	require.ErrorIs(t, s.Save(t.Context()), session.ErrFinished)
	require.ErrorIs(t, s.Renew(t.Context()), session.ErrFinished)
	require.ErrorIs(t, s.Destroy(t.Context()), session.ErrFinished)
	require.ErrorIs(t, s.Reload(t.Context()), session.ErrFinished)
	require.Empty(t, s.Names())
}

// The goroutines of a request may share its Session.
func TestChangesDuringSave(t *testing.T) {
	store := newScripted()
	m := newManager(t, store, nil)
	s := m.NewSession()
	require.NoError(t, color.Set(s, "red"))
	require.NoError(t, shape.Set(s, "round"))
	store.on("create", step{before: func() error {
		require.NoError(t, color.Set(s, "blue"))
		return shape.Delete(s)
	}})
	require.NoError(t, s.Save(t.Context()))
	require.Equal(t, []string{"color", "shape"}, load(t, m, s.ID()).Names(), "the first save stored what was there when it began")
	require.True(t, s.Changed())
	require.Equal(t, []string{"color"}, s.Names())
	store.on("replace", step{before: func() error { return s.Clear() }})
	require.NoError(t, s.Save(t.Context()))
	require.Equal(t, "blue", color.GetOr(load(t, m, s.ID()), ""))
	require.NoError(t, s.Save(t.Context()))
	require.Empty(t, load(t, m, s.ID()).Names())
	require.False(t, s.Changed())
}

func TestDestroyBeginsANewSession(t *testing.T) {
	store := newScripted()
	m := newManager(t, store, nil)
	s := stored(t, m)
	old := s.ID()
	require.NoError(t, s.Destroy(t.Context()))
	require.False(t, s.Stored())
	require.Empty(t, s.Names())
	require.NoError(t, color.Set(s, "red"))
	require.NoError(t, s.Save(t.Context()))
	require.NotEqual(t, old, s.ID())
	require.Equal(t, []string{"color"}, load(t, m, s.ID()).Names())

	store.reset()
	require.NoError(t, m.NewSession().Destroy(t.Context()))
	require.Empty(t, store.made(), "a session that was never stored costs nothing")
}
