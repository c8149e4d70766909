package sessionhttp_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/session"
	"github.com/websession/websession/session/memory"
	"github.com/websession/websession/session/sessionhttp"
)

// The budget of a request over one through an empty middleware.
const (
	mostUntouched = 3
	mostRead      = 15
)

// nowhere is an http.ResponseWriter that costs nothing.
type nowhere struct{ header http.Header }

func (n *nowhere) Header() http.Header         { return n.header }
func (n *nowhere) Write(p []byte) (int, error) { return len(p), nil }
func (n *nowhere) WriteHeader(int)             {}

// twenty answers a Manager, and a request with the cookie of a session of
// twenty attributes.
func twenty(tb testing.TB) (*session.Manager, *http.Request) {
	m, err := session.New(memory.New(), nil)
	require.NoError(tb, err)
	tb.Cleanup(func() { m.Close() })
	s := m.NewSession()
	for i := range 20 {
		require.NoError(tb, session.NewKey[int64](fmt.Sprintf("key%02d", i)).Set(s, int64(i)))
	}
	require.NoError(tb, s.Save(context.Background()))
	return m, newRequest(s.ID())
}

var ok = []byte("ok")

func untouched(w http.ResponseWriter, _ *http.Request) { w.Write(ok) }

var key07 = session.NewKey[int64]("key07")

func readOne(w http.ResponseWriter, r *http.Request) {
	s, err := sessionhttp.Get(r)
	if err != nil || key07.GetOr(s, 0) != 7 {
		panic("the session was not read")
	}
	w.Write(ok)
}

// empty is a middleware that does nothing.
func empty(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { next.ServeHTTP(w, r) })
}

func request(h http.Handler, r *http.Request) func() {
	w := &nowhere{}
	return func() {
		w.header = make(http.Header)
		h.ServeHTTP(w, r)
	}
}

func TestAllocationsPerRequest(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	m, r := twenty(t)
	mw := sessionhttp.Middleware(m, nil)
	base := testing.AllocsPerRun(1000, request(empty(http.HandlerFunc(untouched)), r))
	idle := testing.AllocsPerRun(1000, request(mw(http.HandlerFunc(untouched)), r)) - base
	read := testing.AllocsPerRun(1000, request(mw(http.HandlerFunc(readOne)), r)) - base
	t.Logf("allocations over an empty middleware (%v): untouched %v, reading one attribute of twenty %v", base, idle, read)
	require.LessOrEqual(t, idle, float64(mostUntouched), "an untouched session")
	require.LessOrEqual(t, read, float64(mostRead), "reading one attribute of twenty")
}

func benchmark(b *testing.B, wrap func(*session.Manager) func(http.Handler) http.Handler, h http.HandlerFunc) {
	m, r := twenty(b)
	run := request(wrap(m)(h), r)
	b.ReportAllocs()
	for b.Loop() {
		run()
	}
}

func sessions(m *session.Manager) func(http.Handler) http.Handler {
	return sessionhttp.Middleware(m, nil)
}

func BenchmarkEmpty(b *testing.B) {
	benchmark(b, func(*session.Manager) func(http.Handler) http.Handler { return empty }, untouched)
}

func BenchmarkUntouched(b *testing.B) { benchmark(b, sessions, untouched) }

func BenchmarkReadOneOfTwenty(b *testing.B) { benchmark(b, sessions, readOne) }
