package conformance

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/websession/websession/session"
	"github.com/websession/websession/session/driver"
)

func touchingCases() []testCase {
	return []testCase{
		appCase("Touching/LeavesDataAlone",
			"a request that reads only must not write what it read: it may be old",
			touchLeavesDataAlone),
		appCase("Touching/DestroyedStaysDead",
			"a page that was slower than the logout must not bring the session back by having been read",
			touchOfDestroyed),
		appCase("Touching/ExpiredStaysDead",
			"a request that took longer than the session lived must not revive it when it ends",
			touchOfExpired),
		appCase("Touching/NeverRestoresOldData",
			"a touch that carries the data it loaded undoes the saves of others",
			touchNeverRestoresOldData),
		appCase("Touching/AtMostOncePerTouchEvery",
			"a page with fifty images must not write fifty times",
			touchThrottle),
		appCase("Touching/Disabled",
			"who wants sessions to end a fixed time after the last change can have that, and no writes for reads",
			touchDisabled),
		appCase("Touching/KeepsTheIndexEntry",
			"who logs out everywhere wants the sessions that were only read for a while to end, too",
			touchKeepsTheIndexEntry, "Search"),
		appCase("Touching/FailureFailsNoRequest",
			"a page that was made is delivered, even if the deadline could not be moved",
			touchFailure),
	}
}

func touchLeavesDataAlone(a *app) {
	m := a.servers(2)
	s := a.visitOf(m[0], "ada")
	store := a.open()
	rec, v := a.record(store, keyOf(s))
	a.clock.Advance(a.opts.Idle / 2)
	got := a.load(m[1], s.ID())
	a.save(got)
	now, nowV := a.record(store, rec.Key)
	want := a.clock.Now().Add(a.opts.Idle)
	if !now.Expires.Equal(want) || !got.Expires().Equal(want) {
		a.fail("after a touch the record expires %v, the session %v; want %v", now.Expires, got.Expires(), want)
	}
	if !bytes.Equal(now.Data, rec.Data) {
		a.fail("a touch changed the data")
	}
	if nowV == v {
		a.fail("a touch left the version as it was")
	}
	a.need("Save after a touch", a.setSave(got, colorKey, "blue"))
	holds(a, a.load(m[0], s.ID()), colorKey, "blue")
	if got := a.load(m[0], s.ID()).Expires(); !got.Equal(want) {
		a.fail("after a touch and a save the session expires %v, want %v", got, want)
	}
}

func touchOfDestroyed(a *app) {
	m := a.servers(2)
	for _, far := range m {
		s := a.visitOf(m[0], "ada")
		late := a.load(far, s.ID())
		a.clock.Advance(a.opts.Idle / 2)
		a.need("Destroy", m[0].Destroy(a.Context(), s.ID()))
		a.need("Save of a session that was only read", late.Save(a.Context()))
		a.dead(m[0], s.ID(), "after a late touch")
		a.sameThings(0, "after a late touch of a destroyed session")
		a.notFound("Save of a change after that", a.setSave(late, colorKey, "blue"))
		a.sameThings(0, "after a late save of a destroyed session")
	}
}

func touchOfExpired(a *app) {
	m := a.servers(2)
	s := a.visit(m[0])
	late := a.load(m[1], s.ID())
	a.clock.Advance(a.opts.Idle)
	a.need("Save of a session that was only read", late.Save(a.Context()))
	a.dead(m[0], s.ID(), "after a touch that came too late")
	a.dead(m[1], s.ID(), "after a touch that came too late")
}

func touchNeverRestoresOldData(a *app) {
	m := a.servers(2)
	s := a.visit(m[0])
	readers := []*session.Session{a.load(m[0], s.ID()), a.load(m[1], s.ID())}
	a.clock.Advance(a.opts.Idle / 2)
	a.need("Save", a.setSave(s, colorKey, "blue"))
	for _, r := range readers {
		a.save(r)
		holds(a, a.load(m[0], s.ID()), colorKey, "blue")
	}
	a.need("Save", a.setSave(readers[0], shapeKey, "round"))
	got := a.load(m[1], s.ID())
	a.names(got, "color", "shape")
	holds(a, got, colorKey, "blue")

	// The same at once, many times.
	for range a.scale(200, 10) {
		a.clock.Advance(a.opts.Idle / 5)
		if a.clock.Now().Add(a.opts.Idle).After(s.Deadline()) {
			s = a.visit(m[0])
		}
		r := a.load(m[1], s.ID())
		both(func() {
			if err := r.Save(a.Context()); err != nil {
				a.fail("Save of a session that was only read: %v", err)
			}
		}, func() {
			if err := m[0].Update(a.Context(), s.ID(), increment); err != nil {
				a.fail("Update: %v", err)
			}
		})
		got := a.load(m[1], s.ID())
		if want := countKey.GetOr(r, 0) + 1; countKey.GetOr(got, 0) != want {
			a.fatal("a touch and an update at once: the counter is %d, want %d", countKey.GetOr(got, 0), want)
		}
	}
}

