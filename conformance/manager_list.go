package conformance

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/websession/websession/session"
	"github.com/websession/websession/session/driver"
)

func listingCases() []testCase {
	return []testCase{
		appCase("Listing/AllLiveNoneExpired",
			"who counts or moves sessions must get what was stored, and no dead ones",
			listsAllLive, "Scanner"),
		appCase("Listing/SurvivesChanges",
			"a list that takes long must not fail, or leave out sessions, because others come and go",
			listSurvivesChanges, "Scanner"),
		appCase("Purging/RemovesExpiredOnly",
			"a store that is never cleaned fills up; one that is cleaned too eagerly logs people out",
			purgeRemovesExpired, "Purger"),
		appCase("Purging/WaitsForTheMargin",
			"clocks of servers differ; what is expired here may be in use there",
			purgeWaitsForMargin, "Purger"),
		appCase("Purging/Batches",
			"after a holiday there is a lot to purge; all of it must go, in pieces that hold nobody up",
			purgeBatches, "Purger"),
		appCase("Purging/TwoAtOnce",
			"every server purges; they must not get into each other's way",
			purgeTwoAtOnce, "Purger"),
		appCase("Purging/TouchedMeanwhileStays",
			"a session that is used while the store is cleaned must survive that",
			purgeTouchedMeanwhile, "Purger"),
		appCase("Purging/HarmlessForLiveSessions",
			"a store that expires sessions by itself has nothing to purge, and that is no error",
			purgeHarmless),
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

// ripe is how long after its deadline a record may be purged.
const ripe = driver.Margin + time.Millisecond

func (a *app) purges(m *session.Manager, want int) {
	a.Helper()
	if n, err := m.Purge(a.Context()); n != want || err != nil {
		a.fail("Purge: %d, %v; want %d", n, err, want)
	}
}

func purgeRemovesExpired(a *app) {
	m := a.servers(2)
	a.purges(m[0], 0)
	for range 10 {
		a.visitOf(m[0], "ada")
	}
	short := a.visit(m[0])
	a.need("SetIdle", short.SetIdle(time.Minute))
	a.save(short)
	a.clock.Advance(a.opts.Idle / 2)
	live := a.visitOf(m[1], "ada")
	never := session.Options{Now: a.clock.Now, Idle: session.NoLimit, Absolute: session.NoLimit}
	eternal := a.visit(a.manager(never))
	a.purges(m[1], 1)
	a.dead(m[0], short.ID(), "after Purge")
	a.clock.Advance(a.opts.Idle/2 + ripe)
	a.purges(m[0], 10)
	a.purges(m[1], 0)
	holds(a, a.load(m[0], live.ID()), userKey, "ada")
	holds(a, a.load(m[0], eternal.ID()), colorKey, "red")
	a.need("Destroy", eternal.Destroy(a.Context()))
	a.clock.Advance(a.opts.Idle)
	a.purges(m[0], 1)
	a.sameThings(0, "after Purge")
}

func purgeWaitsForMargin(a *app) {
	m := a.server()
	s := a.visit(m)
	a.clock.Advance(a.opts.Idle)
	for _, step := range []time.Duration{0, driver.Margin - time.Millisecond} {
		a.clock.Advance(step)
		a.purges(m, 0)
		a.record(a.open(), keyOf(s))
	}
	a.clock.Advance(2 * time.Millisecond)
	a.purges(m, 1)
	a.sameThings(0, "after Purge")
}

func purgeBatches(a *app) {
	m := a.server()
	n := a.scale(20_000, 1100) // more than the Manager asks for at once
	together(8, func(w int) {
		for i := w; i < n; i += 8 {
			s := m.NewSession()
			if err := colorKey.Set(s, "red"); err != nil {
				a.fail("Set: %v", err)
			}
			if err := s.Save(a.Context()); err != nil {
				a.fail("Save: %v", err)
				return
			}
		}
	})
	a.clock.Advance(a.opts.Idle + ripe)
	live := a.visit(m)
	a.purges(m, n)
	holds(a, a.load(m, live.ID()), colorKey, "red")
}

func purgeTwoAtOnce(a *app) {
	m := a.servers(4)
	n := a.scale(1000, 60)
	for i := range n {
		a.visitOf(m[i%4], "ada")
	}
	a.clock.Advance(a.opts.Idle + ripe)
	live := a.visitOf(m[0], "ada")
	var sum atomic.Int64
	together(len(m), func(i int) {
		k, err := m[i].Purge(a.Context())
		if err != nil {
			a.fail("Purge beside others: %v", err)
		}
		sum.Add(int64(k))
	})
	if sum.Load() != int64(n) {
		a.fail("%d purges at once answer %d records together, want %d", len(m), sum.Load(), n)
	}
	a.need("Destroy", live.Destroy(a.Context()))
	a.sameThings(0, "after Purge")
}

// purgeTouchedMeanwhile touches sessions, by a clock that is behind that of the
// purger by more than the margin, a little later in each round.
func purgeTouchedMeanwhile(a *app) {
	behind := &clock{now: a.clock.Now()}
	a.opts.Now = behind.Now
	m := a.server()
	a.opts.Now = a.clock.Now
	purger := a.server()
	a.clock.Advance(ripe + time.Millisecond)
	rounds, touched, purged := a.scale(600, 30), 0, 0
	sessions := make([]*session.Session, 8)
	for round := range rounds {
		for i := range sessions {
			sessions[i] = a.visitOf(m, "ada")
		}
		other := m.NewSession().ID()
		old := sessions[0].Expires()
		behind.Advance(a.opts.Idle - time.Millisecond)
		a.clock.Advance(a.opts.Idle - time.Millisecond)
		began := make(chan struct{})
		both(func() {
			close(began)
			if _, err := purger.Purge(a.Context()); err != nil {
				a.fail("Purge beside touches: %v", err)
			}
		}, func() {
			<-began
			for range round % 10 {
				a.dead(m, other, "of an id that nobody stored") // takes a moment
			}
			for i := range sessions {
				if err := sessions[len(sessions)-1-i].Save(a.Context()); err != nil {
					a.fail("Save of a session that was only read: %v", err)
				}
			}
		})
		if _, err := purger.Purge(a.Context()); err != nil {
			a.fail("Purge: %v", err)
		}
		for _, s := range sessions {
			switch alive := a.alive(m, s.ID()); {
			case !s.Expires().After(old):
				purged++
				if alive {
					a.fail("a session that was purged before it was touched is alive")
				}
			case !alive:
				a.fail("a session that was touched before it was purged is gone")
			default:
				touched++
			}
		}
	}
	a.Logf("of %d sessions, %d were touched before they were purged, %d the other way round", rounds*len(sessions), touched, purged)
}

func purgeHarmless(a *app) {
	m := a.servers(2)
	s := a.visitOf(m[0], "ada")
	a.clock.Advance(a.opts.Idle - time.Millisecond)
	a.purges(m[0], 0)
	a.purges(m[1], 0)
	holds(a, a.load(m[1], s.ID()), colorKey, "red")
}
