package conformance

import (
	"maps"
	"slices"

	"github.com/websession/websession/session"
)

type attrs = map[string]string

// scope is what a request touches, which says what it keeps of another request
// that sets a and adds z.
type scope string

const (
	leavesA   scope = "not a" // a and z are those of the other request
	changesA  scope = "a"     // z is
	clearsAll scope = "all"   // nothing is
)

// deltas are what a request does to a session that holds a=1 and b=2, and what
// the session holds afterwards.
var deltas = []struct {
	name string
	do   func(s *session.Session) error
	to   scope
	want attrs
}{
	{"nothing", inTurn(), leavesA, attrs{"a": "1", "b": "2"}},
	{"add", inTurn(setText("c", "3")), leavesA, attrs{"a": "1", "b": "2", "c": "3"}},
	{"add and modify", inTurn(setText("c", "3"), setText("c", "4")), leavesA, attrs{"a": "1", "b": "2", "c": "4"}},
	{"add and remove", inTurn(setText("c", "3"), removeName("c")), leavesA, attrs{"a": "1", "b": "2"}},
	{"add, remove and add", inTurn(setText("c", "3"), removeName("c"), setText("c", "4")), leavesA, attrs{"a": "1", "b": "2", "c": "4"}},
	{"modify", inTurn(setText("a", "3")), changesA, attrs{"a": "3", "b": "2"}},
	{"modify and remove", inTurn(setText("a", "3"), removeName("a")), changesA, attrs{"b": "2"}},
	{"modify and restore", inTurn(setText("a", "3"), setText("a", "1")), changesA, attrs{"a": "1", "b": "2"}},
	{"remove", inTurn(removeName("a")), changesA, attrs{"b": "2"}},
	{"remove twice", inTurn(removeName("a"), removeName("a")), changesA, attrs{"b": "2"}},
	{"remove and add", inTurn(removeName("a"), setText("a", "3")), changesA, attrs{"a": "3", "b": "2"}},
	{"remove, add and remove", inTurn(removeName("a"), setText("a", "3"), removeName("a")), changesA, attrs{"b": "2"}},
	{"remove an absent one", inTurn(removeName("c")), leavesA, attrs{"a": "1", "b": "2"}},
	{"remove all", inTurn(removeName("a"), removeName("b")), changesA, attrs{}},
	{"set to nil", inTurn(setNil("a")), changesA, attrs{"b": "2"}},
	{"set an absent one to nil", inTurn(setNil("c")), leavesA, attrs{"a": "1", "b": "2"}},
	{"set to the clearAll text", inTurn(setText("a", "")), changesA, attrs{"a": "", "b": "2"}},
	{"clear", inTurn(clearAll), clearsAll, attrs{}},
	{"clear twice", inTurn(clearAll, clearAll), clearsAll, attrs{}},
	{"add and clear", inTurn(setText("c", "3"), clearAll), clearsAll, attrs{}},
	{"clear and add", inTurn(clearAll, setText("c", "3")), clearsAll, attrs{"c": "3"}},
	{"clear and restore", inTurn(clearAll, setText("a", "1")), clearsAll, attrs{"a": "1"}},
	{"clear, add and remove", inTurn(clearAll, setText("c", "3"), removeName("c")), clearsAll, attrs{}},
	{"clear and remove", inTurn(clearAll, removeName("a")), clearsAll, attrs{}},
	{"clear, add and clear", inTurn(clearAll, setText("c", "3"), clearAll), clearsAll, attrs{}},
	{"pop", inTurn(popText("a")), changesA, attrs{"b": "2"}},
}

var clearAll = (*session.Session).Clear

func inTurn(steps ...func(*session.Session) error) func(*session.Session) error {
	return func(s *session.Session) error {
		for _, step := range steps {
			if err := step(s); err != nil {
				return err
			}
		}
		return nil
	}
}

func setText(name, value string) func(*session.Session) error {
	return func(s *session.Session) error { return session.NewKey[string](name).Set(s, value) }
}

func setNil(name string) func(*session.Session) error {
	return func(s *session.Session) error { return session.NewKey[*string](name).Set(s, nil) }
}

func removeName(name string) func(*session.Session) error {
	return func(s *session.Session) error { return s.Delete(name) }
}

func popText(name string) func(*session.Session) error {
	return func(s *session.Session) error { _, err := session.NewKey[string](name).Pop(s); return err }
}

func deltaCases() []testCase {
	return []testCase{
		appCase("Saving/Deltas",
			"what a session holds is what the request did to it, in that order, whichever way it is saved",
			savingDeltas),
		appCase("Saving/DeltasMerge",
			"what another request saved meanwhile stays, unless this one changed it too",
			savingDeltasMerge),
	}
}

func savingDeltas(a *app) {
	m := a.servers(2)
	for _, d := range deltas {
		for how, save := range map[string]func(*session.Session, session.ID) error{
			"Save": func(s *session.Session, _ session.ID) error {
				if err := d.do(s); err != nil {
					return err
				}
				a.content(s, d.name+", before Save", d.want)
				return s.Save(a.Context())
			},
			"Update": func(_ *session.Session, id session.ID) error { return m[0].Update(a.Context(), id, d.do) },
			"Renew": func(s *session.Session, _ session.ID) error {
				if err := d.do(s); err != nil {
					return err
				}
				return s.Renew(a.Context())
			},
		} {
			s := m[0].NewSession()
			a.need("Set", inTurn(setText("a", "1"), setText("b", "2"))(s))
			a.save(s)
			id := s.ID()
			s = a.load(m[0], id)
			a.need(d.name+" and "+how, save(s, id))
			a.content(a.load(m[1], s.ID()), d.name+" and "+how, d.want)
			if how != "Update" {
				a.content(s, d.name+", after "+how, d.want)
			}
		}
	}
}

func savingDeltasMerge(a *app) {
	m := a.servers(2)
	for _, d := range deltas {
		s := m[0].NewSession()
		a.need("Set", inTurn(setText("a", "1"), setText("b", "2"))(s))
		a.save(s)
		mine, theirs := a.load(m[0], s.ID()), a.load(m[1], s.ID())
		a.need(d.name, d.do(mine))
		want := maps.Clone(d.want)
		a.need("Set", inTurn(setText("a", "other"), setText("z", "new"))(theirs))
		switch d.to {
		case leavesA:
			want["a"], want["z"] = "other", "new"
		case changesA:
			want["z"] = "new"
		}
		a.save(theirs)
		a.save(mine)
		a.content(a.load(m[1], s.ID()), d.name+", while another request set a and z", want)
		if mine.Changed() {
			a.fail("%s: after Save there is still something to save", d.name)
		}
	}
}

// content demands attributes, all of them texts.
func (a *app) content(s *session.Session, when string, want attrs) {
	a.Helper()
	got := attrs{}
	for _, n := range s.Names() {
		v, err := session.NewKey[string](n).Get(s)
		a.need("Get", err)
		got[n] = v
	}
	if !maps.Equal(got, want) {
		a.fail("%s: the session holds %v, want %v", when, got, want)
	}
	if names := s.Names(); !slices.IsSorted(names) {
		a.fail("%s: Names answers %q, which is not sorted", when, names)
	}
}
