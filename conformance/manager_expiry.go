package conformance

import (
	"math/rand/v2"
	"time"

	"github.com/websession/websession/session"
)

func expiringCases() []testCase {
	return []testCase{
		appCase("Expiry/UseExtends",
			"who works is not logged out, who left is",
			useExtends),
		appCase("Expiry/AbsoluteIsNeverExtended",
			"a stolen session must end at some time, whatever is done with it",
			absoluteIsNeverExtended),
		appCase("Expiry/PerSession",
			"an administrator's session may be shorter than a reader's, and either may change its mind",
			expiryPerSession),
		appCase("Expiry/NoLimit",
			"a session without a deadline is not purged, by the framework or by the store",
			expiryNoLimit),
		appCase("Expiry/LongLife",
			"a deadline in years must not overflow in a store that counts in 32 bits, or be cut at 30 days",
			expiryLongLife),
		appCase("Expiry/ClocksMayDiffer",
			"a server whose clock is behind must not bring nearer what the others have promised, nor end what they keep alive",
			clocksMayDiffer),
		appCase("Expiry/LongRequest",
			"a request may last longer than the idle time-out, a download or a WebSocket; others kept its session alive meanwhile",
			longRequest),
		appCase("Expiry/WholeMilliseconds",
			"a deadline that one store rounds and the next one does not is another deadline on another server",
			expiryWholeMilliseconds),
		appCase("Expiry/ThrottleNeverExpiresActiveSessions",
			"touches are rare, to spare the store; that must never log out somebody who is at work",
			throttleNeverExpires),
	}
}

func useExtends(a *app) {
	m := a.servers(2)
	used, left := a.visit(m[0]), a.visit(m[0])
	for i := range 6 {
		a.clock.Advance(a.opts.Idle / 2)
		s := a.load(m[i%2], used.ID())
		if i%2 == 0 {
			a.save(s) // a touch
		} else {
			a.need("Save", a.setSave(s, shapeKey, "round"))
		}
		want := a.clock.Now().Add(a.opts.Idle)
		if got := a.load(m[1-i%2], used.ID()).Expires(); !got.Equal(want) {
			a.fail("a session that was used expires %v, want %v", got, want)
		}
		if alive := a.alive(m[1], left.ID()); alive != (i == 0) {
			a.fail("%v after its last use a session is alive: %v", a.opts.Idle/2*time.Duration(i+1), alive)
		}
	}
	if got, want := a.load(m[1], used.ID()).LastUse(), a.clock.Now(); !got.Equal(want) {
		a.fail("the session was last used %v, want %v", got, want)
	}
	a.clock.Advance(a.opts.Idle)
	a.dead(m[0], used.ID(), "of a session that was left")
}

func absoluteIsNeverExtended(a *app) {
	m := a.servers(2)
	s := a.visit(m[0])
	id, created, end := s.ID(), s.Created(), a.clock.Now().Add(a.opts.Absolute)
	for i := 0; ; i++ {
		a.clock.Advance(a.opts.Idle/2 + time.Millisecond)
		if !a.clock.Now().Before(end) {
			break
		}
		s := a.load(m[i%2], id)
		switch i % 4 {
		case 0:
			a.save(s)
		case 1:
			a.need("Save", a.setSave(s, colorKey, "blue"))
		case 2:
			a.need("Renew", s.Renew(a.Context()))
			id = s.ID()
		case 3:
			a.need("SetIdle", s.SetIdle(24*time.Hour))
			a.save(s)
		}
		got := a.load(m[1-i%2], id)
		if !got.Deadline().Equal(end) || got.Expires().After(end) || !got.Created().Equal(created) {
			a.fail("after %d uses: created %v, expires %v, ends %v; want creation %v, end %v",
				i+1, got.Created(), got.Expires(), got.Deadline(), created, end)
		}
	}
	a.dead(m[0], id, "after the absolute deadline")
	a.dead(m[1], id, "after the absolute deadline")
}

