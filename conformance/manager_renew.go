package conformance

import (
	"errors"

	"github.com/websession/websession/session"
	"github.com/websession/websession/session/driver"
)

func renewingCases() []testCase {
	return []testCase{
		appCase("Renewing/KeepsAllButTheID",
			"a login must not lose the basket, nor begin the session's life anew",
			renewingKeepsAllButTheID),
		appCase("Renewing/OldIDIsDeadAtOnce",
			"an id that was planted before the login must be worth nothing after it, on every server",
			oldIDIsDeadAtOnce),
		appCase("Renewing/KeepsTheIndexEntry",
			"who logs out everywhere wants the sessions that were renewed to end, too",
			renewingKeepsTheIndexEntry, "Search"),
		appCase("Renewing/BeforeTheFirstSave",
			"a login is often the first thing that a visitor does",
			renewingBeforeTheFirstSave),
		appCase("Renewing/Twice",
			"a login and a change of privilege in one request are two renewals",
			renewingTwice),
		appCase("Renewing/WithChanges",
			"the user's name is set in the request that renews: both take effect, or neither",
			renewingWithChanges),
		appCase("Renewing/OfDestroyedIsGone",
			"a login that was slower than a logout must not bring the session back",
			renewingOfDestroyed),
		appCase("Renewing/StaleInstanceIsGone",
			"a request that began before the login must be told that its session has another id now",
			staleInstanceIsGone),
		appCase("Renewing/FailureLeavesTheOldSession",
			"a login that failed is repeated; the visitor keeps the session meanwhile",
			renewingFailure),
		appCase("Renewing/ManySessions",
			"ids fall on all partitions of a cluster; a renewal moves a session from one to another",
			renewingMany),
	}
}

func renewingKeepsAllButTheID(a *app) {
	m := a.servers(2)
	s := a.visitOf(m[0], "ada")
	a.need("SetPersistent", s.SetPersistent(true))
	a.save(s)
	old, handle, created, deadline := s.ID(), s.Handle(), s.Created(), s.Deadline()
	things, _ := a.things()
	a.clock.Advance(a.opts.Idle / 2)
	a.need("Renew", s.Renew(a.Context()))
	if s.ID() == old || s.Handle() == handle {
		a.fail("Renew kept the id")
	}
	for _, got := range []*session.Session{s, a.load(m[0], s.ID()), a.load(m[1], s.ID())} {
		a.names(got, "color", "user")
		holds(a, got, userKey, "ada")
		if !got.Created().Equal(created) || !got.Deadline().Equal(deadline) || !got.Persistent() {
			a.fail("after Renew: created %v, ends %v, persistent %v; were %v, %v, true",
				got.Created(), got.Deadline(), got.Persistent(), created, deadline)
		}
		if want := a.clock.Now().Add(a.opts.Idle); !got.Expires().Equal(want) {
			a.fail("after Renew the session expires %v, want %v", got.Expires(), want)
		}
	}
	a.sameThings(things, "after Renew")
	a.need("Save", a.setSave(s, colorKey, "blue"))
	a.save(s)
	holds(a, a.load(m[1], s.ID()), colorKey, "blue")
	a.sameThings(things, "after Renew and two saves")
}

func oldIDIsDeadAtOnce(a *app) {
	m := a.servers(4)
	for range 5 {
		s := a.visit(m[0])
		old := s.ID()
		a.need("Renew", s.Renew(a.Context()))
		for _, m := range m {
			a.dead(m, old, "by the id before Renew")
			a.notFound("Update by the id before Renew", m.Update(a.Context(), old, increment))
			a.need("Destroy by the id before Renew", m.Destroy(a.Context(), old))
			holds(a, a.load(m, s.ID()), colorKey, "red")
		}
	}
}

func renewingKeepsTheIndexEntry(a *app) {
	m := a.servers(2)
	s, other := a.visitOf(m[0], "ada"), a.visitOf(m[0], "bob")
	things, _ := a.things()
	a.need("Renew", s.Renew(a.Context()))
	a.finds(m[1], "user", "ada", s)
	a.need("Set", userKey.Set(s, "eve"))
	a.need("Renew", s.Renew(a.Context()))
	a.finds(m[1], "user", "ada")
	a.finds(m[1], "user", "eve", s)
	a.finds(m[1], "user", "bob", other)
	a.sameThings(things, "after renewals")
}

func renewingBeforeTheFirstSave(a *app) {
	m, spy := a.spied()
	s := m.NewSession()
	a.need("Set", colorKey.Set(s, "red"))
	first := s.ID()
	a.need("Renew", s.Renew(a.Context()))
	second := s.ID()
	a.need("Renew", s.Renew(a.Context()))
	if _, n := spy.counted(); n != 0 || s.Stored() {
		a.fail("Renew of a session that is not stored cost %d store calls; stored %v", n, s.Stored())
	}
	if first == second || second == s.ID() {
		a.fail("Renew of a session that is not stored kept its id")
	}
	a.save(s)
	holds(a, a.load(a.server(), s.ID()), colorKey, "red")
	a.dead(m, first, "by the id before Renew")
	a.dead(m, second, "by the id before Renew")
}

