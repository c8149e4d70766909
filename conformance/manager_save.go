package conformance

import (
	"errors"
	"time"

	"github.com/websession/websession/session"
	"github.com/websession/websession/session/driver"
)

func savingCases() []testCase {
	return []testCase{
		appCase("Saving/UpdateRoundTrips",
			"what one request saves the next one reads, on whatever server",
			updateRoundTrips),
		appCase("Saving/UnchangedIsNotWritten",
			"most requests change nothing; a write for each would be most of the load",
			unchangedIsNotWritten),
		appCase("Saving/DestroyedIsGone",
			"a slow request that saves after the logout must not bring the session back, in whole or in part",
			savingDestroyedIsGone),
		appCase("Saving/ExpiredIsGone",
			"a session that is over stays over, whatever a late request saves",
			savingExpiredIsGone),
		appCase("Saving/PartialChangeKeepsOthers",
			"a request that sets one attribute must not drop the others",
			partialChangeKeepsOthers),
		appCase("Saving/InPlaceChangeNeedsSet",
			"a value that was changed but not set is saved by one driver and not by the next, unless none does",
			inPlaceChangeNeedsSet),
		appCase("Saving/EmptiedNewSessionIsNotStored",
			"a session that had an attribute for a moment only is an anonymous visit",
			emptiedNewSessionIsNotStored),
		appCase("Saving/ClearedSessionStays",
			"Clear empties a session; it does not log out, and the id stays valid",
			clearedSessionStays),
		appCase("Saving/NeverBeyondTheAbsoluteDeadline",
			"a stolen session must end at some time, however busy the thief is",
			neverBeyondTheAbsoluteDeadline),
		appCase("Saving/ChangesDuringASaveAreKept",
			"a goroutine of a request that changes the session while another one saves it must not lose that",
			changesDuringASave),
		appCase("Saving/FailedSaveKeepsChanges",
			"a request that may try again must not save half of what it did",
			failedSaveKeepsChanges),
	}
}

func updateRoundTrips(a *app) {
	m := a.servers(2)
	id := a.visit(m[0]).ID()
	for i := range int64(10) {
		s := a.load(m[i%2], id)
		a.need("Set", countKey.Set(s, i))
		if !s.Changed() {
			a.fail("a session with a new value does not count as changed")
		}
		a.save(s)
		holds(a, s, countKey, i)
		holds(a, s, colorKey, "red")
		got := a.load(m[(i+1)%2], id)
		holds(a, got, countKey, i)
		a.names(got, "color", "count")
	}
	a.need("Update", m[0].Update(a.Context(), id, increment))
	holds(a, a.load(m[1], id), countKey, 10)
}

func unchangedIsNotWritten(a *app) {
	m, spy := a.spied()
	s := a.visit(m)
	spy.reset(nil, nil)
	a.save(s)
	a.save(s)
	if n := spy.writes(); n != 0 {
		a.fail("Save after Save made %d writes", n)
	}
	s = a.load(m, s.ID())
	holds(a, s, colorKey, "red")
	a.save(s)
	a.need("Delete", s.Delete("absent"))
	a.save(s)
	a.need("Update", m.Update(a.Context(), s.ID(), func(*session.Session) error { return nil }))
	refused := errors.New("refused")
	if err := m.Update(a.Context(), s.ID(), func(s *session.Session) error {
		return errors.Join(increment(s), refused)
	}); !errors.Is(err, refused) {
		a.fail("Update answers %v, want the error of its function", err)
	}
	if n := spy.writes(); n != 0 {
		a.fail("requests that changed nothing made %d writes", n)
	}
	a.names(a.load(m, s.ID()), "color")
}

