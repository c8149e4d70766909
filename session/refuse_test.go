package session_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/session"
	"github.com/websession/websession/session/driver"
	"github.com/websession/websession/session/memory"
)

// forgetful is a store whose server may be replaced by one that has not heard
// of the last deletes.
type forgetful struct {
	driver.Store

	mu    sync.Mutex
	saved []driver.Record
	err   error // of Delete
}

func (s *forgetful) Delete(ctx context.Context, rec driver.Record, old driver.Version) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	if was, _, err := s.Load(ctx, rec.Key); err == nil {
		s.saved = append(s.saved, was)
	}
	return s.Store.Delete(ctx, rec, old)
}

// fail makes every Delete fail, or none.
func (s *forgetful) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

// failover brings back what was deleted, and answers how much that is.
func (s *forgetful) failover(t *testing.T) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, rec := range s.saved {
		_, err := s.Create(t.Context(), rec)
		require.NoError(t, err)
	}
	return len(s.saved)
}

func (s *forgetful) has(t *testing.T) (n int) {
	for _, err := range s.Store.(driver.Scanner).Scan(t.Context()) {
		require.NoError(t, err)
		n++
	}
	return n
}

func (s *forgetful) Scan(ctx context.Context) iter.Seq2[driver.Record, error] {
	return s.Store.(driver.Scanner).Scan(ctx)
}

func savedSession(t *testing.T, m *session.Manager) *session.Session {
	s := m.NewSession()
	require.NoError(t, count.Set(s, 1))
	require.NoError(t, session.NewKey[string]("user").Set(s, "ann"))
	require.NoError(t, s.Save(t.Context()))
	return s
}

// A logout stays a logout for the Manager that did it, and for all others once
// it has heard that the server was replaced.
func TestEndedStaysEndedAfterFailover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var changed []session.Event
		store := &forgetful{Store: memory.New()}
		m := newManager(t, store, &session.Options{Observe: func(_ context.Context, e session.Event) {
			mu.Lock()
			defer mu.Unlock()
			if e.Kind == session.EventPrimaryChanged {
				changed = append(changed, e)
			}
		}})
		other := newManager(t, store, &session.Options{RefuseEnded: session.NoLimit})

		out := savedSession(t, m)
		slow, err := m.Load(t.Context(), out.ID())
		require.NoError(t, err)
		id := out.ID()
		require.NoError(t, m.Destroy(t.Context(), id))
		renewed := savedSession(t, m)
		before := renewed.ID()
		require.NoError(t, renewed.Renew(t.Context()))

		require.Equal(t, 2, store.failover(t))
		for _, ended := range []session.ID{id, before} {
			_, err = m.Load(t.Context(), ended)
			require.ErrorIs(t, err, session.ErrNotFound)
			require.ErrorIs(t, m.Update(t.Context(), ended, increment), session.ErrNotFound)
			_, err = other.Load(t.Context(), ended)
			require.NoError(t, err, "this test must bring it back")
		}
		require.NoError(t, increment(slow))
		require.ErrorIs(t, slow.Save(t.Context()), session.ErrNotFound)
		for s, err := range m.Find(t.Context(), "user", "ann") {
			require.NoError(t, err)
			require.Equal(t, renewed.Handle(), s.Handle())
		}

		store.fail(errors.New("connection refused"))
		m.PrimaryChanged()
		time.Sleep(time.Second)
		require.Equal(t, 3, store.has(t))
		store.fail(nil)
		time.Sleep(time.Second)
		require.Equal(t, 1, store.has(t), "it went on until the server answered")
		mu.Lock()
		defer mu.Unlock()
		require.Len(t, changed, 1)
		require.Equal(t, 2, changed[0].Count)
		for _, ended := range []session.ID{id, before} {
			_, err = other.Load(t.Context(), ended)
			require.ErrorIs(t, err, session.ErrNotFound)
		}
		_, err = m.Load(t.Context(), renewed.ID())
		require.NoError(t, err)
	})
}

func TestRefusesForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &forgetful{Store: memory.New()}
		m := newManager(t, store, &session.Options{RefuseEnded: time.Minute, Idle: session.NoLimit})
		id := savedSession(t, m).ID()
		require.NoError(t, m.Destroy(t.Context(), id))
		store.failover(t)
		time.Sleep(time.Minute - time.Millisecond)
		_, err := m.Load(t.Context(), id)
		require.ErrorIs(t, err, session.ErrNotFound)
		time.Sleep(time.Millisecond)
		_, err = m.Load(t.Context(), id)
		require.NoError(t, err, "nothing is remembered for ever")
	})
}

// What a Manager remembers is bounded, and the oldest goes first.
func TestRefusesSoMany(t *testing.T) {
	const most = 100_000
	store := &forgetful{Store: memory.New()}
	m := newManager(t, store, nil)
	first, second := savedSession(t, m).ID(), savedSession(t, m).ID()
	require.NoError(t, m.Destroy(t.Context(), first))
	require.NoError(t, m.Destroy(t.Context(), second))
	store.failover(t)
	for i := range most - 1 {
		if err := m.Destroy(t.Context(), session.ID(fmt.Sprintf("%043d", i))); err != nil {
			t.Fatal(err)
		}
	}
	_, err := m.Load(t.Context(), second)
	require.ErrorIs(t, err, session.ErrNotFound)
	_, err = m.Load(t.Context(), first)
	require.NoError(t, err)
}

// A store that is opened by class name tells the Manager by itself.
func TestPrimaryChangedThroughOpen(t *testing.T) {
	store := &forgetful{Store: memory.New()}
	d := &failingOver{store: store}
	r := session.NewRegistry(d)
	done := make(chan session.Event, 1)
	m, err := r.Open(t.Context(), "FailingOver", nil, &session.Options{Observe: func(_ context.Context, e session.Event) {
		if e.Kind == session.EventPrimaryChanged {
			done <- e
		}
	}})
	require.NoError(t, err)
	defer m.Close()
	require.NoError(t, m.Destroy(t.Context(), savedSession(t, m).ID()))
	store.failover(t)
	d.changed()
	require.Equal(t, 1, (<-done).Count)
	require.Zero(t, store.has(t))
}

type failingOver struct {
	store   driver.Store
	changed func()
}

func (d *failingOver) Class() driver.Class { return driver.Class{Name: "FailingOver"} }

func (d *failingOver) Configure(*driver.Decoder) (driver.Connector, error) { return d, nil }

func (d *failingOver) Open(_ context.Context, o driver.OpenOptions) (driver.Store, error) {
	d.changed = o.PrimaryChanged
	d.changed() // while nobody can be told: it is no fault
	return d.store, nil
}