func touchThrottle(a *app) {
	a.opts.TouchEvery = 6 * time.Minute
	m, spy := a.spied()
	s := a.visit(m)
	id := s.ID()
	spy.reset(nil, nil)
	visit := func(want int) {
		a.Helper()
		a.save(a.load(m, id))
		if n := spy.writes(); n != want {
			a.fatal("%v after its creation the session has been touched %d times, want %d", a.clock.Now().Sub(s.Created()), n, want)
		}
	}
	for i := range 24 {
		visit(i / 6)
		a.clock.Advance(time.Minute)
	}
	visit(4)
	a.clock.Advance(6*time.Minute - time.Millisecond)
	visit(4)
	a.clock.Advance(time.Millisecond)
	visit(5)

	// Changes are saved at once, and move the deadline too.
	got := a.load(m, id)
	a.clock.Advance(time.Minute)
	a.need("Save", a.setSave(got, colorKey, "blue"))
	if want := a.clock.Now().Add(a.opts.Idle); !a.load(m, id).Expires().Equal(want) {
		a.fail("a save did not move the deadline to %v", want)
	}

	// Many requests at once, one touch.
	a.clock.Advance(a.opts.TouchEvery)
	spy.reset(nil, nil)
	sessions := make([]*session.Session, 16)
	for i := range sessions {
		sessions[i] = a.load(m, id)
	}
	old := a.load(m, id).Expires()
	together(len(sessions), func(i int) {
		if err := sessions[i].Save(a.Context()); err != nil {
			a.fail("Save of a session that was only read: %v", err)
		}
	})
	moved := 0
	for _, s := range sessions {
		if s.Expires().After(old) {
			moved++
		}
	}
	if moved != 1 || !a.load(m, id).Expires().Equal(a.clock.Now().Add(a.opts.Idle)) {
		a.fail("of %d touches at once, %d moved the deadline; want 1", len(sessions), moved)
	}
}

func touchDisabled(a *app) {
	a.opts.TouchEvery = session.NoLimit
	m, spy := a.spied()
	s := a.visit(m)
	spy.reset(nil, nil)
	a.clock.Advance(a.opts.Idle / 2)
	a.save(a.load(m, s.ID()))
	a.clock.Advance(a.opts.Idle/2 - time.Millisecond)
	got := a.load(m, s.ID())
	a.save(got)
	if n := spy.writes(); n != 0 {
		a.fail("with touches disabled, reading made %d writes", n)
	}
	a.need("Save", a.setSave(got, colorKey, "blue"))
	if want := a.clock.Now().Add(a.opts.Idle); !a.load(m, s.ID()).Expires().Equal(want) {
		a.fail("with touches disabled, a save did not move the deadline to %v", want)
	}
	a.clock.Advance(a.opts.Idle)
	a.dead(m, s.ID(), "after the last change")
}

func touchKeepsTheIndexEntry(a *app) {
	m := a.servers(2)
	s := a.visitOf(m[0], "ada")
	things, _ := a.things()
	for i := range 4 {
		a.clock.Advance(a.opts.Idle * 3 / 4)
		a.save(a.load(m[i%2], s.ID()))
		a.finds(m[1-i%2], "user", "ada", s)
		a.sameThings(things, "after a touch")
	}
	a.need("Destroy", m[1].Destroy(a.Context(), s.ID()))
	a.sameThings(0, "after Destroy")
}

func touchFailure(a *app) {
	var failed atomic.Int64
	a.opts.Observe = func(_ context.Context, e session.Event) {
		if e.Kind == session.EventTouchFailed {
			failed.Add(1)
		}
	}
	m, spy := a.spied()
	s := a.visit(m)
	a.clock.Advance(a.opts.Idle / 2)
	got := a.load(m, s.ID())
	var once sync.Once
	spy.reset(func(c storeCall) (err error) {
		once.Do(func() { err = driver.NotApplied(errors.New("disk full")) })
		return err
	}, nil)
	a.need("Save whose touch failed", got.Save(a.Context()))
	if failed.Load() != 1 {
		a.fail("a touch failed, and Observe was told %d times", failed.Load())
	}
	a.save(got)
	if want := a.clock.Now().Add(a.opts.Idle); !a.load(m, s.ID()).Expires().Equal(want) {
		a.fail("a touch after one that failed did not move the deadline to %v", want)
	}
}

// throttleNeverExpires is a property of random activity: with pauses below Idle
// minus TouchEvery a session lives, and is touched once per TouchEvery at most.
func throttleNeverExpires(a *app) {
	rng, store := rand.New(rand.NewPCG(a.rng.Uint64(), 3)), a.open()
	for range a.scale(40, 4) {
		idle := time.Duration(1+rng.IntN(600)) * time.Minute
		every := max(time.Duration(rng.Int64N(int64(idle*9/10))).Truncate(time.Millisecond), time.Millisecond)
		if rng.IntN(3) == 0 {
			every = idle / 10 // the default
			a.opts.TouchEvery = 0
		} else {
			a.opts.TouchEvery = every
		}
		a.opts.Idle, a.opts.Absolute = idle, idle*time.Duration(2+rng.IntN(40))
		m, spy := a.spiedOn(store)
		s := a.visit(m)
		began, end := a.clock.Now(), s.Deadline()
		spy.reset(nil, nil)
		last, touches := began, 0
		for {
			a.clock.Advance(time.Duration(rng.Int64N(int64(idle - every))).Truncate(time.Millisecond))
			now := a.clock.Now()
			if !now.Before(end) {
				break
			}
			got, err := m.Load(a.Context(), s.ID())
			if err != nil {
				a.fatal("idle %v, touch every %v: an active session is gone %v before its end, %v after its creation",
					idle, every, end.Sub(now), now.Sub(began))
			}
			a.save(got)
			n := spy.writes()
			if n == touches {
				continue
			}
			// The last step, to the absolute deadline, may be a small one.
			if n > touches+1 || now.Sub(last) < every && !got.Expires().Equal(end) {
				a.fatal("idle %v, touch every %v: %d touches within %v", idle, every, n-touches, now.Sub(last))
			}
			last, touches = now, n
		}
		if most := int(end.Sub(began)/every) + 2; touches > most {
			a.fail("idle %v, touch every %v: %d touches in %v, want at most %d", idle, every, touches, end.Sub(began), most)
		}
		a.dead(m, s.ID(), "after the absolute deadline")
	}
}
