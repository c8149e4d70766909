package sessionhttp_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/websession/websession/session"
	"github.com/websession/websession/session/driver"
	"github.com/websession/websession/session/memory"
	"github.com/websession/websession/session/sessionhttp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	count = session.NewKey[int64]("count")
	user  = session.NewKey[string]("user")
	color = session.NewKey[string]("color")
	shape = session.NewKey[string]("shape")
)

var errDown = errors.New("connection refused")

// store is a memory.Store whose calls are counted, and can be failed or held up.
type store struct {
	driver.Store

	mu    sync.Mutex
	calls []string
	hook  func(ctx context.Context, method string) error // an error fails the call
	warp  func(*driver.Record)                           // changes what Load answers
}

func newStore() *store { return &store{Store: memory.New()} }

func (s *store) run(ctx context.Context, method string) error {
	s.mu.Lock()
	s.calls = append(s.calls, method)
	hook := s.hook
	s.mu.Unlock()
	if hook != nil {
		return hook(ctx, method)
	}
	return nil
}

// on makes fn the hook of all calls; nil takes it away.
func (s *store) on(fn func(ctx context.Context, method string) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hook = fn
}

// down makes some methods fail, so that nothing is applied.
func (s *store) down(methods ...string) {
	s.on(func(_ context.Context, method string) error {
		for _, m := range methods {
			if m == method {
				return driver.NotApplied(errDown)
			}
		}
		return nil
	})
}

// made answers the calls since it was called last.
func (s *store) made() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	calls := s.calls
	s.calls = nil
	return calls
}

func (s *store) Create(ctx context.Context, rec driver.Record) (driver.Version, error) {
	if err := s.run(ctx, "create"); err != nil {
		return "", err
	}
	return s.Store.Create(ctx, rec)
}

func (s *store) Load(ctx context.Context, key string) (driver.Record, driver.Version, error) {
	if err := s.run(ctx, "load"); err != nil {
		return driver.Record{}, "", err
	}
	rec, v, err := s.Store.Load(ctx, key)
	if err == nil && s.warp != nil {
		s.warp(&rec)
	}
	return rec, v, err
}

func (s *store) Replace(ctx context.Context, rec driver.Record, old driver.Version) (driver.Version, error) {
	if err := s.run(ctx, "replace"); err != nil {
		return "", err
	}
	return s.Store.Replace(ctx, rec, old)
}

func (s *store) Delete(ctx context.Context, rec driver.Record, old driver.Version) error {
	if err := s.run(ctx, "delete"); err != nil {
		return err
	}
	return s.Store.Delete(ctx, rec, old)
}

func (s *store) Scan(ctx context.Context) iter.Seq2[driver.Record, error] {
	return s.Store.(driver.Scanner).Scan(ctx)
}

// events collects what a Manager observes.
type events struct {
	mu  sync.Mutex
	all []session.Event
}

func (e *events) observe(_ context.Context, ev session.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, ev)
}

func (e *events) list() []session.Event {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]session.Event{}, e.all...)
}

func (e *events) of(kind session.EventKind) (found []session.Event) {
	for _, ev := range e.list() {
		if ev.Kind == kind {
			found = append(found, ev)
		}
	}
	return found
}

// world is a Manager over a store that can fail, and what it observes.
type world struct {
	*events
	m     *session.Manager
	store *store
}

func newWorld(t testing.TB, o *session.Options) *world {
	t.Helper()
	w := &world{events: &events{}, store: newStore()}
	var opts session.Options
	if o != nil {
		opts = *o
	}
	opts.Observe = w.observe
	opts.Class = "Test"
	m, err := session.New(w.store, &opts)
	require.NoError(t, err)
	w.m = m
	t.Cleanup(func() {
		w.store.on(nil)
		require.NoError(t, m.Close())
	})
	return w
}

// login stores a session with count 1 and user ann, and answers its id.
func (w *world) login(t testing.TB) session.ID {
	t.Helper()
	s := w.m.NewSession()
	require.NoError(t, count.Set(s, 1))
	require.NoError(t, user.Set(s, "ann"))
	require.NoError(t, s.Save(context.Background()))
	w.store.made()
	return s.ID()
}

// load answers the session of an id as it is in the store.
func (w *world) load(t testing.TB, id session.ID) *session.Session {
	t.Helper()
	s, err := w.m.Load(context.Background(), id)
	require.NoError(t, err)
	return s
}

func (w *world) gone(t testing.TB, id session.ID) {
	t.Helper()
	_, err := w.m.Load(context.Background(), id)
	require.ErrorIs(t, err, session.ErrNotFound)
}

// records answers how many there are in the store.
func (w *world) records(t testing.TB) int {
	t.Helper()
	n := 0
	for _, err := range w.store.Scan(context.Background()) {
		require.NoError(t, err)
		n++
	}
	return n
}

// serve runs one request through Middleware, with the cookie of an id if it is
// not "".
func (w *world) serve(o *sessionhttp.Options, id session.ID, h http.HandlerFunc) *httptest.ResponseRecorder {
	return w.serveRequest(o, newRequest(id), h)
}

func (w *world) serveRequest(o *sessionhttp.Options, r *http.Request, h http.HandlerFunc) *httptest.ResponseRecorder {
	rec := httptest.NewRecorder()
	sessionhttp.Middleware(w.m, o)(h).ServeHTTP(rec, r)
	return rec
}

func newRequest(id session.ID) *http.Request {
	r := httptest.NewRequest("GET", "https://example.com/", nil)
	if id != "" {
		r.Header.Set("Cookie", sessionhttp.DefaultCookieName+"="+id.Reveal())
	}
	return r
}

// cookies answers the cookies that an answer sets, as they left.
func cookies(rec *httptest.ResponseRecorder) []string { return rec.Result().Header["Set-Cookie"] }

// sentID answers the id in the one cookie of an answer, which sets it.
func sentID(t testing.TB, header http.Header) session.ID {
	t.Helper()
	lines := header["Set-Cookie"]
	require.Len(t, lines, 1)
	c, err := http.ParseSetCookie(lines[0])
	require.NoError(t, err)
	require.NotEmpty(t, c.Value)
	require.GreaterOrEqual(t, c.MaxAge, 0)
	return session.ID(c.Value)
}

// get is Get in a handler that must succeed.
func get(t testing.TB, r *http.Request) *session.Session {
	s, err := sessionhttp.Get(r)
	if err != nil {
		t.Errorf("Get: %v", err)
		panic(http.ErrAbortHandler)
	}
	return s
}

// must is require.NoError for other goroutines than that of the test.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Errorf("unexpected error: %v", err)
	}
}

// gate holds up whoever waits until it is opened.
type gate struct {
	once sync.Once
	ch   chan struct{}
}

func newGate() *gate { return &gate{ch: make(chan struct{})} }

func (g *gate) open() { g.once.Do(func() { close(g.ch) }) }

func (g *gate) wait(t testing.TB) {
	select {
	case <-g.ch:
	case <-time.After(20 * time.Second):
		t.Error("nobody opened the gate")
		panic(http.ErrAbortHandler)
	}
}

// noSecret fails the test if one of the texts contains an id.
func noSecret(t testing.TB, id session.ID, texts ...any) {
	t.Helper()
	for _, v := range texts {
		for _, text := range []string{fmt.Sprintf("%v", v), fmt.Sprintf("%+v", v), fmt.Sprintf("%#v", v)} {
			require.NotContains(t, text, id.Reveal())
			require.NotContains(t, strings.ToLower(text), "__host-id=")
		}
	}
}
