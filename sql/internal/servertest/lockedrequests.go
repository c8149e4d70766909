package servertest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/session"
)

// manager opens a Manager as an application does, and answers what it observes of
// a kind.
func (c Class) manager(tb testing.TB, props map[string]any, kind session.EventKind) (*session.Manager, func() []session.Event) {
	tb.Helper()
	var mu sync.Mutex
	var events []session.Event
	m, err := session.NewRegistry(c.Driver).Open(background, c.Driver.Class().Name, props, &session.Options{Observe: func(_ context.Context, e session.Event) {
		mu.Lock()
		defer mu.Unlock()
		if e.Kind == kind {
			events = append(events, e)
		}
	}})
	check(tb, err)
	tb.Cleanup(func() { check(tb, m.Close()) })
	return m, func() []session.Event {
		mu.Lock()
		defer mu.Unlock()
		return append([]session.Event{}, events...)
	}
}

var (
	colorKey = session.NewKey[string]("color")
	shapeKey = session.NewKey[string]("shape")
)

// LockedRequests tests what requests see of locks. direct leads to the server
// itself, proxied through p.
func (c Class) LockedRequests(t *testing.T, direct, proxied map[string]any, p Dropper) {
	set := func(t *testing.T, s *session.Session, k session.Key[string], v string) {
		t.Helper()
		check(t, k.Set(s, v))
		check(t, s.Save(background))
	}
	visit := func(t *testing.T, m *session.Manager) *session.Session {
		t.Helper()
		s := m.NewSession()
		set(t, s, colorKey, "red")
		return s
	}
	load := func(t *testing.T, m *session.Manager, id session.ID) *session.Session {
		t.Helper()
		s, err := m.Load(background, id)
		check(t, err)
		return s
	}

	// The connection that holds the lock is cut: the next request goes on, both
	// changes stay, and the holder's server is told.
	t.Run("lost", func(t *testing.T) {
		here, told := c.manager(t, With(proxied, "locking", c.Locking), session.EventLockLost)
		there, _ := c.manager(t, With(direct, "locking", c.Locking), session.EventLockLost)
		id := visit(t, there).ID()
		holder := load(t, here, id)
		p.Cut()
		next := load(t, there, id)
		set(t, next, colorKey, "blue")
		next.Finish()
		set(t, holder, shapeKey, "round")
		require.Empty(t, told())
		holder.Finish()
		require.Len(t, told(), 1)
		require.ErrorContains(t, told()[0].Err, "lost")
		require.NotContains(t, told()[0].Err.Error(), id.Reveal())
		s := load(t, there, id)
		require.Equal(t, []string{"blue", "round"}, []string{colorKey.GetOr(s, ""), shapeKey.GetOr(s, "")})
		s.Finish()
	})

	// A request that does not get the lock in time fails, and is not let in; a
	// logout waits for nobody.
	t.Run("bounded", func(t *testing.T) {
		here, _ := c.manager(t, With(direct, "locking", c.Locking), session.EventLockLost)
		there, _ := c.manager(t, With(direct, "locking", c.Locking, "lock_timeout", "0.3"), session.EventLockLost)
		warm := visit(t, there).ID()
		Until(t, func() bool { // so that no time goes into a connection
			s, err := there.Load(background, warm)
			if err == nil {
				s.Finish()
			}
			return err == nil
		})
		id := visit(t, here).ID()
		holder := load(t, here, id)
		Within(t, 5*time.Second, func() {
			_, err := there.Load(background, id)
			require.ErrorContains(t, err, "holds the lock of the session for longer than 300ms")
			require.NotErrorIs(t, err, session.ErrNotFound)
			require.NotContains(t, err.Error(), id.Reveal())
		})
		check(t, there.Destroy(background, id))
		check(t, shapeKey.Set(holder, "round"))
		require.ErrorIs(t, holder.Save(background), session.ErrNotFound)
		holder.Finish()
	})

	// The pool of locks is full: sessions can be made and ended, and not loaded.
	t.Run("no connection is free", func(t *testing.T) {
		m, _ := c.manager(t, With(direct, "locking", c.Locking, "lock_pool_size", 1, "lock_timeout", "2"), session.EventLockLost)
		first, second := visit(t, m).ID(), visit(t, m).ID()
		holder := load(t, m, first)
		_, err := m.Load(background, second)
		require.ErrorContains(t, err, "all 1 connections that may hold locks were in use")
		check(t, m.Destroy(background, second))
		// A request may update its own session on the one connection.
		check(t, m.Update(background, first, func(s *session.Session) error { return colorKey.Set(s, "blue") }))
		holder.Finish()
		s := load(t, m, first)
		require.Equal(t, "blue", colorKey.GetOr(s, ""))
		s.Finish()
	})

	// Requests of several servers, by turns: each counts on what it loaded.
	t.Run("several servers", func(t *testing.T) {
		count := session.NewKey[int64]("count")
		id := func() session.ID {
			m, _ := c.manager(t, direct, session.EventLockLost)
			return visit(t, m).ID()
		}()
		const servers, requests = 3, 20
		errs := make(chan error)
		for range servers {
			m, _ := c.manager(t, With(direct, "locking", c.Locking), session.EventLockLost)
			go func() {
				var all error
				for range requests {
					s, err := m.Load(background, id)
					if err == nil {
						err = errors.Join(count.Set(s, count.GetOr(s, 0)+1), s.Save(background))
						s.Finish()
					}
					all = errors.Join(all, err)
				}
				errs <- all
			}()
		}
		for range servers {
			check(t, <-errs)
		}
		m, _ := c.manager(t, direct, session.EventLockLost)
		require.EqualValues(t, servers*requests, count.GetOr(load(t, m, id), 0))
	})
}
