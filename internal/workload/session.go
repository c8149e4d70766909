package workload

import (
	"context"
	"sync"
	"testing"

	"github.com/websession/websession/session"
)

// Attributes of the sessions of a workload.
var (
	Count = session.NewKey[int64]("count")
	Left  = session.NewKey[string]("left")
	Right = session.NewKey[string]("right")
)

var background = context.Background()

// Manager opens a Manager by class name, with a handle of its own, which is
// closed at the end of the test. o may be nil.
func Manager(tb testing.TB, class string, props map[string]any, o *session.Options) *session.Manager {
	tb.Helper()
	m, err := session.Open(background, class, props, o)
	must(tb, err)
	tb.Cleanup(func() { must(tb, m.Close()) })
	return m
}

// managers opens n of them.
func managers(tb testing.TB, n int, class string, props map[string]any, o *session.Options) []*session.Manager {
	tb.Helper()
	ms := make([]*session.Manager, n)
	for i := range ms {
		ms[i] = Manager(tb, class, props, o)
	}
	return ms
}

// NewSession answers the id of a session that is stored.
func NewSession(tb testing.TB, m *session.Manager) session.ID {
	tb.Helper()
	s := m.NewSession()
	must(tb, Count.Set(s, 0))
	must(tb, s.Save(background))
	return s.ID()
}

// Load answers a session that must be there.
func Load(tb testing.TB, m *session.Manager, id session.ID) *session.Session {
	tb.Helper()
	s, err := m.Load(background, id)
	must(tb, err)
	return s
}

// Together runs both at once and waits for them.
func Together(a, b func()) {
	var both sync.WaitGroup
	start := make(chan struct{})
	both.Go(func() { <-start; a() })
	both.Go(func() { <-start; b() })
	close(start)
	both.Wait()
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}
