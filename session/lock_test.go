package session_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/session"
	"github.com/websession/websession/session/driver"
)

// locking is a scripted store that locks. Its calls are "lock" and "unlock".
type locking struct {
	*scripted
	wait time.Duration // how long Lock waits
	lies bool          // Lock keeps nobody away
	lost error         // what unlock answers

	guard sync.Mutex
	turns map[string]chan struct{}
}

func newLocking() *locking {
	return &locking{scripted: newScripted(), wait: 10 * time.Second, turns: make(map[string]chan struct{})}
}

var errLockWait = errors.New("somebody else holds the lock")

// turn answers a channel that holds a value while somebody has the lock.
func (l *locking) turn(key string) chan struct{} {
	l.guard.Lock()
	defer l.guard.Unlock()
	if l.turns[key] == nil {
		l.turns[key] = make(chan struct{}, 1)
	}
	return l.turns[key]
}

// held answers how many locks are held.
func (l *locking) held() (n int) {
	l.guard.Lock()
	defer l.guard.Unlock()
	for _, turn := range l.turns {
		n += len(turn)
	}
	return n
}

func (l *locking) Lock(ctx context.Context, key string) (unlock func() error, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	turn := l.turn(key)
	if l.lies {
		turn = make(chan struct{}, 1)
	}
	err = l.run("lock", func() error {
		t := time.NewTimer(l.wait)
		defer t.Stop()
		select {
		case turn <- struct{}{}:
			return nil
		case <-t.C:
			return errLockWait
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	if err != nil {
		return nil, err
	}
	return func() error {
		return l.run("unlock", func() error {
			select {
			case <-turn:
				return l.lost
			default:
				panic("a lock was given back twice")
			}
		})
	}, nil
}

// Every path of a request takes the lock before it loads, and gives it back once.
func TestLockOfARequest(t *testing.T) {
	panics := step{before: func() error { panic("the store") }}
	save := func(t *testing.T, s *session.Session) {
		require.NoError(t, increment(s))
		require.NoError(t, s.Save(t.Context()))
	}
	for _, c := range []struct {
		name string
		do   func(t *testing.T, m *session.Manager, store *locking, id session.ID)
		want []string
	}{
		{"read", func(t *testing.T, m *session.Manager, _ *locking, id session.ID) {
			s := load(t, m, id)
			require.NoError(t, s.Save(t.Context()))
			s.Finish()
			s.Finish()
		}, []string{"lock", "load", "unlock"}},
		{"save", func(t *testing.T, m *session.Manager, _ *locking, id session.ID) {
			s := load(t, m, id)
			save(t, s)
			save(t, s)
			s.Finish()
		}, []string{"lock", "load", "replace", "replace", "unlock"}},
		{"a conflict", func(t *testing.T, m *session.Manager, store *locking, id session.ID) {
			s := load(t, m, id)
			store.on("replace", step{before: func() error { return driver.ErrConflict }})
			save(t, s)
			s.Finish()
		}, []string{"lock", "load", "replace", "load", "replace", "unlock"}},
		{"a save that fails", func(t *testing.T, m *session.Manager, store *locking, id session.ID) {
			s := load(t, m, id)
			store.on("replace", step{before: func() error { return driver.NotApplied(errCut) }})
			require.NoError(t, increment(s))
			require.ErrorIs(t, s.Save(t.Context()), errCut)
			s.Finish()
		}, []string{"lock", "load", "replace", "unlock"}},
		{"a reload", func(t *testing.T, m *session.Manager, _ *locking, id session.ID) {
			s := load(t, m, id)
			require.NoError(t, s.Reload(t.Context()))
			s.Finish()
		}, []string{"lock", "load", "load", "unlock"}},
		{"what follows the header", func(t *testing.T, m *session.Manager, _ *locking, id session.ID) {
			s := load(t, m, id)
			s.Seal()
			save(t, s)
			s.Seal()
			s.Finish()
		}, []string{"lock", "load", "unlock", "lock", "replace", "unlock"}},
		{"an id that cannot be one", func(t *testing.T, m *session.Manager, _ *locking, _ session.ID) {
			_, err := m.Load(t.Context(), "x")
			require.ErrorIs(t, err, session.ErrNotFound)
		}, nil},
		{"an id that nobody has", func(t *testing.T, m *session.Manager, _ *locking, _ session.ID) {
			_, err := m.Load(t.Context(), m.NewSession().ID())
			require.ErrorIs(t, err, session.ErrNotFound)
		}, []string{"lock", "load", "unlock"}},
		{"a load that fails", func(t *testing.T, m *session.Manager, store *locking, id session.ID) {
			store.on("load", loseRequest)
			_, err := m.Load(t.Context(), id)
			require.ErrorIs(t, err, errCut)
		}, []string{"lock", "load", "unlock"}},
		{"a load that panics", func(t *testing.T, m *session.Manager, store *locking, id session.ID) {
			store.on("load", panics)
			require.Panics(t, func() { m.Load(t.Context(), id) })
		}, []string{"lock", "load", "unlock"}},
		{"a save that panics", func(t *testing.T, m *session.Manager, store *locking, id session.ID) {
			s := load(t, m, id)
			s.Seal()
			store.on("replace", panics)
			require.NoError(t, increment(s))
			require.Panics(t, func() { s.Save(t.Context()) })
			s.Finish()
		}, []string{"lock", "load", "unlock", "lock", "replace", "unlock"}},
		{"a renewal", func(t *testing.T, m *session.Manager, _ *locking, id session.ID) {
			s := load(t, m, id)
			require.NoError(t, s.Renew(t.Context()))
			save(t, s) // takes that of the new id
			s.Finish()
		}, []string{"lock", "load", "create", "delete", "unlock", "lock", "replace", "unlock"}},
		{"a renewal that lost", func(t *testing.T, m *session.Manager, store *locking, id session.ID) {
			s := load(t, m, id)
			store.on("delete", step{before: func() error { return driver.ErrNotFound }})
			require.ErrorIs(t, s.Renew(t.Context()), session.ErrNotFound)
			s.Finish()
		}, []string{"lock", "load", "create", "delete", "delete", "unlock"}},
		{"a logout", func(t *testing.T, m *session.Manager, _ *locking, id session.ID) {
			s := load(t, m, id)
			require.NoError(t, s.Destroy(t.Context()))
			require.NoError(t, increment(s))
			require.NoError(t, s.Save(t.Context()))
			s.Finish()
		}, []string{"lock", "load", "delete", "unlock", "create"}},
		{"a logout that fails", func(t *testing.T, m *session.Manager, store *locking, id session.ID) {
			s := load(t, m, id)
			store.on("delete", step{before: func() error { return driver.NotApplied(errCut) }})
			require.ErrorIs(t, s.Destroy(t.Context()), errCut)
			s.Finish()
		}, []string{"lock", "load", "delete", "unlock"}},
		{"a logout by its id", func(t *testing.T, m *session.Manager, _ *locking, id session.ID) {
			require.NoError(t, m.Destroy(t.Context(), id))
		}, []string{"delete"}},
		{"a new session", func(t *testing.T, m *session.Manager, _ *locking, _ session.ID) {
			s := stored(t, m)
			require.NoError(t, s.Save(t.Context())) // nothing to save
			save(t, s)
			s.Finish()
		}, []string{"create", "lock", "replace", "unlock"}},
		{"a renewal of a new session", func(t *testing.T, m *session.Manager, _ *locking, _ session.ID) {
			s := stored(t, m)
			require.NoError(t, s.Renew(t.Context()))
			s.Finish()
		}, []string{"create", "lock", "create", "delete", "unlock"}},
		{"an update", func(t *testing.T, m *session.Manager, _ *locking, id session.ID) {
			require.NoError(t, m.Update(t.Context(), id, increment))
		}, []string{"lock", "load", "replace", "unlock"}},
		{"an update that fails", func(t *testing.T, m *session.Manager, _ *locking, id session.ID) {
			require.ErrorIs(t, m.Update(t.Context(), id, func(*session.Session) error { return errCut }), errCut)
		}, []string{"lock", "load", "unlock"}},
		{"an update that panics", func(t *testing.T, m *session.Manager, _ *locking, id session.ID) {
			require.Panics(t, func() { m.Update(t.Context(), id, func(*session.Session) error { panic("fn") }) })
		}, []string{"lock", "load", "unlock"}},
		{"an update of nothing", func(t *testing.T, m *session.Manager, _ *locking, _ session.ID) {
			require.ErrorIs(t, m.Update(t.Context(), m.NewSession().ID(), increment), session.ErrNotFound)
		}, []string{"lock", "load", "unlock"}},
		{"an update by a request", func(t *testing.T, m *session.Manager, _ *locking, id session.ID) {
			s := load(t, m, id)
			require.NoError(t, m.Update(t.Context(), id, increment))
			require.NoError(t, color.Set(s, "red"))
			require.NoError(t, s.Save(t.Context()))
			require.EqualValues(t, 2, count.GetOr(s, 0))
			s.Finish()
		}, []string{"lock", "load", "load", "replace", "replace", "load", "replace", "unlock"}},
		{"updates in one another", func(t *testing.T, m *session.Manager, _ *locking, id session.ID) {
			require.NoError(t, m.Update(t.Context(), id, func(*session.Session) error {
				require.ErrorIs(t, m.Update(t.Context(), id, increment), session.ErrNested)
				_, err := m.Load(t.Context(), id)
				require.ErrorIs(t, err, session.ErrNested)
				return nil
			}))
		}, []string{"lock", "load", "unlock"}},
		{"listing", func(t *testing.T, m *session.Manager, _ *locking, _ session.ID) {
			_, err := m.Ping(t.Context())
			require.NoError(t, err)
		}, []string{"load"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			store := newLocking()
			m := newManager(t, store, nil)
			id := stored(t, m).ID()
			require.Equal(t, []string{"create"}, store.made(), "opening takes no lock")
			store.reset()
			c.do(t, m, store, id)
			require.Equal(t, append([]string{}, c.want...), store.made())
			require.Zero(t, store.held())
		})
	}
}

// A lock that is not had is an error, and nothing is done without it.
func TestLockThatIsNotHad(t *testing.T) {
	store := newLocking()
	m := newManager(t, store, nil)
	s := stored(t, m)
	id := s.ID()
	refuse := func() { store.reset(); store.on("lock", step{before: func() error { return errLockWait }}) }

	refuse()
	_, err := m.Load(t.Context(), id)
	require.ErrorIs(t, err, errLockWait)
	var e *session.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, []string{"lock"}, store.made())

	refuse()
	require.ErrorIs(t, m.Update(t.Context(), id, increment), errLockWait)
	require.Equal(t, []string{"lock"}, store.made())

	refuse()
	require.NoError(t, increment(s))
	require.ErrorIs(t, s.Save(t.Context()), errLockWait)
	require.Equal(t, []string{"lock"}, store.made())
	require.NoError(t, s.Save(t.Context()), "the changes of a Save that failed stay")
	require.EqualValues(t, 2, count.GetOr(s, 0))

	refuse()
	require.ErrorIs(t, s.Renew(t.Context()), errLockWait)
	require.Equal(t, []string{"lock"}, store.made())
	require.Equal(t, id, s.ID())
	s.Finish()

	ended, cancel := context.WithCancel(t.Context())
	cancel()
	store.reset()
	_, err = m.Load(ended, id)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, m.Update(ended, id, increment), context.Canceled)
	require.Empty(t, store.made())
}

// Requests of one session queue, and what comes second sees what came first.
func TestRequestsQueueForTheLock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newLocking()
		here, there := newManager(t, store, nil), newManager(t, &sharing{store}, nil)
		id := stored(t, here).ID()
		for i, m := range []*session.Manager{here, there} {
			first := load(t, here, id)
			got := make(chan int64, 1)
			go func() {
				s := load(t, m, id)
				got <- count.GetOr(s, 0)
				s.Finish()
			}()
			synctest.Wait()
			require.Equal(t, 1, store.held())
			select {
			case <-got:
				t.Fatal("two have the lock")
			default:
			}
			require.NoError(t, increment(first))
			require.NoError(t, first.Save(t.Context()))
			synctest.Wait()
			require.Empty(t, got, "it is given back when the request ends")
			first.Finish()
			require.EqualValues(t, i+2, <-got)
		}
		synctest.Wait()
		require.Zero(t, store.held())
	})
}

