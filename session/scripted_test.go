package session_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/session"
	"github.com/websession/websession/session/driver"
	"github.com/websession/websession/session/memory"
)

// errCut is what a client library says when a connection breaks.
var errCut = errors.New("connection reset by peer")

// scripted is a store whose calls can be failed: before they are executed,
// after, or not at all. It shows only the five methods.
type scripted struct {
	driver.Store

	mu    sync.Mutex
	calls []string
	steps map[string][]step // per method, used up from the front
}

// step happens to one call. Each function may be nil.
type step struct {
	before func() error      // an error keeps the call from being executed
	after  func(error) error // replaces the answer
	around func(call func() error) error
}

var (
	loseRequest = step{before: func() error { return errCut }}
	loseAnswer  = step{after: func(error) error { return errCut }}
	pass        = step{}
)

func newScripted() *scripted {
	return &scripted{Store: memory.New(), steps: make(map[string][]step)}
}

// on adds steps for a method: "create", "load", "replace", "delete".
func (s *scripted) on(method string, steps ...step) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.steps[method] = append(s.steps[method], steps...)
}

// reset forgets the calls that were counted.
func (s *scripted) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = nil
}

func (s *scripted) made() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string{}, s.calls...)
}

func (s *scripted) run(method string, call func() error) error {
	s.mu.Lock()
	s.calls = append(s.calls, method)
	var st step
	if q := s.steps[method]; len(q) > 0 {
		st, s.steps[method] = q[0], q[1:]
	}
	s.mu.Unlock()
	if st.before != nil {
		if err := st.before(); err != nil {
			return err
		}
	}
	var err error
	if st.around != nil {
		err = st.around(call)
	} else {
		err = call()
	}
	if st.after != nil {
		err = st.after(err)
	}
	return err
}

func (s *scripted) Create(ctx context.Context, rec driver.Record) (v driver.Version, err error) {
	err = s.run("create", func() (err error) { v, err = s.Store.Create(ctx, rec); return err })
	return v, err
}

func (s *scripted) Load(ctx context.Context, key string) (rec driver.Record, v driver.Version, err error) {
	err = s.run("load", func() (err error) { rec, v, err = s.Store.Load(ctx, key); return err })
	return rec, v, err
}

func (s *scripted) Replace(ctx context.Context, rec driver.Record, old driver.Version) (v driver.Version, err error) {
	err = s.run("replace", func() (err error) { v, err = s.Store.Replace(ctx, rec, old); return err })
	return v, err
}

func (s *scripted) Delete(ctx context.Context, rec driver.Record, old driver.Version) error {
	return s.run("delete", func() error { return s.Store.Delete(ctx, rec, old) })
}

// newManager answers a Manager that is closed at the end.
func newManager(t testing.TB, store driver.Store, o *session.Options) *session.Manager {
	t.Helper()
	m, err := session.New(store, o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	return m
}

var (
	count = session.NewKey[int64]("count")
	user  = session.NewKey[string]("user")
	color = session.NewKey[string]("color")
	shape = session.NewKey[string]("shape")
)

// stored answers a session that was saved with count 1.
func stored(t testing.TB, m *session.Manager) *session.Session {
	t.Helper()
	s := m.NewSession()
	require.NoError(t, count.Set(s, 1))
	require.NoError(t, s.Save(t.Context()))
	return s
}

func load(t testing.TB, m *session.Manager, id session.ID) *session.Session {
	t.Helper()
	s, err := m.Load(t.Context(), id)
	require.NoError(t, err)
	return s
}

func increment(s *session.Session) error { return count.Set(s, count.GetOr(s, 0)+1) }

// manual is a clock that a test sets.
type manual struct {
	mu  sync.Mutex
	now time.Time
}

func newManual() *manual { return &manual{now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)} }

func (c *manual) Now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.now }

func (c *manual) advance(d time.Duration) { c.mu.Lock(); defer c.mu.Unlock(); c.now = c.now.Add(d) }
