package conformance

import (
	"context"
	"errors"
	"iter"

	"github.com/websession/websession/session"
	"github.com/websession/websession/session/driver"
)

func foundAreReadOnly(a *app) {
	m := a.server()
	s := a.visitOf(m, "ada")
	n := 0
	for got, err := range m.Find(a.Context(), "user", "ada") {
		a.need("Find", err)
		n++
		if got.ID() != "" || got.Handle() != s.Handle() || !got.Created().Equal(s.Created()) || !got.Expires().Equal(s.Expires()) {
			a.fail("a found session has an id, or another handle, creation or expiry than the session")
		}
		for what, err := range map[string]error{
			"Set":     colorKey.Set(got, "blue"),
			"Delete":  got.Delete("color"),
			"Clear":   got.Clear(),
			"Save":    got.Save(a.Context()),
			"Renew":   got.Renew(a.Context()),
			"Destroy": got.Destroy(a.Context()),
			"Reload":  got.Reload(a.Context()),
		} {
			if !errors.Is(err, session.ErrReadOnly) {
				a.fail("%s of a found session: %v, want ErrReadOnly", what, err)
			}
		}
	}
	if n != 1 {
		a.fail("Find answers %d sessions, want 1", n)
	}
	holds(a, a.load(m, s.ID()), colorKey, "red")
}

func destroysFound(a *app) {
	m := a.servers(2)
	destroy := func(want int, match func(*session.Session) bool) {
		a.Helper()
		if n, err := m[0].DestroyFound(a.Context(), "user", "ada", match); n != want || err != nil {
			a.fail("DestroyFound: %d, %v; want %d", n, err, want)
		}
	}
	things, _ := a.things()
	bob := a.visitOf(m[0], "bob")
	all := make([]*session.Session, 6)
	for i := range all {
		all[i] = a.visitOf(m[i%2], "ada")
	}
	late := a.load(m[1], all[0].ID())

	destroy(1, session.HasHandle(all[5].Handle()))
	a.dead(m[1], all[5].ID(), "after the session of that handle was destroyed")
	a.finds(m[1], "user", "ada", all[:5]...)

	destroy(4, session.OtherThan(all[2]))
	a.finds(m[1], "user", "ada", all[2])
	for i, s := range all[:5] {
		if alive := a.alive(m[1], s.ID()); alive != (i == 2) {
			a.fail("after all but the third were destroyed, session %d is alive: %v", i+1, alive)
		}
	}
	a.notFound("Save of a session that was destroyed so", a.setSave(late, colorKey, "blue"))

	destroy(0, func(*session.Session) bool { return false })
	destroy(1, nil)
	destroy(0, nil)
	a.finds(m[1], "user", "ada")
	a.finds(m[1], "user", "bob", bob)
	a.need("Destroy", bob.Destroy(a.Context()))
	a.sameThings(things, "after all were destroyed")
}

// sloppy is a store whose Search yields every record, and twice: it may.
type sloppy struct {
	driver.Store
	driver.Scanner
}

func (s sloppy) Search(ctx context.Context, _, _ string) iter.Seq2[driver.Record, error] {
	return func(yield func(driver.Record, error) bool) {
		for range 2 {
			for rec, err := range s.Scan(ctx) {
				if !yield(rec, err) {
					return
				}
			}
		}
	}
}

func checksWhatTheStoreAnswers(a *app) {
	store := a.open()
	m := a.managerOf(sloppy{store, store.(driver.Scanner)}, a.opts)
	ada, bob, nobody := a.visitOf(m, "ada"), a.visitOf(m, "bob"), a.visit(m)
	a.finds(m, "user", "ada", ada)

	// An index that does not fit its session, as after a fault of a store.
	rec, v := a.record(store, keyOf(bob))
	wrong, _ := a.record(store, keyOf(ada))
	rec.Was, rec.Index = rec.Index, wrong.Index
	_, err := store.Replace(a.Context(), rec, v)
	a.need("Replace", err)
	a.finds(m, "user", "ada", ada)

	if n, err := m.DestroyFound(a.Context(), "user", "ada", nil); n != 1 || err != nil {
		a.fail("DestroyFound: %d, %v; want 1", n, err)
	}
	for _, s := range []*session.Session{bob, nobody} {
		holds(a, a.load(m, s.ID()), colorKey, "red")
	}
}