// sharing is another handle on a store.
type sharing struct{ *locking }

func (s *sharing) Close() error { return nil }

// The wait for a lock ends with the time of the store, or with the context.
func TestWaitForTheLockIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newLocking()
		m := newManager(t, store, &session.Options{StoreTimeout: time.Second})
		id := stored(t, m).ID()
		s := load(t, m, id)
		defer s.Finish()

		begin := time.Now()
		_, err := m.Load(t.Context(), id)
		require.ErrorIs(t, err, errLockWait)
		require.Equal(t, store.wait, time.Since(begin), "StoreTimeout is for calls that nobody holds up")

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begin = time.Now()
		_, err = m.Load(ctx, id)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, time.Second, time.Since(begin))
	})
}

// A logout waits for nobody, and who waited for the lock finds the session dead.
func TestLogoutDoesNotWaitForTheLock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newLocking()
		m, other := newManager(t, store, nil), newManager(t, &sharing{store}, nil)
		id := stored(t, m).ID()
		slow := load(t, m, id)
		waits := make(chan error)
		go func() { _, err := other.Load(t.Context(), id); waits <- err }()
		synctest.Wait()
		begin := time.Now()
		require.NoError(t, other.Destroy(t.Context(), id))
		require.Zero(t, time.Since(begin))
		require.NoError(t, increment(slow))
		require.ErrorIs(t, slow.Save(t.Context()), session.ErrNotFound)
		slow.Finish()
		require.ErrorIs(t, <-waits, session.ErrNotFound)
		require.Zero(t, store.held())
		require.Zero(t, countRecords(t, store.scripted))
	})
}

