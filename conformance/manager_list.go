package conformance

import (
	"fmt"
	"sync/atomic"

	"github.com/websession/websession/session"
)

func listingCases() []testCase {
	return []testCase{
		appCase("Listing/AllLiveNoneExpired",
			"who counts or moves sessions must get what was stored, and no dead ones",
			listsAllLive, "Scanner"),
		appCase("Listing/SurvivesChanges",
			"a list that takes long must not fail, or leave out sessions, because others come and go",
			listSurvivesChanges, "Scanner"),
	}
}

// lists answers the handles that All answers, and how often.
func (a *app) lists(m *session.Manager) map[session.Handle]int {
	a.Helper()
	got := make(map[session.Handle]int)
	for s, err := range m.All(a.Context()) {
		if err != nil {
			a.fail("All: %v", err)
			return got
		}
		if s.ID() != "" {
			a.fail("All answers a session with its id")
		}
		got[s.Handle()]++
	}
	return got
}

func listsAllLive(a *app) {
	m := a.servers(2)
	if got := a.lists(m[0]); len(got) != 0 {
		a.fail("an empty place lists %d sessions", len(got))
	}
	old := a.visit(m[0])
	a.clock.Advance(a.opts.Idle / 2)
	want := make(map[session.Handle]bool)
	for i := range a.scale(1000, 30) {
		s := a.visitOf(m[i%2], fmt.Sprint(i))
		want[s.Handle()] = true
	}
	check := func(when string) {
		a.Helper()
		got := a.lists(m[1])
		for h := range want {
			if got[h] == 0 {
				a.fail("%s: a session is not listed", when)
			}
			delete(got, h)
		}
		if len(got) != 0 {
			a.fail("%s: %d sessions are listed that should not be", when, len(got))
		}
	}
	want[old.Handle()] = true
	check("before one expired")
	delete(want, old.Handle())
	a.clock.Advance(a.opts.Idle / 2)
	check("after one expired")
	for s, err := range m[0].All(a.Context()) {
		a.need("All", err)
		holds(a, s, colorKey, "red")
		break // the caller may stop
	}
	a.clock.Advance(a.opts.Idle)
	want = nil
	check("after all expired")
}

func listSurvivesChanges(a *app) {
	m := a.servers(2)
	stay := make([]*session.Session, 40)
	for i := range stay {
		stay[i] = a.visit(m[0])
	}
	var stop atomic.Bool
	both(func() {
		defer stop.Store(true)
		for range a.scale(100, 5) {
			got := a.lists(m[1])
			for _, s := range stay {
				if got[s.Handle()] == 0 {
					a.fail("a session that was there all the time is not listed")
				}
			}
		}
	}, func() {
		for i := int64(0); !stop.Load(); i++ {
			s := m[0].NewSession()
			err := colorKey.Set(s, "blue")
			if err == nil {
				err = s.Save(a.Context())
			}
			if err == nil {
				err = m[0].Update(a.Context(), stay[i%40].ID(), increment)
			}
			if err == nil {
				err = s.Destroy(a.Context())
			}
			if err != nil {
				a.fail("a request during All: %v", err)
				return
			}
		}
	})
}
