package conformance

import (
	"github.com/websession/websession/session"
)

func renewalRaceCases() []testCase {
	return []testCase{
		appCase("Renewing/OfTwoRenewalsOneWins",
			"two logins with one planted id must not both end in a session of their own",
			ofTwoRenewalsOneWins),
		appCase("Renewing/RenewalAtEveryStepOfAnother",
			"as above, for every order of their store calls",
			renewalAtEveryStep),
		appCase("Renewing/RenewalAgainstSave",
			"what a request saved while another one logged in must be in the new session, or its author must be told",
			renewalAgainstSave),
		appCase("Renewing/RenewalAgainstLogout",
			"who logs out while another tab logs in must not be left with a session that nobody asked for",
			renewalAgainstLogout),
	}
}

func ofTwoRenewalsOneWins(a *app) {
	m := a.servers(4)
	for range a.scale(400, 20) {
		s := a.visitOf(m[0], "ada")
		old := s.ID()
		things, _ := a.things()
		tries := make([]*session.Session, len(m))
		errs := make([]error, len(m))
		for i := range tries {
			tries[i] = a.load(m[i], old)
		}
		together(len(tries), func(i int) { errs[i] = tries[i].Renew(a.Context()) })
		var won []*session.Session
		for i, err := range errs {
			if err == nil {
				won = append(won, tries[i])
				continue
			}
			a.notFound("a Renew that lost", err)
			if tries[i].ID() != old {
				a.fail("a Renew that lost changed the id")
			}
		}
		if len(won) != 1 {
			a.fatal("of %d renewals at once, %d were answered nil", len(tries), len(won))
		}
		a.dead(m[0], old, "by the id before Renew")
		holds(a, a.load(m[0], won[0].ID()), userKey, "ada")
		a.sameThings(things, "after renewals at once")
		a.need("Destroy", won[0].Destroy(a.Context()))
	}
	a.sameThings(0, "in the end")
}

func renewalAtEveryStep(a *app) {
	far := a.server()
	m, spy := a.spied()
	a.atEveryStep(spy, "renewal", func() duel {
		s := a.visitOf(far, "ada")
		old := s.ID()
		things, _ := a.things()
		slow, quick := a.load(m, old), a.load(far, old)
		var quickErr error
		return duel{
			slow:  func() error { return slow.Renew(a.Context()) },
			other: func() { quickErr = quick.Renew(a.Context()) },
			check: func(when string, err error, late bool) {
				winner := quick
				if late {
					winner = slow
					err, quickErr = quickErr, err
				}
				a.need(when+": the Renew that came first", quickErr)
				a.notFound(when+": the Renew that came second", err)
				a.dead(m, old, "by the id before Renew; "+when)
				holds(a, a.load(far, winner.ID()), userKey, "ada")
				a.sameThings(things, when)
				a.need("Destroy", winner.Destroy(a.Context()))
			},
		}
	})
}

func renewalAgainstSave(a *app) {
	m := a.servers(2)
	for range a.scale(1000, 30) {
		s := a.visitOf(m[0], "ada")
		old := s.ID()
		other := a.load(m[1], old)
		a.need("Set", userKey.Set(s, "bob"))
		a.need("Set", shapeKey.Set(other, "flat"))
		var renewed, saved error
		both(func() { renewed = s.Renew(a.Context()) }, func() { saved = other.Save(a.Context()) })
		a.need("Renew while another request saves", renewed)
		got := a.load(m[1], s.ID())
		holds(a, got, userKey, "bob")
		if saved == nil {
			holds(a, got, shapeKey, "flat")
		} else {
			a.notFound("Save by the id before Renew", saved)
			a.names(got, "color", "user")
		}
		a.dead(m[0], old, "by the id before Renew")
		a.need("Destroy", s.Destroy(a.Context()))
	}
	a.sameThings(0, "in the end")
}

func renewalAgainstLogout(a *app) {
	m := a.servers(2)
	for i := range a.scale(1000, 30) {
		s := a.visitOf(m[0], "ada")
		old := s.ID()
		var renewed, destroyed error
		both(func() { renewed = s.Renew(a.Context()) }, func() { destroyed = m[i%2].Destroy(a.Context(), old) })
		a.need("Destroy while another request renews", destroyed)
		a.dead(m[0], old, "after Renew and Destroy")
		if renewed != nil {
			a.notFound("Renew of a session that was destroyed", renewed)
			if s.ID() != old {
				a.fail("a Renew that failed changed the id")
			}
		} else { // the logout came with a dead id
			a.need("Destroy", s.Destroy(a.Context()))
		}
		a.sameThings(0, "after Renew and Destroy")
	}
}
