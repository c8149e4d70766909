package conformance

import (
	"errors"
	"fmt"

	"github.com/websession/websession/session"
)

// duel is a slow request and another one that runs at some moment of it, from
// beginning to end, on another server.
type duel struct {
	slow  func() error
	other func()
	// check looks at what became of both. err is that of slow; late says that
	// other ran after it.
	check func(when string, err error, late bool)
}

// atEveryStep runs a duel for every store call that the slow request makes on
// the store of spy, with the other request just before that call; the last time,
// after all of them.
func (a *app) atEveryStep(spy *spy, what string, begin func() duel) {
	a.Helper()
	for k := 1; k <= 100; k++ {
		d := begin()
		late := true
		spy.reset(func(c storeCall) error {
			if c.n == k && late {
				late = false
				d.other()
			}
			return nil
		}, nil)
		err := d.slow()
		spy.reset(nil, nil)
		if late {
			d.other()
			d.check(what+", the other request afterwards", err, true)
			return
		}
		d.check(fmt.Sprintf("%s, the other request before store call %d", what, k), err, false)
	}
	a.fatal("%s made more than 100 store calls", what)
}

func interleavingCases() []testCase {
	return []testCase{
		appCase("Concurrency/LogoutAtEveryStepOfARequest",
			"a logout that comes at the wrong moment of a slow request must end the session all the same",
			logoutAtEveryStep),
		appCase("Concurrency/SaveAtEveryStepOfARequest",
			"what a request was told is saved must be in the session, whatever another request did at that moment",
			saveAtEveryStep),
	}
}

// slowRequests are what requests do with a session of ada that is red, and what
// they make of it.
var slowRequests = []struct {
	name        string
	color, user string
	run         func(a *app, m *session.Manager, s *session.Session) error
}{
	{"save", "blue", "ada", func(a *app, m *session.Manager, s *session.Session) error {
		return a.setSave(s, colorKey, "blue")
	}},
	{"save of Clear", "blue", "", func(a *app, m *session.Manager, s *session.Session) error {
		return errors.Join(s.Clear(), a.setSave(s, colorKey, "blue"))
	}},
	{"save of the user", "red", "bob", func(a *app, m *session.Manager, s *session.Session) error {
		return a.setSave(s, userKey, "bob")
	}},
	{"two saves", "blue", "ada", func(a *app, m *session.Manager, s *session.Session) error {
		err := a.setSave(s, shapeKey, "round")
		return errors.Join(err, a.setSave(s, colorKey, "blue"))
	}},
	{"update", "blue", "ada", func(a *app, m *session.Manager, s *session.Session) error {
		return m.Update(a.Context(), s.ID(), func(s *session.Session) error { return colorKey.Set(s, "blue") })
	}},
	{"touch", "red", "ada", func(a *app, m *session.Manager, s *session.Session) error {
		return s.Save(a.Context())
	}},
	{"reload and save", "blue", "ada", func(a *app, m *session.Manager, s *session.Session) error {
		err := s.Reload(a.Context())
		return errors.Join(err, a.setSave(s, colorKey, "blue"))
	}},
	{"renewal", "red", "ada", func(a *app, m *session.Manager, s *session.Session) error {
		return s.Renew(a.Context())
	}},
	{"renewal with changes", "red", "bob", func(a *app, m *session.Manager, s *session.Session) error {
		return errors.Join(userKey.Set(s, "bob"), s.Renew(a.Context()))
	}},
	{"save and renewal", "blue", "ada", func(a *app, m *session.Manager, s *session.Session) error {
		err := a.setSave(s, colorKey, "blue")
		return errors.Join(err, s.Renew(a.Context()))
	}},
}

func logoutAtEveryStep(a *app) {
	far, separate := a.server(), a.separate()
	m, spy := a.spied()
	for _, r := range slowRequests {
		for _, conflict := range []bool{false, true} {
			what := r.name
			if conflict {
				what += " after a conflict"
			}
			a.atEveryStep(spy, what, func() duel {
				s := a.visitOf(far, "ada")
				id := s.ID()
				slow, logout := a.load(m, id), a.load(far, id)
				a.clock.Advance(a.opts.Idle / 2) // a touch is due
				if conflict {
					a.need("Save", a.setSave(s, shapeKey, "flat"))
				}
				return duel{
					slow: func() error { return r.run(a, m, slow) },
					other: func() {
						if separate {
							a.need("Destroy", far.Destroy(a.Context(), id))
							return
						}
						a.need("Destroy", logout.Destroy(a.Context()))
					},
					check: func(when string, err error, late bool) {
						if late {
							a.need(when, err)
						}
						a.dead(far, id, "of a destroyed session; "+when)
						a.dead(m, id, "of a destroyed session; "+when)
						switch {
						case !late:
							a.dead(far, slow.ID(), "of a session that was destroyed meanwhile; "+when)
						case slow.ID() != id: // the logout came with a dead id
							holds(a, a.load(far, slow.ID()), userKey, r.user)
							a.need("Destroy", m.Destroy(a.Context(), slow.ID()))
						}
						if err != nil {
							a.notFound(when, err)
						}
						a.sameThings(0, when)
					},
				}
			})
		}
	}
}

// saveAtEveryStep saves another attribute while a request is slow.
func saveAtEveryStep(a *app) {
	far := a.server()
	m, spy := a.spied()
	for _, r := range slowRequests {
		for _, by := range []string{"Save", "Update"} {
			a.atEveryStep(spy, r.name, func() duel {
				s := a.visitOf(far, "ada")
				id := s.ID()
				slow, quick := a.load(m, id), a.load(far, id)
				a.clock.Advance(a.opts.Idle / 2)
				var saved error
				return duel{
					slow: func() error { return r.run(a, m, slow) },
					other: func() {
						if by == "Save" {
							saved = a.setSave(quick, shapeKey, "flat")
							return
						}
						saved = far.Update(a.Context(), id, func(s *session.Session) error { return shapeKey.Set(s, "flat") })
					},
					check: func(when string, err error, late bool) {
						a.need(when, err)
						got := a.load(far, slow.ID())
						if c, u := colorKey.GetOr(got, ""), userKey.GetOr(got, ""); c != r.color || u != r.user {
							a.fail("%s: the session is %q of %q, want %q of %q", when, c, u, r.color, r.user)
						}
						switch {
						case saved == nil && (r.name == "save of Clear" || r.name == "two saves") && !late:
							// The slow request may have changed it after that.
						case saved == nil:
							if shapeKey.GetOr(got, "") != "flat" {
								a.fail("%s: %s answered nil, and its attribute is lost", when, by)
							}
						default:
							a.notFound(when+", "+by+" by the id before Renew", saved)
							if slow.ID() == id {
								a.fail("%s: %s answered %v for a session that lives", when, by, saved)
							}
						}
						a.need("Destroy", m.Destroy(a.Context(), slow.ID()))
						a.sameThings(0, when)
					},
				}
			})
		}
	}
}
