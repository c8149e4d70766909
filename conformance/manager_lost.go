package conformance

import (
	"errors"
	"fmt"

	"github.com/websession/websession/session"
)

// loss is what a network does to one call of a store.
type loss string

const (
	requestLost loss = "its request was lost"
	answerLost  loss = "its answer was lost"
	requestLate loss = "its request came late"
)

// trial is a request one of whose store calls suffers a loss.
type trial struct {
	*app
	far *session.Manager // whose calls suffer none
	m   *session.Manager
	s   *session.Session // red, with the counter at 1, loaded by m
	old session.ID       // of s as it was loaded

	user string // of s; nobody else's, so that no two trials share an index entry

	when   string
	loss   loss
	method string // of the call that suffers
	err    error  // of the request
	before int    // things in the place before the session came
	one    int    // things that a session is
}

// lossyRequests are requests, and what must be true after one whose call
// suffered.
var lossyRequests = []struct {
	name  string
	run   func(t *trial) error
	check func(t *trial)
}{
	{"a save",
		func(t *trial) error { return t.setSave(t.s, colorKey, "blue") },
		func(t *trial) { t.need(t.when, t.err); t.lives(t.old, t.user, "blue", 1); t.lie(1) }},
	{"a save of the user",
		func(t *trial) error { return t.setSave(t.s, userKey, t.user+"2") },
		func(t *trial) { t.need(t.when, t.err); t.lives(t.old, t.user+"2", "red", 1); t.lie(1) }},
	{"two saves",
		func(t *trial) error {
			return errors.Join(t.setSave(t.s, userKey, t.user+"2"), t.setSave(t.s, colorKey, "blue"))
		},
		func(t *trial) { t.need(t.when, t.err); t.lives(t.old, t.user+"2", "blue", 1); t.lie(1) }},
	{"an update",
		func(t *trial) error { return t.m.Update(t.Context(), t.old, increment) },
		func(t *trial) {
			if t.method == "Load" { // nothing was begun
				t.failed()
				t.lives(t.old, t.user, "red", 1)
				return
			}
			t.need(t.when, t.err)
			t.lives(t.old, t.user, "red", 2)
			t.lie(1)
		}},
	{"a touch",
		func(t *trial) error { return t.s.Save(t.Context()) },
		func(t *trial) { t.need(t.when, t.err); t.lives(t.old, t.user, "red", 1); t.lie(1) }},
	{"a renewal",
		func(t *trial) error { return errors.Join(colorKey.Set(t.s, "blue"), t.s.Renew(t.Context())) },
		func(t *trial) {
			t.dead(t.far, t.old, "by the id before Renew; "+t.when)
			if t.method == "Delete" && t.loss == answerLost { // a logout would look the same
				t.notFound(t.when, t.err)
				if !errors.Is(t.err, session.ErrUnknownOutcome) {
					t.fail("%s: %v, want ErrUnknownOutcome as well", t.when, t.err)
				}
				t.lie(0)
				return
			}
			t.need(t.when, t.err)
			t.lives(t.s.ID(), t.user, "blue", 1)
			t.lie(1)
		}},
	{"a logout",
		func(t *trial) error { return t.s.Destroy(t.Context()) },
		func(t *trial) { t.need(t.when, t.err); t.dead(t.far, t.old, t.when); t.lie(0) }},
	{"a logout by id",
		func(t *trial) error { return t.m.Destroy(t.Context(), t.old) },
		func(t *trial) {
			if t.method == "Load" { // where the index is apart
				t.failed()
				t.lives(t.old, t.user, "red", 1)
				return
			}
			t.need(t.when, t.err)
			t.dead(t.far, t.old, t.when)
			t.lie(0)
		}},
	{"a first save",
		func(t *trial) error {
			t.s = t.m.NewSession()
			return errors.Join(countKey.Set(t.s, 1), userKey.Set(t.s, t.user+"2"), t.setSave(t.s, colorKey, "blue"))
		},
		func(t *trial) { t.need(t.when, t.err); t.lives(t.s.ID(), t.user+"2", "blue", 1); t.lie(2) }},
	{"a first save under an id that is known",
		func(t *trial) error {
			t.s = t.m.NewSession()
			t.old = t.s.ID()
			return errors.Join(countKey.Set(t.s, 1), userKey.Set(t.s, t.user+"2"), t.setSave(t.s, colorKey, "blue"))
		},
		func(t *trial) {
			if t.method == "Create" && t.loss != answerLost { // a second one could outlive a logout
				if !errors.Is(t.err, session.ErrUnknownOutcome) {
					t.fail("%s: %v, want ErrUnknownOutcome", t.when, t.err)
				}
				return
			}
			t.need(t.when, t.err)
			t.lives(t.old, t.user+"2", "blue", 1)
			if t.s.ID() != t.old {
				t.fail("%s: the id has changed", t.when)
			}
			t.sameThings(t.before+2*t.one, t.when)
		}},
}