func expiryPerSession(a *app) {
	a.opts.Absolute = 24 * time.Hour
	m := a.servers(2)
	s := a.visit(m[0])
	expires := func(idle time.Duration) {
		a.Helper()
		want := a.clock.Now().Add(idle)
		if got := a.load(m[1], s.ID()).Expires(); !got.Equal(want) {
			a.fail("with an idle time-out of %v, %v after creation, the session expires %v, want %v",
				idle, a.clock.Now().Sub(s.Created()), got, want)
		}
	}
	for _, idle := range []time.Duration{10 * time.Minute, 3 * time.Hour, 1500 * time.Millisecond, 0} {
		a.need("SetIdle", s.SetIdle(idle))
		a.save(s)
		if idle == 0 {
			idle = a.opts.Idle
		}
		expires(idle)
		a.clock.Advance(idle / 2)
		s = a.load(m[0], s.ID())
		a.need("Save", a.setSave(s, shapeKey, idle.String()))
		expires(idle)
		a.clock.Advance(idle / 2)
		s = a.load(m[1], s.ID())
		a.save(s) // a touch
		expires(idle)
	}
	a.need("SetIdle", s.SetIdle(time.Minute))
	a.need("Renew", s.Renew(a.Context()))
	expires(time.Minute)
	a.clock.Advance(time.Minute)
	a.dead(m[0], s.ID(), "after its own idle time-out")
}

func expiryNoLimit(a *app) {
	a.opts.Idle, a.opts.Absolute = session.NoLimit, session.NoLimit
	m := a.servers(2)
	s := a.visitOf(m[0], "ada")
	got := a.load(m[1], s.ID())
	if !got.Expires().IsZero() || !got.Deadline().IsZero() || !got.LastUse().IsZero() {
		a.fail("a session without limits expires %v, ends %v", got.Expires(), got.Deadline())
	}
	a.clock.Advance(50 * 365 * 24 * time.Hour)
	for _, m := range m {
		if _, err := m.Purge(a.Context()); err != nil {
			a.fail("Purge: %v", err)
		}
		holds(a, a.load(m, s.ID()), colorKey, "red")
	}
	a.save(got)
	a.need("Save", a.setSave(got, colorKey, "blue"))
	if got := a.load(m[0], s.ID()).Expires(); !got.IsZero() {
		a.fail("a save gave a session without limits the deadline %v", got)
	}
	a.need("SetIdle", got.SetIdle(time.Minute))
	a.save(got)
	if exp, want := a.load(m[0], s.ID()).Expires(), a.clock.Now().Add(time.Minute); !exp.Equal(want) {
		a.fail("a session that got a limit expires %v, want %v", exp, want)
	}
	a.clock.Advance(time.Minute)
	a.dead(m[0], s.ID(), "after its idle time-out")
}

func expiryLongLife(a *app) {
	const year = 365 * 24 * time.Hour
	store, other := a.open(), a.open()
	for _, life := range []time.Duration{2 * time.Millisecond, 31 * 24 * time.Hour, 69 * year, 99*year + 123*time.Millisecond} {
		a.opts.Idle, a.opts.Absolute = life, session.NoLimit
		m := []*session.Manager{a.managerOf(store, a.opts), a.managerOf(other, a.opts)}
		s := a.visit(m[0])
		end := a.clock.Now().Add(life)
		if got := a.load(m[1], s.ID()).Expires(); !got.Equal(end) {
			a.fail("a session that lives %v expires %v, want %v", life, got, end)
		}
		a.clock.Advance(life - time.Millisecond)
		holds(a, a.load(m[1], s.ID()), colorKey, "red")
		a.clock.Advance(time.Millisecond)
		a.dead(m[1], s.ID(), "at its end")
		a.clock = newClock()
		a.opts.Now = a.clock.Now
	}
}

