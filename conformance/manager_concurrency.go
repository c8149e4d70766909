package conformance

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/websession/websession/session"
)

func concurrencyCases() []testCase {
	return []testCase{
		appCase("Concurrency/DifferentAttributesBothSurvive",
			"a page loads its parts at once; what one part saves must not undo what the other did",
			differentAttributesBothSurvive),
		appCase("Concurrency/LaterSaveOfOneAttributeWins",
			"of two values one must win, the same one on every server, and nothing else may be lost",
			laterSaveWins),
		appCase("Concurrency/CounterIsExact",
			"Update loses nothing: the number of log-in attempts, the last seat, the balance",
			counterIsExact),
		appCase("Concurrency/DeletedAttributeStaysDeleted",
			"a right that was withdrawn must not come back with a request that knew it",
			deletedAttributeStaysDeleted),
		appCase("Concurrency/VisitorsDoNotCross",
			"visitors who arrive at the same moment must not get each other's session",
			visitorsDoNotCross),
		appCase("Concurrency/SessionsAreApart",
			"a busy store must not mix up the sessions of different people",
			sessionsAreApart),
		appCase("Concurrency/OneRequestManyGoroutines",
			"the goroutines of a request share its session; what each of them set is saved",
			oneRequestManyGoroutines),
	}
}

func differentAttributesBothSurvive(a *app) {
	m := a.servers(4)
	n := a.scale(1000, 50)
	lost := 0
	for i := range n {
		id := a.visit(m[i%4]).ID()
		x, y := a.load(m[i%4], id), a.load(m[(i+1+i/4%3)%4], id)
		if i%5 == 0 {
			y = a.load(m[i%4], id) // the same server
		}
		a.need("Set", errors.Join(shapeKey.Set(x, "round"), countKey.Set(y, int64(i))))
		var errs [2]error
		both(func() { errs[0] = x.Save(a.Context()) }, func() { errs[1] = y.Save(a.Context()) })
		a.need("two saves at once", errors.Join(errs[:]...))
		got := a.load(m[(i+2)%4], id)
		if shapeKey.GetOr(got, "") != "round" || countKey.GetOr(got, -1) != int64(i) || colorKey.GetOr(got, "") != "red" {
			lost++
		}
	}
	if lost > 0 {
		a.fail("of %d pairs of requests that each set an attribute at once, %d lost one", n, lost)
	}
}

func laterSaveWins(a *app) {
	m := a.servers(2)
	id := a.visit(m[0]).ID()
	x, y := a.load(m[0], id), a.load(m[1], id)
	a.need("Set", errors.Join(colorKey.Set(x, "x"), colorKey.Set(y, "y"), shapeKey.Set(y, "of y"), countKey.Set(x, 1)))
	a.save(y)
	a.save(x)
	got := a.load(m[1], id)
	holds(a, got, colorKey, "x")
	holds(a, got, shapeKey, "of y")
	holds(a, x, shapeKey, "of y") // after Save a session shows what others saved

	for i := range a.scale(400, 20) {
		x, y := a.load(m[0], id), a.load(m[1], id)
		n := int64(i)
		a.need("Set", errors.Join(colorKey.Set(x, "x"), colorKey.Set(y, "y")))
		a.need("Set", errors.Join(session.NewKey[int64]("x").Set(x, n), session.NewKey[int64]("y").Set(y, n)))
		var errs [2]error
		both(func() { errs[0] = x.Save(a.Context()) }, func() { errs[1] = y.Save(a.Context()) })
		a.need("two saves at once", errors.Join(errs[:]...))
		for _, m := range m {
			got := a.load(m, id)
			if c := colorKey.GetOr(got, ""); c != "x" && c != "y" {
				a.fail("after saves of x and y the attribute is %q", c)
			}
			holds(a, got, session.NewKey[int64]("x"), n)
			holds(a, got, session.NewKey[int64]("y"), n)
		}
	}
}

// counterWorkers is how many requests increment one counter at once.
const counterWorkers = 64