func oneCallLost(a *app) {
	far := a.server()
	m, spy := a.spied()
	for _, r := range lossyRequests {
		for _, l := range []loss{requestLost, answerLost, requestLate} {
			for k := 1; ; k++ {
				t := a.begin(far, m)
				if k > 100 || !t.lose(spy, r.run, l, k) {
					break
				}
				t.when = fmt.Sprintf("%s whose store call %d, %s, suffered: %s", r.name, k, t.method, l)
				r.check(t)
			}
		}
	}
}

// begin makes the session of a trial.
func (a *app) begin(far, m *session.Manager) *trial {
	a.Helper()
	t := &trial{app: a, far: far, m: m, user: a.token(10)}
	t.before, _ = a.things()
	s := far.NewSession()
	a.need("Set", errors.Join(userKey.Set(s, t.user), colorKey.Set(s, "red"), countKey.Set(s, 1)))
	a.save(s)
	now, _ := a.things()
	t.one, t.old = now-t.before, s.ID()
	a.clock.Advance(a.opts.Idle / 2) // a touch is due
	return t
}

// lose makes the request, whose k-th call suffers, and reports whether it makes
// so many.
func (t *trial) lose(spy *spy, run func(*trial) error, l loss, k int) bool {
	t.Helper()
	t.s, t.loss = t.load(t.m, t.old), l
	hit := func(c storeCall) bool {
		if c.n != k || t.method != "" || l == requestLate && c.method == "Load" {
			return false
		}
		t.method = c.method
		return true
	}
	late := func() {}
	spy.reset(func(c storeCall) error {
		if l == requestLost && hit(c) {
			return errCut
		}
		return nil
	}, func(c storeCall, err error) error {
		if l == answerLost && hit(c) {
			return errCut
		}
		return err
	})
	spy.later(func(c storeCall, call func()) error {
		if l == requestLate && hit(c) {
			late = call
			return errCut
		}
		return nil
	})
	t.err = run(t)
	spy.reset(nil, nil)
	late()
	return t.method != ""
}

// lives demands a session and what it holds.
func (t *trial) lives(id session.ID, user, color string, count int64) {
	t.Helper()
	s, err := t.far.Load(t.Context(), id)
	if err != nil {
		t.fail("%s: Load: %v", t.when, err)
		return
	}
	if u, c, n := userKey.GetOr(s, ""), colorKey.GetOr(s, ""), countKey.GetOr(s, 0); u != user || c != color || n != count {
		t.fail("%s: the session holds %q, %q, %d; want %q, %q, %d", t.when, u, c, n, user, color, count)
	}
}

// lie demands that so many sessions lie in the place, whole and nothing else. A
// Create that comes after it was given up may leave one that nobody has the id of.
func (t *trial) lie(sessions int) {
	t.Helper()
	if t.method != "Create" || t.loss != requestLate {
		t.sameThings(t.before+sessions*t.one, t.when)
	}
}

// failed demands an error that leaves no doubt.
func (t *trial) failed() {
	t.Helper()
	if t.err == nil || errors.Is(t.err, session.ErrUnknownOutcome) {
		t.fail("%s: %v, want an error, and no doubt", t.when, t.err)
	}
}
