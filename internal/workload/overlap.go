package workload

import (
	"errors"
	"slices"
	"testing"

	"github.com/websession/websession/session"
)

// Overlap lets two overlapping requests of one session, on two Managers with a
// handle each, set an attribute each, pairs times: both survive.
func Overlap(t *testing.T, class string, props map[string]any, pairs int) {
	t.Helper()
	ms := managers(t, 2, class, props, nil)
	for range pairs {
		id := NewSession(t, ms[0])
		one, other := Load(t, ms[0], id), Load(t, ms[1], id)
		must(t, Left.Set(one, "l"))
		must(t, Right.Set(other, "r"))
		var errOne, errOther error
		Together(func() { errOne = one.Save(background) }, func() { errOther = other.Save(background) })
		must(t, errors.Join(errOne, errOther))
		if names := Load(t, ms[0], id).Names(); !slices.Equal(names, []string{"count", "left", "right"}) {
			t.Fatalf("of what two requests set is left %v", names)
		}
		must(t, ms[0].Destroy(background, id))
	}
	t.Logf("figure: %s: lost updates of two overlapping requests over two Managers: %s", class, Zero(pairs))
}

// SlowSaves lets a request save while another Manager ends its session, or after
// that, tries times: the session stays dead, for a third Manager as well. None of
// them remembers what it ended, so that it is the store that says so.
func SlowSaves(t *testing.T, class string, props map[string]any, tries int) {
	t.Helper()
	ms := managers(t, 3, class, props, &session.Options{RefuseEnded: session.NoLimit})
	told := 0
	for i := range tries {
		id := NewSession(t, ms[0])
		slow := Load(t, ms[0], id)
		must(t, Left.Set(slow, "l"))
		var saved, ended error
		save, end := func() { saved = slow.Save(background) }, func() { ended = ms[1].Destroy(background, id) }
		if i%2 == 0 {
			Together(save, end)
		} else {
			end()
			if save(); saved == nil {
				t.Fatal("a save after the end of the session was accepted")
			}
		}
		must(t, ended)
		if saved != nil {
			mustBeGone(t, saved)
			told++
		}
		for _, m := range ms {
			_, err := m.Load(background, id)
			mustBeGone(t, err)
		}
	}
	t.Logf("figure: %s: destroyed sessions that a slow save brought back: %s; %d savers came too late and were told", class, Zero(tries), told)
}

func mustBeGone(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, session.ErrNotFound) {
		t.Fatalf("the session was ended, and the answer is %v", err)
	}
}
