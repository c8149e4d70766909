package conformance

import (
	"errors"
	"sync/atomic"
	"time"

	"github.com/websession/websession/session"
	"github.com/websession/websession/session/driver"
)

func purgingCases() []testCase {
	return []testCase{
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
		appCase("Purging/EachByItsOwnTimeout",
			"a long session that was stored first must not keep the short ones behind it, nor they take it along",
			purgeEachByItsOwnTimeout, "Purger"),
		appCase("Purging/GoesOnPastDamage",
			"one record that nobody can read, or one bad moment of the store, must not keep all others for ever",
			purgeGoesOnPastDamage, "Purger"),
	}
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

// purgeEachByItsOwnTimeout stores the sessions that live longest first, and
// purges by two servers whenever the next one is due, and a moment before.
func purgeEachByItsOwnTimeout(a *app) {
	a.opts.Absolute = session.NoLimit
	m, store := a.servers(2), a.open()
	idle := []time.Duration{5 * time.Hour, time.Hour, 61 * time.Minute, 10 * time.Minute, time.Minute, 1500 * time.Millisecond}
	sessions := make([]*session.Session, len(idle))
	for i, d := range idle {
		s := m[i%2].NewSession()
		a.need("Set", userKey.Set(s, "ada"))
		a.need("SetIdle", s.SetIdle(d))
		a.save(s)
		sessions[i] = s
	}
	never := a.visit(a.manager(session.Options{Now: a.clock.Now, Idle: session.NoLimit, Absolute: session.NoLimit}))
	// One that was to end with the first, and was given more time; one the other way round.
	longer, shorter := a.visit(m[0]), a.visit(m[1])
	a.need("SetIdle", longer.SetIdle(time.Minute))
	a.save(longer)
	a.need("SetIdle", longer.SetIdle(20*time.Hour))
	a.save(longer)
	a.need("SetIdle", shorter.SetIdle(20*time.Second))
	a.save(shorter)
	idle, sessions = append(idle, 20*time.Second), append(sessions, shorter)

	began := a.clock.Now()
	for range sessions {
		next := -1 // the one that ends next
		for i, s := range sessions {
			if s != nil && (next < 0 || idle[i] < idle[next]) {
				next = i
			}
		}
		a.clock.Advance(began.Add(idle[next] + driver.Margin).Sub(a.clock.Now()))
		a.purges(m[next%2], 0)
		a.clock.Advance(time.Millisecond)
		a.purges(m[1-next%2], 1)
		a.dead(m[0], sessions[next].ID(), "after Purge")
		sessions[next] = nil
		for i, s := range sessions {
			if s != nil {
				a.record(store, keyOf(s)) // whether it is alive or not: its time has not come
				if alive := a.alive(m[1], s.ID()); alive != a.clock.Now().Before(began.Add(idle[i])) {
					a.fail("%v after its last use a session with the idle time-out %v is alive: %v", a.clock.Now().Sub(began), idle[i], alive)
				}
			}
		}
		holds(a, a.load(m[1], longer.ID()), colorKey, "red")
		holds(a, a.load(m[0], never.ID()), colorKey, "red")
	}
}

// purgeGoesOnPastDamage has records that the framework cannot read, which to the
// store are records as any other, and a store that fails once.
func purgeGoesOnPastDamage(a *app) {
	m, spy := a.spied()
	store := a.open()
	const n = 12
	var damaged []driver.Record
	for i := range n {
		rec, _ := a.record(store, keyOf(a.visitOf(m, "ada")))
		if i%4 == 1 {
			a.overwrite(store, rec, [][]byte{nil, rec.Data[:1], []byte("not a session")}[i/4])
			damaged = append(damaged, rec)
		}
	}
	a.purges(m, 0)
	for _, rec := range damaged {
		a.record(store, rec.Key) // nobody has deleted it
	}
	a.clock.Advance(a.opts.Idle + ripe)
	live, _ := a.record(store, keyOf(a.visitOf(m, "ada")))
	a.overwrite(store, live, []byte("not a session"))

	broken := errors.New("disk is away")
	spy.reset(func(c storeCall) error {
		if c.method == "Purge" && c.n == 1 {
			return broken
		}
		return nil
	}, nil)
	if got, err := m.Purge(a.Context()); got != 0 || !errors.Is(err, broken) {
		a.fail("Purge of a store that fails: %d, %v; want 0 and the store's error", got, err)
	}
	a.purges(m, n)
	a.purges(m, 0)
	a.record(store, live.Key)
	live.Was = live.Index
	a.need("Delete", store.Delete(a.Context(), live, ""))
	a.sameThings(0, "after Purge")
}