func counterIsExact(a *app) {
	m := a.servers(4)
	id := a.visit(m[0]).ID()
	each := a.scale(100, 4)
	together(counterWorkers, func(w int) {
		for range each {
			if err := m[w%4].Update(a.Context(), id, increment); err != nil {
				a.fail("Update: %v", err)
				return
			}
		}
	})
	for _, m := range m {
		holds(a, a.load(m, id), countKey, int64(counterWorkers*each))
	}
	a.names(a.load(m[0], id), "color", "count")
}

func deletedAttributeStaysDeleted(a *app) {
	m := a.servers(2)
	for i := range a.scale(400, 20) {
		s := m[0].NewSession()
		a.need("Set", errors.Join(colorKey.Set(s, "red"), userKey.Set(s, "ada"), countKey.Set(s, 0)))
		a.save(s)
		withdraw, other := a.load(m[0], s.ID()), a.load(m[1], s.ID())
		a.need("Delete", withdraw.Delete("user"))
		a.need("Set", countKey.Set(other, 1))
		switch i % 3 {
		case 0:
			a.save(withdraw)
			a.save(other)
		case 1:
			a.save(other)
			a.save(withdraw)
		case 2:
			var errs [2]error
			both(func() { errs[0] = withdraw.Save(a.Context()) }, func() { errs[1] = other.Save(a.Context()) })
			a.need("two saves at once", errors.Join(errs[:]...))
		}
		got := a.load(m[1], s.ID())
		a.names(got, "color", "count")
		holds(a, got, countKey, 1)
	}
}

func visitorsDoNotCross(a *app) {
	m := a.servers(4)
	const visitors = 64
	type visitor struct {
		id session.ID
		s  *session.Session
	}
	all := make([]visitor, visitors)
	own := func(i int) string { return fmt.Sprintf("visitor %d", i) }
	together(visitors, func(i int) {
		s := m[i%4].NewSession()
		if err := errors.Join(userKey.Set(s, own(i)), s.Save(a.Context())); err != nil {
			a.fail("create: %v", err)
		}
		all[i] = visitor{s.ID(), s}
	})
	seen := make(map[session.ID]bool)
	for i, v := range all {
		if seen[v.id] {
			a.fail("two visitors got one id")
		}
		seen[v.id] = true
		holds(a, v.s, userKey, own(i))
		holds(a, a.load(m[(i+1)%4], v.id), userKey, own(i))
	}
}

func sessionsAreApart(a *app) {
	m := a.servers(4)
	sessions, rounds := a.scale(200, 16), a.scale(60, 6)
	ids := make([]session.ID, sessions)
	for i := range ids {
		ids[i] = a.visitOf(m[i%4], fmt.Sprint(i)).ID()
	}
	var bad atomic.Int64
	together(8, func(w int) {
		for r := range rounds {
			for i := w; i < sessions; i += 8 {
				s, err := m[(i+r)%4].Load(a.Context(), ids[i])
				if err != nil || userKey.GetOr(s, "") != fmt.Sprint(i) || countKey.GetOr(s, 0) != int64(r) {
					bad.Add(1)
					continue
				}
				if err := errors.Join(increment(s), s.Save(a.Context())); err != nil {
					a.fail("Save: %v", err)
				}
			}
		}
	})
	if n := bad.Load(); n > 0 {
		a.fail("%d loads of %d did not answer the session's own values", n, sessions*rounds)
	}
}

func oneRequestManyGoroutines(a *app) {
	m := a.servers(2)
	s := a.visit(m[0])
	const goroutines = 8
	var saving sync.WaitGroup
	for i := range goroutines {
		saving.Go(func() {
			k := session.NewKey[int64](fmt.Sprint("own", i))
			for n := range int64(5) {
				_ = s.Names()
				_ = s.ID()
				_ = s.Expires()
				if err := errors.Join(k.Set(s, n), s.Save(a.Context())); err != nil {
					a.fail("Save: %v", err)
				}
				if got, err := k.Get(s); err != nil || got != n {
					a.fail("a goroutine set %d and reads %d (%v)", n, got, err)
				}
			}
		})
	}
	saving.Wait()
	if s.Changed() {
		a.fail("every goroutine saved, and there is still something to save")
	}
	got := a.load(m[1], s.ID())
	for i := range goroutines {
		holds(a, got, session.NewKey[int64](fmt.Sprint("own", i)), 4)
	}
	holds(a, got, colorKey, "red")
}