func savingDestroyedIsGone(a *app) {
	m := a.servers(2)
	for _, c := range []struct {
		what string
		save func(s *session.Session) error
	}{
		{"changed attribute", func(s *session.Session) error { return colorKey.Set(s, "blue") }},
		{"new attribute", func(s *session.Session) error { return shapeKey.Set(s, "round") }},
		{"deleted attribute", func(s *session.Session) error { return s.Delete("color") }},
		{"changed user", func(s *session.Session) error { return userKey.Set(s, "bob") }},
		{"Clear", func(s *session.Session) error { return s.Clear() }},
		{"idle time-out", func(s *session.Session) error { return s.SetIdle(2 * time.Hour) }},
	} {
		s := a.visitOf(m[0], "ada")
		id := s.ID()
		for _, late := range []*session.Session{s, a.load(m[0], id), a.load(m[1], id)} {
			a.need("Destroy", m[1].Destroy(a.Context(), id))
			a.need(c.what, c.save(late))
			a.notFound("Save of a destroyed session with a "+c.what, late.Save(a.Context()))
			a.notFound("a second Save", late.Save(a.Context()))
			a.notFound("Update of a destroyed session", m[0].Update(a.Context(), id, increment))
			a.dead(m[0], id, "after a late Save")
			a.sameThings(0, "after a late Save of a destroyed session")
		}
	}
}

func savingExpiredIsGone(a *app) {
	m := a.servers(2)
	s := a.visit(m[0])
	late := a.load(m[1], s.ID())
	store := a.open()
	_, v := a.record(store, keyOf(s))
	a.clock.Advance(a.opts.Idle)
	a.notFound("Save of a session that expired", a.setSave(late, colorKey, "blue"))
	a.notFound("Update of a session that expired", m[0].Update(a.Context(), s.ID(), increment))
	a.dead(m[0], s.ID(), "after a late Save")
	if _, now := a.record(store, keyOf(s)); now != v {
		a.fail("a late Save wrote to an expired session")
	}
}

func partialChangeKeepsOthers(a *app) {
	m := a.servers(2)
	s := m[0].NewSession()
	for _, n := range []string{"a", "b", "c", "d", "e"} {
		a.need("Set", session.NewKey[string](n).Set(s, n))
	}
	a.save(s)
	got := a.load(m[1], s.ID())
	a.need("Set", session.NewKey[string]("c").Set(got, "other"))
	a.need("Delete", got.Delete("d"))
	a.save(got)
	a.names(got, "a", "b", "c", "e")
	got = a.load(m[0], s.ID())
	a.names(got, "a", "b", "c", "e")
	for n, want := range map[string]string{"a": "a", "b": "b", "c": "other", "e": "e"} {
		holds(a, got, session.NewKey[string](n), want)
	}
}

func inPlaceChangeNeedsSet(a *app) {
	listKey := session.NewKey[[]string]("list")
	m := a.servers(2)
	s := m[0].NewSession()
	a.need("Set", listKey.Set(s, []string{"one"}))
	a.save(s)
	s = a.load(m[0], s.ID())
	list, err := listKey.Get(s)
	a.need("Get", err)
	list[0] = "two"
	a.need("Set", countKey.Set(s, 1)) // saved with another change
	a.save(s)
	if got, err := listKey.Get(a.load(m[1], s.ID())); err != nil || got[0] != "one" {
		a.fail("a value that was changed in place was saved: %q (%v)", got, err)
	}
	a.need("Set", listKey.Set(s, list))
	a.save(s)
	if got, err := listKey.Get(a.load(m[1], s.ID())); err != nil || got[0] != "two" {
		a.fail("a value that was set was not saved: %q (%v)", got, err)
	}
}

func emptiedNewSessionIsNotStored(a *app) {
	m, spy := a.spied()
	for _, empty := range []func(*session.Session) error{
		func(s *session.Session) error { return s.Delete("color") },
		func(s *session.Session) error { return s.Clear() },
		func(s *session.Session) error { _, err := colorKey.Pop(s); return err },
		func(s *session.Session) error { return session.NewKey[*string]("color").Set(s, nil) },
	} {
		s := m.NewSession()
		a.need("Set", colorKey.Set(s, "red"))
		a.need("SetIdle", s.SetIdle(time.Minute))
		a.need("emptying", empty(s))
		a.save(s)
		if s.Stored() {
			a.fail("a new session without attributes was stored")
		}
	}
	if _, n := spy.counted(); n != 0 {
		a.fail("new sessions without attributes cost %d store calls", n)
	}
	a.sameThings(0, "after saves of new sessions without attributes")
}