// A write of this Manager joins the lock of a request, which is given back when
// both are done; whoever comes after the request waits.
func TestWritesJoinTheLock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newLocking()
		m := newManager(t, store, nil)
		id := stored(t, m).ID()
		s := load(t, m, id)
		inside, goOn := make(chan bool), make(chan bool)
		done := make(chan error)
		go func() {
			done <- m.Update(t.Context(), id, func(s *session.Session) error {
				inside <- true
				<-goOn
				return increment(s)
			})
		}()
		<-inside
		s.Finish()
		synctest.Wait()
		require.Equal(t, 1, store.held(), "the update still needs it")

		loaded, updated := make(chan int64, 1), make(chan error, 1)
		go func() {
			s := load(t, m, id)
			n := count.GetOr(s, 0)
			s.Finish()
			loaded <- n
		}()
		synctest.Wait()
		go func() { updated <- m.Update(t.Context(), id, increment) }()
		synctest.Wait()
		require.Empty(t, loaded)
		require.Empty(t, updated, "an update cannot join what its request has left")
		goOn <- true
		require.NoError(t, <-done)
		require.EqualValues(t, 2, <-loaded)
		require.NoError(t, <-updated)
		require.Zero(t, store.held())
	})
}

// A request that ends while a goroutine of it saves keeps the lock until then.
func TestFinishDuringASave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newLocking()
		m := newManager(t, store, nil)
		id := stored(t, m).ID()
		s := load(t, m, id)
		store.reset()
		goOn := make(chan bool)
		store.on("replace", step{before: func() error { <-goOn; return nil }})
		require.NoError(t, increment(s))
		saved := make(chan error)
		go func() { saved <- s.Save(t.Context()) }()
		synctest.Wait()
		s.Finish() // does not wait
		require.Equal(t, 1, store.held())
		goOn <- true
		require.NoError(t, <-saved)
		require.Equal(t, []string{"replace", "unlock"}, store.made())
	})
}

