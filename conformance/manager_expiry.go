package conformance

import (
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
		appCase("Expiry/LimitAndBack",
			"a deadline that is taken away and given again must neither end the session at the old one nor keep it for ever",
			expiryLimitAndBack),
		appCase("Expiry/PersistentIsRemembered",
			"who asked to be remembered is remembered by every server, and lives neither longer nor shorter for it",
			persistentIsRemembered),
		appCase("Expiry/LongLife",
			"a deadline in years must not overflow in a store that counts in 32 bits, or be cut at 30 days",
			expiryLongLife),
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

func expiryLimitAndBack(a *app) {
	a.opts.Idle, a.opts.Absolute = session.NoLimit, session.NoLimit
	m := a.servers(2)
	id := a.visitOf(m[0], "ada").ID()
	set := func(m *session.Manager, idle time.Duration) {
		a.Helper()
		s := a.load(m, id)
		a.need("SetIdle", s.SetIdle(idle))
		a.save(s)
	}
	const month = 30 * 24 * time.Hour
	for i, idle := range []time.Duration{time.Minute, 2 * month, 1500 * time.Millisecond} {
		set(m[i%2], idle)
		if got, want := a.load(m[1-i%2], id).Expires(), a.clock.Now().Add(idle); !got.Equal(want) {
			a.fail("a session that got the limit %v expires %v, want %v", idle, got, want)
		}
		a.purges(m[i%2], 0)
		set(m[1-i%2], 0)
		if got := a.load(m[i%2], id).Expires(); !got.IsZero() {
			a.fail("a session whose limit was taken away expires %v", got)
		}
		a.clock.Advance(3 * month)
		a.purges(m[0], 0)
		holds(a, a.load(m[i%2], id), userKey, "ada")
	}
	set(m[0], month)
	set(m[1], time.Minute)
	a.clock.Advance(time.Minute)
	a.dead(m[0], id, "after its last limit")
	a.clock.Advance(ripe)
	if a.has("Purger") {
		a.purges(m[1], 1)
		a.sameThings(0, "after Purge")
	}
}

func persistentIsRemembered(a *app) {
	m := a.servers(2)
	s := m[0].NewSession()
	a.need("SetPersistent", s.SetPersistent(true))
	a.save(s)
	if s.Stored() {
		a.fail("a session that has nothing but the wish to be remembered was stored")
	}
	a.need("Set", colorKey.Set(s, "red"))
	a.save(s)
	expires, end := s.Expires(), s.Deadline()
	is := func(want bool, when string) {
		a.Helper()
		for _, m := range m {
			got := a.load(m, s.ID())
			if got.Persistent() != want || !got.Expires().Equal(expires) || !got.Deadline().Equal(end) {
				a.fail("%s: persistent %v, expires %v, ends %v; want %v, %v, %v", when, got.Persistent(), got.Expires(), got.Deadline(), want, expires, end)
			}
		}
	}
	is(true, "after a first Save")
	for _, want := range []bool{false, true} {
		s = a.load(m[0], s.ID())
		a.need("SetPersistent", s.SetPersistent(want))
		a.save(s)
		is(want, "after a Save of nothing else")
	}
	a.need("Save", a.setSave(a.load(m[1], s.ID()), colorKey, "blue"))
	is(true, "after a change of an attribute")
	a.clock.Advance(a.opts.Idle / 2)
	expires = a.clock.Now().Add(a.opts.Idle)
	a.save(a.load(m[1], s.ID()))
	is(true, "after a touch")

	one, two := a.load(m[0], s.ID()), a.load(m[1], s.ID())
	a.need("SetPersistent", one.SetPersistent(false))
	a.save(one)
	a.need("Save", a.setSave(two, shapeKey, "round"))
	is(false, "after a Save of an attribute by one who loaded it before")
	a.need("SetPersistent", two.SetPersistent(true))
	a.need("Renew", two.Renew(a.Context()))
	s = two
	is(true, "after Renew")
	got := a.load(m[0], s.ID())
	a.names(got, "color", "shape")
	holds(a, got, colorKey, "blue")
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