func clearedSessionStays(a *app) {
	m := a.servers(2)
	s := a.visitOf(m[0], "ada")
	created, deadline := s.Created(), s.Deadline()
	a.clock.Advance(time.Minute)
	a.need("Clear", s.Clear())
	a.names(s)
	a.save(s)
	got := a.load(m[1], s.ID())
	a.names(got)
	if !got.Created().Equal(created) || !got.Deadline().Equal(deadline) || got.ID() != s.ID() {
		a.fail("Clear changed the session itself: created %v, ends %v; were %v, %v", got.Created(), got.Deadline(), created, deadline)
	}
	a.need("Save", a.setSave(got, colorKey, "blue"))
	a.names(a.load(m[0], s.ID()), "color")
}

func neverBeyondTheAbsoluteDeadline(a *app) {
	m := a.servers(2)
	s := a.visit(m[0])
	end := a.clock.Now().Add(a.opts.Absolute)
	for i := int64(0); a.clock.Now().Before(end); i++ {
		got := a.load(m[i%2], s.ID())
		a.need("Set", countKey.Set(got, i))
		a.save(got)
		if got.Expires().After(end) || !got.Deadline().Equal(end) {
			a.fail("a save moved the end to %v, expiry to %v; the session ends %v", got.Deadline(), got.Expires(), end)
		}
		a.clock.Advance(a.opts.Idle * 3 / 4)
	}
	a.dead(m[0], s.ID(), "after the absolute deadline")
	a.dead(m[1], s.ID(), "after the absolute deadline")
}

func changesDuringASave(a *app) {
	m, spy := a.spied()
	s := m.NewSession()
	during := func(change func() error) {
		spy.reset(func(c storeCall) error {
			if c.n == 1 {
				a.need("change", change())
			}
			return nil
		}, nil)
	}
	stored := func(want attrs) {
		a.Helper()
		spy.reset(nil, nil)
		a.content(a.load(m, s.ID()), "in the store", want)
	}
	a.need("Set", inTurn(setText("a", "1"), setText("b", "1"))(s))
	during(func() error { return inTurn(setText("a", "2"), removeName("b"), setText("c", "2"))(s) })
	a.save(s) // Create
	stored(attrs{"a": "1", "b": "1"})
	a.content(s, "after changes during a first Save", attrs{"a": "2", "c": "2"})
	a.need("Set", setText("d", "3")(s))
	during(func() error { return setText("d", "4")(s) })
	a.save(s) // Replace
	stored(attrs{"a": "2", "c": "2", "d": "3"})
	a.content(s, "after a change during a Save", attrs{"a": "2", "c": "2", "d": "4"})
	during(func() error { return inTurn(setText("a", "5"), setText("e", "5"))(s) })
	a.need("Renew", s.Renew(a.Context()))
	stored(attrs{"a": "2", "c": "2", "d": "4"})
	a.content(s, "after changes during Renew", attrs{"a": "5", "c": "2", "d": "4", "e": "5"})
	during(func() error { return clearAll(s) })
	a.save(s)
	stored(attrs{"a": "5", "c": "2", "d": "4", "e": "5"})
	a.content(s, "after Clear during a Save", attrs{})
	a.save(s)
	stored(attrs{})
	if s.Changed() {
		a.fail("in the end there is still something to save")
	}
}

func failedSaveKeepsChanges(a *app) {
	m, spy := a.spied()
	full := errors.New("disk full")
	refuse := func(c storeCall) error {
		if c.method == "Create" || c.method == "Replace" {
			return driver.NotApplied(full)
		}
		return nil
	}
	s := m.NewSession()
	a.need("Set", colorKey.Set(s, "red"))
	check := func(what string) {
		a.Helper()
		spy.reset(refuse, nil)
		if err := s.Save(a.Context()); !errors.Is(err, full) || errors.Is(err, session.ErrUnknownOutcome) {
			a.fail("%s that the store refused: %v, want its error, and no doubt", what, err)
		}
		if !s.Changed() {
			a.fail("%s failed, and its changes are gone", what)
		}
		spy.reset(nil, nil)
		a.save(s)
		if s.Changed() {
			a.fail("%s was repeated, and there is still something to save", what)
		}
	}
	check("a first Save")
	holds(a, a.load(m, s.ID()), colorKey, "red")
	a.need("Set", colorKey.Set(s, "blue"))
	a.need("Set", countKey.Set(s, 7))
	check("a Save")
	got := a.load(m, s.ID())
	holds(a, got, colorKey, "blue")
	holds(a, got, countKey, 7)
	a.need("Clear", s.Clear())
	check("a Save of Clear")
	a.names(a.load(m, s.ID()))
}
