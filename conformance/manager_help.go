package conformance

import (
	"encoding/base64"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/websession/websession/session"
	"github.com/websession/websession/session/driver"
)

// Attributes that the cases use.
var (
	colorKey = session.NewKey[string]("color")
	shapeKey = session.NewKey[string]("shape")
	countKey = session.NewKey[int64]("count")
	userKey  = session.NewKey[string]("user")
)

// app is an application on several servers: Managers, each with a handle of its
// own, on one place, by one clock.
type app struct {
	*place
	clock *clock
	opts  session.Options
}

// appCase is a case about an application. Its sessions live an hour after their
// last use, and six hours at most, unless the case says otherwise.
func appCase(name, why string, run func(a *app), needs ...string) testCase {
	return testCase{name: name, why: why, needs: needs, run: func(p *place) { run(newApp(p)) }}
}

func newApp(p *place) *app {
	c := newClock()
	// Stores that have time-outs keep to their own; that of the Manager is not what
	// the cases are about, and a busy server may take long to let many in at once.
	return &app{place: p, clock: c, opts: session.Options{Now: c.Now, Idle: time.Hour, Absolute: 6 * time.Hour, StoreTimeout: p.patience}}
}

// server answers another Manager.
func (a *app) server() *session.Manager {
	a.Helper()
	return a.manager(a.opts)
}

// servers answers n Managers.
func (a *app) servers(n int) []*session.Manager {
	a.Helper()
	all := make([]*session.Manager, n)
	for i := range all {
		all[i] = a.server()
	}
	return all
}

// spied answers another Manager, and the spy on its store.
func (a *app) spied() (*session.Manager, *spy) {
	a.Helper()
	return a.spiedOn(a.open())
}

// spiedOn answers a Manager on a handle that is there.
func (a *app) spiedOn(store driver.Store) (*session.Manager, *spy) {
	a.Helper()
	s := newSpy(store)
	return a.managerOf(s.store(), a.opts), s
}

// need ends the case if something that it builds on failed.
func (a *app) need(what string, err error) {
	a.Helper()
	if err != nil {
		a.fatal("%s: %v", what, err)
	}
}

// visit answers a session that was stored with the color red.
func (a *app) visit(m *session.Manager) *session.Session {
	a.Helper()
	s := m.NewSession()
	a.need("Set", colorKey.Set(s, "red"))
	a.save(s)
	return s
}

// visitOf is visit of a user.
func (a *app) visitOf(m *session.Manager, user string) *session.Session {
	a.Helper()
	s := m.NewSession()
	a.need("Set", userKey.Set(s, user))
	a.need("Set", colorKey.Set(s, "red"))
	a.save(s)
	return s
}

func (a *app) save(s *session.Session) {
	a.Helper()
	a.need("Save", s.Save(a.Context()))
}

func (a *app) load(m *session.Manager, id session.ID) *session.Session {
	a.Helper()
	s, err := m.Load(a.Context(), id)
	a.need("Load", err)
	return s
}

// setSave changes an attribute and saves.
func (a *app) setSave(s *session.Session, k session.Key[string], v string) error {
	a.Helper()
	a.need("Set", k.Set(s, v))
	return s.Save(a.Context())
}

// alive reports whether a session can be loaded.
func (a *app) alive(m *session.Manager, id session.ID) bool {
	a.Helper()
	_, err := m.Load(a.Context(), id)
	if err != nil && !errors.Is(err, session.ErrNotFound) {
		a.fail("Load: %v, want a session or ErrNotFound", err)
	}
	return err == nil
}

// dead demands that a session cannot be loaded.
func (a *app) dead(m *session.Manager, id session.ID, when string) {
	a.Helper()
	if _, err := m.Load(a.Context(), id); !errors.Is(err, session.ErrNotFound) {
		a.fail("Load %s: %v, want ErrNotFound", when, err)
	}
}

// notFound demands ErrNotFound.
func (a *app) notFound(what string, err error) {
	a.Helper()
	if !errors.Is(err, session.ErrNotFound) {
		a.fail("%s: %v, want ErrNotFound", what, err)
	}
}

// names demands the names of the attributes.
func (a *app) names(s *session.Session, want ...string) {
	a.Helper()
	if got := s.Names(); !slices.Equal(got, want) {
		a.fail("the session has the attributes %q, want %q", got, want)
	}
}

// holds demands the value of an attribute.
func holds[T comparable](a *app, s *session.Session, k session.Key[T], want T) {
	a.Helper()
	if got, err := k.Get(s); err != nil || got != want {
		a.fail("attribute %q is %v (%v), want %v", k.Name(), got, err, want)
	}
}

// things answers how many things lie in the place: records, index entries,
// left-overs. ok is false where nobody can tell.
func (a *app) things() (n int, ok bool) {
	a.Helper()
	all, ok := a.raw()
	return len(all), ok
}

// sameThings demands as many things in the place as there were before.
func (a *app) sameThings(before int, when string) {
	a.Helper()
	all, ok := a.raw()
	if ok && len(all) != before {
		a.fail("%d things lie in the place %s, want %d: %.60q", len(all), when, before, slices.Sorted(maps.Keys(all)))
	}
}

// both runs two functions at once and waits for them.
func both(f, g func()) {
	together(2, func(i int) { [...]func(){f, g}[i]() })
}

// separate reports whether the index lies apart from the records. There a logout
// that does not know the newest value leaves an entry to its readers, who drop it.
func (a *app) separate() bool {
	a.Helper()
	_, ok := a.open().(driver.SeparateIndexer)
	return ok
}

// increment adds one to the counter.
func increment(s *session.Session) error { return countKey.Set(s, countKey.GetOr(s, 0)+1) }

// keyOf answers the key of the record of a session in the native format.
func keyOf(s *session.Session) string { return string(s.Handle()) }

// record answers the record of a session as it lies in the store.
func (a *app) record(s driver.Store, key string) (driver.Record, driver.Version) {
	a.Helper()
	rec, v, err := s.Load(a.Context(), key)
	a.need("Load of the record", err)
	return rec, v
}

// idBytes answers the bytes of an id in the native format.
func idBytes(id session.ID) []byte {
	b, _ := base64.RawURLEncoding.DecodeString(id.Reveal())
	return b
}
