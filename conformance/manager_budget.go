package conformance

import (
	"fmt"
	"maps"

	"github.com/websession/websession/session"
	"github.com/websession/websession/session/driver"
)

func budgetCases() []testCase {
	return []testCase{
		appCase("Budget/StoreCalls",
			"every call of the store is a round trip that a visitor waits for",
			storeCallBudget),
	}
}

func storeCallBudget(a *app) {
	m, spy := a.spied()
	_, separate := spy.inner.(driver.SeparateIndexer)
	touch := "Touch"
	if !a.has("Toucher") {
		touch = "Replace"
	}
	costs := func(what string, want map[string]int, do func() error) {
		a.Helper()
		spy.reset(nil, nil)
		a.need(what, do())
		if got, _ := spy.counted(); !maps.Equal(got, want) {
			a.fail("%s cost the store calls %v, want %v", what, got, want)
		}
	}
	calls := func(names ...string) map[string]int {
		n := make(map[string]int)
		for _, name := range names {
			n[name]++
		}
		return n
	}
	var s *session.Session
	load := func() (err error) { s, err = m.Load(a.Context(), s.ID()); return err }

	costs("an untouched session", calls(), func() error {
		s = m.NewSession()
		_ = s.ID()
		return s.Save(a.Context())
	})
	costs("a first save", calls("Create"), func() error {
		s = m.NewSession()
		return a.setSave(s, userKey, "ada")
	})
	costs("a request that reads", calls("Load"), func() error {
		if err := load(); err != nil {
			return err
		}
		_, err := userKey.Get(s)
		_ = s.Names()
		if err != nil {
			return err
		}
		return s.Save(a.Context())
	})
	costs("a request that reads and modifies", calls("Load", "Replace"), func() error {
		if err := load(); err != nil {
			return err
		}
		return a.setSave(s, colorKey, "blue")
	})
	costs("a change of the user", calls("Replace"), func() error { return a.setSave(s, userKey, "bob") })
	costs("a save of an attribute as it is", calls("Replace"), func() error { return a.setSave(s, userKey, "bob") })
	costs("an update", calls("Load", "Replace"), func() error { return m.Update(a.Context(), s.ID(), increment) })
	costs("an update that changes nothing", calls("Load"), func() error {
		return m.Update(a.Context(), s.ID(), func(*session.Session) error { return nil })
	})
	a.need("Load", load())

	a.clock.Advance(a.opts.Idle / 2)
	costs("a request that reads when a touch is due", calls("Load", touch), func() error {
		if err := load(); err != nil {
			return err
		}
		return s.Save(a.Context())
	})
	costs("the next request that reads", calls("Load"), func() error {
		if err := load(); err != nil {
			return err
		}
		return s.Save(a.Context())
	})
	a.clock.Advance(a.opts.Idle / 2)
	costs("a save when a touch is due", calls("Replace"), func() error { return a.setSave(s, colorKey, "red") })

	costs("a renewal", calls("Create", "Delete"), func() error { return s.Renew(a.Context()) })
	costs("a renewal with changes", calls("Create", "Delete"), func() error {
		if err := userKey.Set(s, "ada"); err != nil {
			return err
		}
		return s.Renew(a.Context())
	})
	costs("a reload", calls("Load"), func() error { return s.Reload(a.Context()) })
	id := s.ID()
	costs("a logout", calls("Delete"), func() error { return s.Destroy(a.Context()) })
	costs("a request with a dead cookie", calls("Load"), func() error {
		_, err := m.Load(a.Context(), id)
		if err == nil {
			return fmt.Errorf("it was loaded")
		}
		return nil
	})
	s = a.visitOf(m, "ada")
	unloaded := calls("Delete")
	if separate {
		unloaded["Load"] = 1
	}
	costs("a logout of a session that was not loaded", unloaded, func() error { return m.Destroy(a.Context(), s.ID()) })

	// With an answer that was lost, one load tells what became of the call.
	s = a.visit(m)
	lost := false
	lose := func(method string) func(storeCall, error) error {
		lost = false
		return func(c storeCall, err error) error {
			if c.method == method && !lost {
				lost = true
				return driver.UnknownOutcome(errCut)
			}
			return err
		}
	}
	spy.reset(nil, lose("Replace"))
	a.need("a save whose answer was lost", a.setSave(s, colorKey, "green"))
	if got, want := first(spy.counted()), calls("Replace", "Load"); !maps.Equal(got, want) {
		a.fail("a save whose answer was lost cost the store calls %v, want %v", got, want)
	}
}

func first[A, B any](a A, _ B) A { return a }
