package conformance

import (
	"errors"

	"github.com/websession/websession/session"
)

func destroyingCases() []testCase {
	return []testCase{
		appCase("Destroying/EndsTheSession",
			"a logout that leaves the session usable on one of the servers is none",
			destroyingEndsTheSession),
		appCase("Destroying/AbsenceIsNoError",
			"two tabs log out at once; neither of them has done anything wrong",
			destroyingTwice),
		appCase("Destroying/LeavesNothingBehind",
			"what a session leaves in the store costs memory for ever, and tells who was here",
			destroyingLeavesNothing),
		appCase("Destroying/NeverStoredCostsNothing",
			"a logout of somebody who was never logged in asks no server",
			destroyingNeverStored),
		appCase("Destroying/BeginsANewSession",
			"what a request stores after the logout must not come back under the id that the client had before",
			destroyingBeginsANewSession),
	}
}

func destroyingEndsTheSession(a *app) {
	m := a.servers(2)
	for _, destroy := range []func(s *session.Session) error{
		func(s *session.Session) error { return m[0].Destroy(a.Context(), s.ID()) },
		func(s *session.Session) error { return m[1].Destroy(a.Context(), s.ID()) },
		func(s *session.Session) error { return a.load(m[1], s.ID()).Destroy(a.Context()) },
	} {
		s, other := a.visit(m[0]), a.visit(m[0])
		id := s.ID()
		a.need("Destroy", destroy(s))
		a.dead(m[0], id, "after Destroy")
		a.dead(m[1], id, "after Destroy")
		a.notFound("Update after Destroy", m[0].Update(a.Context(), id, increment))
		holds(a, a.load(m[1], other.ID()), colorKey, "red")
	}
}

func destroyingTwice(a *app) {
	m := a.servers(2)
	s := a.visitOf(m[0], "ada")
	again := a.load(m[1], s.ID())
	a.need("Destroy", m[0].Destroy(a.Context(), s.ID()))
	a.need("a second Destroy", m[0].Destroy(a.Context(), s.ID()))
	a.need("a Destroy on another server", m[1].Destroy(a.Context(), s.ID()))
	a.need("a Destroy of a session that was loaded before", again.Destroy(a.Context()))
	a.need("Destroy of an unknown id", m[0].Destroy(a.Context(), m[0].NewSession().ID()))

	s = a.visitOf(m[0], "ada")
	var errs [2]error
	both(func() { errs[0] = m[0].Destroy(a.Context(), s.ID()) }, func() { errs[1] = m[1].Destroy(a.Context(), s.ID()) })
	a.need("two Destroys at once", errors.Join(errs[:]...))
	a.dead(m[0], s.ID(), "after two Destroys at once")
	a.sameThings(0, "after that")
}

func destroyingLeavesNothing(a *app) {
	m := a.servers(2)
	for i := range 12 {
		s := a.visitOf(m[0], "ada")
		if i%2 == 1 { // a session with a history
			a.need("Save", a.setSave(a.load(m[1], s.ID()), userKey, "bob"))
			a.clock.Advance(a.opts.Idle / 2)
			a.save(a.load(m[1], s.ID()))
			s = a.load(m[0], s.ID())
			a.need("Renew", s.Renew(a.Context()))
		}
		switch i % 3 {
		case 0:
			a.need("Destroy", s.Destroy(a.Context()))
		case 1:
			a.need("Destroy", m[1].Destroy(a.Context(), s.ID()))
		case 2:
			a.need("Destroy", a.load(m[1], s.ID()).Destroy(a.Context()))
		}
		a.sameThings(0, "after Destroy")
	}
}

func destroyingNeverStored(a *app) {
	m, spy := a.spied()
	s := m.NewSession()
	id := s.ID()
	a.need("Set", colorKey.Set(s, "red"))
	a.need("Destroy", s.Destroy(a.Context()))
	if _, n := spy.counted(); n != 0 {
		a.fail("Destroy of a session that was never stored cost %d store calls", n)
	}
	if s.ID() == id || len(s.Names()) != 0 {
		a.fail("after Destroy the session has the same id, or the attributes %q", s.Names())
	}
}

func destroyingBeginsANewSession(a *app) {
	m := a.servers(2)
	s := a.visit(m[0])
	old, created := s.ID(), s.Created()
	a.clock.Advance(a.opts.Idle / 2)
	a.need("Set", shapeKey.Set(s, "round"))
	a.need("Destroy", s.Destroy(a.Context()))
	if s.Stored() || s.Changed() || len(s.Names()) != 0 {
		a.fail("after Destroy the session is stored %v, changed %v, has the attributes %q", s.Stored(), s.Changed(), s.Names())
	}
	a.save(s)
	a.sameThings(0, "after Destroy and Save")
	a.need("Save", a.setSave(s, numberKey, "7"))
	if s.ID() == old {
		a.fail("a session that began after Destroy has the id of the one before")
	}
	a.dead(m[1], old, "of a destroyed session")
	got := a.load(m[1], s.ID())
	a.names(got, numberKey.Name())
	if got.Created().Equal(created) {
		a.fail("a session that began after Destroy has the creation time of the one before")
	}
}

var numberKey = session.NewKey[string]("number")
