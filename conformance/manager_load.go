package conformance

import (
	"bytes"
	"time"

	"github.com/websession/websession/session"
)

func readingCases() []testCase {
	return []testCase{
		appCase("Reading/ExpiredIsNotFound",
			"who left a computer an hour ago is logged out there, on every server",
			expiredIsNotFound),
		appCase("Reading/BoundaryIsExact",
			"servers that disagree about the moment of expiry answer one request so and the next one otherwise",
			boundaryIsExact),
		appCase("Reading/ChangesNothing",
			"a load that writes costs twice, and one that deletes loses sessions when a clock is wrong",
			readingChangesNothing),
		appCase("Reading/AnswersPrivateCopies",
			"a value that is changed in place must not appear in other requests, nor in the store unless it is set",
			readingAnswersPrivateCopies),
		appCase("Reading/ReloadDropsChanges",
			"a request that wants the newest state must get it, and be told when there is none",
			reloadDropsChanges),
	}
}

func expiredIsNotFound(a *app) {
	m := a.servers(2)
	s := a.visitOf(m[0], "ada")
	id := s.ID()
	before, _ := a.things()
	stale := a.load(m[1], id)
	a.clock.Advance(a.opts.Idle)
	a.dead(m[0], id, "of an expired session")
	a.dead(m[1], id, "of an expired session")
	a.notFound("Update of an expired session", m[1].Update(a.Context(), id, increment))
	a.notFound("Save of a session that expired", a.setSave(stale, colorKey, "blue"))
	a.notFound("Renew of a session that expired", s.Renew(a.Context()))
	a.sameThings(before, "after requests to an expired session")
	a.dead(m[0], id, "of an expired session")
}

func boundaryIsExact(a *app) {
	a.opts.Idle = 90*time.Minute + 123*time.Millisecond
	m := a.servers(2)
	if part := a.clock.Now().Truncate(time.Second); !part.Equal(a.clock.Now()) { // so that the end is no whole second
		a.clock.Advance(part.Add(time.Second).Sub(a.clock.Now()))
	}
	id := a.visit(m[0]).ID()
	end := a.clock.Now().Add(a.opts.Idle)
	a.clock.Advance(a.opts.Idle - time.Millisecond)
	s := a.load(m[1], id)
	if !s.Expires().Equal(end) || s.Expires().Location() != time.UTC {
		a.fail("the session expires %v, want %v", s.Expires(), end)
	}
	a.clock.Advance(999 * time.Microsecond)
	if !a.alive(m[1], id) {
		a.fail("a session is gone within the last millisecond of its life")
	}
	for _, step := range []time.Duration{time.Microsecond, time.Millisecond, time.Minute} {
		a.clock.Advance(step)
		a.dead(m[0], id, a.clock.Now().Sub(end).String()+" after the end")
		a.dead(m[1], id, a.clock.Now().Sub(end).String()+" after the end")
	}
}

func readingChangesNothing(a *app) {
	m, spy := a.spied()
	s := a.visitOf(a.server(), "ada")
	id := s.ID()
	store := a.open()
	rec, v := a.record(store, keyOf(s))
	things, _ := a.things()
	check := func(when string) {
		a.Helper()
		now, nowV := a.record(store, rec.Key)
		if !bytes.Equal(now.Data, rec.Data) || !now.Expires.Equal(rec.Expires) || nowV != v {
			a.fail("the record has changed %s", when)
		}
		if n := spy.writes(); n != 0 {
			a.fail("%s: %d writes", when, n)
		}
		a.sameThings(things, when)
	}
	for range 3 {
		a.clock.Advance(a.opts.Idle / 4) // a touch would be due
		got := a.load(m, id)
		holds(a, got, colorKey, "red")
		_ = got.Has("shape")
		_, _ = got.Value("count")
		_ = got.Names()
		if got.Changed() {
			a.fail("a session that was read only counts as changed")
		}
		got.Finish()
	}
	check("after loads")
	a.clock.Advance(24 * time.Hour)
	a.dead(m, id, "of an expired session")
	check("after loads of an expired session")
}

func readingAnswersPrivateCopies(a *app) {
	type cart struct {
		Items []string
		Price map[string]int
	}
	bytesKey, cartKey := session.NewKey[[]byte]("bytes"), session.NewKey[cart]("cart")
	m := a.servers(2)
	given := []byte("abc")
	bought := cart{Items: []string{"pen"}, Price: map[string]int{"pen": 2}}
	s := m[0].NewSession()
	a.need("Set", bytesKey.Set(s, given))
	a.need("Set", cartKey.Set(s, bought))
	given[0], bought.Items[0], bought.Price["pen"] = 'X', "ink", 9
	check := func(s *session.Session, when string) {
		a.Helper()
		b, err := bytesKey.Get(s)
		c, err2 := cartKey.Get(s)
		if err != nil || err2 != nil || string(b) != "abc" || len(c.Items) != 1 || c.Items[0] != "pen" || c.Price["pen"] != 2 {
			a.fail("%s the session holds %q and %v (%v, %v)", when, b, c, err, err2)
		}
	}
	check(s, "after the values given to Set were changed")
	a.save(s)
	for _, mutate := range []*session.Session{s, a.load(m[0], s.ID())} {
		b, _ := bytesKey.Get(mutate)
		c, _ := cartKey.Get(mutate)
		v, _ := mutate.Value("cart")
		b[0], c.Items[0], c.Price["pen"] = 'X', "ink", 9
		if tree, ok := v.(map[string]any); ok {
			delete(tree, "Items")
		}
		check(mutate, "after the values that Get answered were changed")
		if mutate.Changed() {
			a.fail("a value that was changed in place counts as set")
		}
		a.save(mutate)
		check(a.load(m[0], s.ID()), "after that, loaded again,")
		check(a.load(m[1], s.ID()), "after that, on another server,")
	}
}

func reloadDropsChanges(a *app) {
	m := a.servers(2)
	s := a.visit(m[0])
	other := a.load(m[1], s.ID())
	a.need("Save", a.setSave(other, shapeKey, "round"))
	a.need("Set", colorKey.Set(s, "blue"))
	a.need("Set", countKey.Set(s, 1))
	a.need("Reload", s.Reload(a.Context()))
	a.names(s, "color", "shape")
	holds(a, s, colorKey, "red")
	if s.Changed() {
		a.fail("after Reload there is something to save")
	}
	a.save(s)
	holds(a, a.load(m[1], s.ID()), colorKey, "red")

	a.need("Destroy", m[1].Destroy(a.Context(), s.ID()))
	a.notFound("Reload of a session that was destroyed", s.Reload(a.Context()))
	a.notFound("Save after that", a.setSave(s, colorKey, "blue"))
	a.dead(m[0], s.ID(), "after that")
	late := a.visit(m[0])
	a.clock.Advance(a.opts.Idle)
	a.notFound("Reload of a session that expired", late.Reload(a.Context()))
}