// A lock that was lost is told, and loses nothing.
func TestLockThatWasLost(t *testing.T) {
	store := newLocking()
	var events []session.Event
	m := newManager(t, store, &session.Options{Observe: func(_ context.Context, e session.Event) {
		if e.Kind == session.EventLockLost {
			events = append(events, e)
		}
	}})
	id := stored(t, m).ID()
	s := load(t, m, id)
	s.Finish()
	require.Empty(t, events)

	store.lost = errCut
	s = load(t, m, id)
	require.NoError(t, increment(s))
	require.NoError(t, s.Save(t.Context()))
	s.Finish()
	require.Len(t, events, 1)
	require.Equal(t, s.Handle(), events[0].Session)
	require.ErrorIs(t, events[0].Err, errCut)
	require.NotContains(t, fmt.Sprint(events), s.ID().Reveal())
}

// Nothing rests on a lock: with one that keeps nobody away nothing is lost.
func TestLockThatKeepsNobodyAway(t *testing.T) {
	store := newLocking()
	store.lies = true
	const workers, each = 8, 40
	ms := []*session.Manager{newManager(t, store, nil), newManager(t, &sharing{store}, nil)}
	id := stored(t, ms[0]).ID()
	var wg sync.WaitGroup
	for w := range workers {
		own := session.NewKey[int64](fmt.Sprint("own", w))
		wg.Go(func() {
			for n := range each {
				s, err := ms[w%2].Load(t.Context(), id)
				if err == nil {
					err = own.Set(s, int64(n+1))
				}
				if err == nil {
					err = s.Save(t.Context())
				}
				if err == nil {
					s.Finish()
					err = ms[w%2].Update(t.Context(), id, increment)
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	s := load(t, ms[0], id)
	defer s.Finish()
	require.EqualValues(t, 1+workers*each, count.GetOr(s, 0))
	for w := range workers {
		require.EqualValues(t, each, session.NewKey[int64](fmt.Sprint("own", w)).GetOr(s, 0))
	}
}

// lockless has the method and declines.
type lockless struct {
	*scripted
	asked int
}

func (l *lockless) Lock(context.Context, string) (func() error, error) {
	l.asked++
	return nil, fmt.Errorf("the store: %w", errors.ErrUnsupported)
}

// A store that does not lock is asked once, when it is opened, and costs nothing.
func TestStoreThatDoesNotLock(t *testing.T) {
	store := &lockless{scripted: newScripted()}
	m := newManager(t, store, nil)
	s := stored(t, m)
	id := s.ID()
	require.NoError(t, increment(s))
	require.NoError(t, s.Save(t.Context()))
	a, b := load(t, m, id), load(t, m, id)
	require.NoError(t, m.Update(t.Context(), id, increment))
	require.NoError(t, a.Renew(t.Context()))
	a.Finish()
	b.Finish()
	require.Equal(t, 1, store.asked)
	require.NotContains(t, fmt.Sprint(m.Capabilities()), "lock")
	require.Contains(t, newManager(t, newLocking(), nil).Capabilities(), session.Capability{Name: "lock", Support: session.Native})
}