func clocksMayDiffer(a *app) {
	const skew = 60 * time.Second
	behind := &clock{now: a.clock.Now().Add(-skew)}
	ahead := a.server()
	a.opts.Now = behind.Now
	late := a.server()
	s := a.visit(ahead)
	end := s.Deadline()
	expires := s.Expires()
	for i := range 20 {
		for _, m := range []*session.Manager{late, ahead, late} {
			got := a.load(m, s.ID())
			if i%2 == 0 {
				a.need("Set", countKey.Set(got, int64(i)))
			}
			a.save(got)
			now := a.load(ahead, s.ID())
			if now.Expires().Before(expires) || now.Expires().After(end) || !now.Deadline().Equal(end) {
				a.fail("a server whose clock is %v behind moved the deadline from %v to %v, the end from %v to %v",
					skew, expires, now.Expires(), end, now.Deadline())
			}
			expires = now.Expires()
		}
		a.clock.Advance(a.opts.Idle / 10)
		behind.Advance(a.opts.Idle / 10)
	}
	a.need("Renew", s.Renew(a.Context()))
	holds(a, a.load(late, s.ID()), colorKey, "red")
	young := a.visit(late)
	holds(a, a.load(ahead, young.ID()), colorKey, "red")
	for _, m := range []*session.Manager{ahead, late} {
		if _, err := m.Purge(a.Context()); err != nil {
			a.fail("Purge: %v", err)
		}
		holds(a, a.load(m, s.ID()), colorKey, "red")
		holds(a, a.load(m, young.ID()), colorKey, "red")
	}
}

func longRequest(a *app) {
	m := a.servers(2)
	s := a.visit(m[0])
	id := s.ID()
	var long []*session.Session
	for range 4 {
		long = append(long, a.load(m[1], id))
	}
	for range 3 {
		a.clock.Advance(a.opts.Idle / 2)
		a.save(a.load(m[0], id))
	}
	a.need("Save of a session that was only read, at the end of a long request", long[0].Save(a.Context()))
	a.need("Save at the end of a long request", a.setSave(long[0], shapeKey, "round"))
	a.need("Save at the end of a long request", a.setSave(long[1], numberKey, "7"))
	a.need("Reload in a long request", long[2].Reload(a.Context()))
	a.names(long[2], "color", "number", "shape")
	a.need("Set", colorKey.Set(long[3], "blue"))
	a.need("Renew at the end of a long request", long[3].Renew(a.Context()))
	got := a.load(m[0], long[3].ID())
	a.names(got, "color", "number", "shape")
	holds(a, got, colorKey, "blue")
	a.dead(m[0], id, "by the id before Renew")
}

func expiryWholeMilliseconds(a *app) {
	a.opts.Idle, a.opts.Absolute = time.Hour+1500*time.Microsecond, 3*time.Hour+time.Nanosecond
	a.clock.Advance(700 * time.Microsecond)
	m := a.servers(2)
	store := a.open()
	s := a.visit(m[0])
	check := func(when string) {
		a.Helper()
		rec, _ := a.record(store, keyOf(s))
		for _, t := range []time.Time{s.Created(), s.Expires(), s.Deadline(), rec.Expires} {
			if !t.Equal(t.Truncate(time.Millisecond)) || t.Location() != time.UTC {
				a.fail("%s: %v is not a whole millisecond of UTC", when, t)
			}
		}
		if !rec.Expires.Equal(s.Expires()) || !a.load(m[1], s.ID()).Expires().Equal(s.Expires()) {
			a.fail("%s: the session expires %v, its record %v", when, s.Expires(), rec.Expires)
		}
	}
	check("after a first Save")
	a.clock.Advance(20*time.Minute + 300*time.Microsecond)
	a.save(s)
	check("after a touch")
	a.need("Save", a.setSave(s, colorKey, "blue"))
	check("after a Save")
	a.need("Renew", s.Renew(a.Context()))
	check("after Renew")
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