func renewingTwice(a *app) {
	m := a.servers(2)
	s := a.visit(m[0])
	things, _ := a.things()
	ids := map[session.ID]bool{s.ID(): true}
	for i := range int64(6) {
		old := s.ID()
		a.need("Set", countKey.Set(s, i))
		a.need("Renew", s.Renew(a.Context()))
		if i%2 == 1 {
			a.save(s)
			a.save(s)
		}
		a.dead(m[1], old, "by the id before Renew")
		ids[s.ID()] = true
	}
	if len(ids) != 7 {
		a.fail("6 renewals answered %d different ids", len(ids)-1)
	}
	holds(a, a.load(m[1], s.ID()), countKey, 5)
	a.sameThings(things, "after 6 renewals")
}

func renewingWithChanges(a *app) {
	m := a.servers(2)
	s := a.visit(m[0])
	other := a.load(m[1], s.ID())
	a.need("Set", countKey.Set(other, 7))
	a.save(other)
	a.need("Set", userKey.Set(s, "ada"))
	a.need("Delete", s.Delete("color"))
	a.need("Renew", s.Renew(a.Context()))
	if s.Changed() {
		a.fail("after Renew there is still something to save")
	}
	for _, got := range []*session.Session{s, a.load(m[1], s.ID())} {
		a.names(got, "count", "user")
		holds(a, got, userKey, "ada")
		holds(a, got, countKey, 7)
	}
}

func renewingOfDestroyed(a *app) {
	m := a.servers(2)
	for i := range 4 {
		s := a.visitOf(m[0], "ada")
		late := a.load(m[i%2], s.ID())
		if i >= 2 {
			a.need("Set", colorKey.Set(late, "blue"))
		}
		a.need("Destroy", m[0].Destroy(a.Context(), s.ID()))
		a.notFound("Renew of a destroyed session", late.Renew(a.Context()))
		a.notFound("a second Renew", late.Renew(a.Context()))
		a.dead(m[0], late.ID(), "after that")
		a.dead(m[0], s.ID(), "after that")
		a.sameThings(0, "after Renew of a destroyed session")
	}
}

func staleInstanceIsGone(a *app) {
	m := a.servers(2)
	s := a.visit(m[0])
	things, _ := a.things()
	stale := []*session.Session{a.load(m[0], s.ID()), a.load(m[1], s.ID())}
	a.need("Renew", s.Renew(a.Context()))
	for _, old := range stale {
		a.notFound("Reload by the id before Renew", old.Reload(a.Context()))
		a.notFound("Save by the id before Renew", a.setSave(old, colorKey, "blue"))
		a.notFound("Renew by the id before Renew", old.Renew(a.Context()))
		a.need("Destroy by the id before Renew", old.Destroy(a.Context()))
	}
	holds(a, a.load(m[1], s.ID()), colorKey, "red")
	a.sameThings(things, "after saves by the id before Renew")
}

func renewingFailure(a *app) {
	broken := errors.New("permission denied")
	for _, method := range []string{"Create", "Delete"} {
		m, spy := a.spied()
		s := a.visitOf(m, "ada")
		id := s.ID()
		things, _ := a.things()
		a.need("Set", colorKey.Set(s, "blue"))
		failed := false
		spy.reset(func(c storeCall) error {
			if c.method == method && !failed {
				failed = true
				return driver.NotApplied(broken)
			}
			return nil
		}, nil)
		if err := s.Renew(a.Context()); !errors.Is(err, broken) || errors.Is(err, session.ErrUnknownOutcome) || errors.Is(err, session.ErrNotFound) {
			a.fail("Renew whose %s failed: %v, want its error, and no doubt", method, err)
		}
		if s.ID() != id || !s.Changed() {
			a.fail("after a Renew whose %s failed, the id has changed: %v; there is something to save: %v", method, s.ID() != id, s.Changed())
		}
		holds(a, a.load(m, id), colorKey, "red")
		a.sameThings(things, "after a Renew whose "+method+" failed")
		a.need("Renew", s.Renew(a.Context()))
		holds(a, a.load(m, s.ID()), colorKey, "blue")
		a.dead(m, id, "by the id before Renew")
		a.sameThings(things, "after Renew")
		a.need("Destroy", s.Destroy(a.Context()))
	}
}

func renewingMany(a *app) {
	m := a.servers(2)
	all := make([]*session.Session, a.scale(500, 25))
	for i := range all {
		s := a.visit(m[0])
		a.need("Set", countKey.Set(s, int64(i)))
		all[i] = s
		a.need("Renew", s.Renew(a.Context()))
	}
	for i, s := range all {
		holds(a, a.load(m[1], s.ID()), countKey, int64(i))
	}
}
