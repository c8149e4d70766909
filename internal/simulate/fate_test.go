package simulate

import (
	"slices"
	"time"

	"github.com/websession/websession/session/driver"
)

// A fate is what becomes of a call that suffers.
type fate int

const (
	refused   fate = iota // the store says that it did not execute it
	cutBefore             // it is lost, and the caller does not know
	cutAfter              // its answer is lost
	delayed               // it is executed after the caller was told of a cut
	hanging               // it is lost, and the caller waits until its context ends
	fateCount
)

var fateNames = [fateCount]string{"refused", "lost", "answer lost", "late", "hangs"}

// maxLate is how long a request lives whose sender gave up.
const maxLate = time.Minute

const margin = driver.Margin

// advance moves the call of a client on: it is executed, or suffers, or returns.
func (w *world) advance(c *client) {
	k := c.call
	c.op.calls++
	switch {
	case k.ended:
		w.faulty++
		w.giveUp(c, k)
	case k.executed:
		w.answer(c, k)
	case w.rng.IntN(1000) < w.faults:
		w.faulty++
		w.suffer(c, k)
	default:
		w.execute(c, k)
		if w.rng.IntN(1000) >= w.held {
			w.answer(c, k)
		}
	}
}

// execute has the store do what k asks for.
func (w *world) execute(c *client, k *call) {
	k.executed = true
	k.err = k.execute()
	w.calls++
	w.note(event{kind: "store", client: c, call: k, err: k.err})
}

// answer lets a call return.
func (w *world) answer(c *client, k *call) {
	w.note(event{kind: "answer", client: c, call: k, err: k.err})
	if k.mutates() {
		c.op.touch = k.err
		c.op.mutated = true
	}
	c.call = nil
	c.proceed <- struct{}{}
}

// suffer lets a fault happen to a call.
func (w *world) suffer(c *client, k *call) {
	f := fate(draw(w.rng, w.weight[:]))
	if f == delayed && !w.mayBeLate(c, k) {
		f = cutBefore
	}
	w.note(event{kind: fateNames[f], client: c, call: k})
	switch f {
	case hanging:
		k.hangs = true
		return
	case refused:
		k.err = driver.NotApplied(errCut)
	case cutAfter:
		w.execute(c, k)
		k.err = w.doubt(k, errCut)
	case delayed:
		w.late = append(w.late, k)
		k.err = w.doubt(k, errCut)
	case cutBefore:
		k.err = w.doubt(k, errCut)
	}
	w.answer(c, k)
}

// doubt answers the error of a mutation whose outcome is unknown: with the mark,
// or without, as a driver may forget it.
func (w *world) doubt(k *call, err error) error {
	if k.mutates() && w.rng.IntN(2) == 0 {
		return driver.UnknownOutcome(err)
	}
	return err
}

// giveUp answers a call whose context has ended. It was executed, or is, or will
// be, or never.
func (w *world) giveUp(c *client, k *call) {
	if !k.executed && k.mutates() {
		switch w.rng.IntN(4) {
		case 0:
			w.execute(c, k)
		case 1:
			if w.mayBeLate(c, k) {
				w.late = append(w.late, k)
			}
		case 2:
			k.err = driver.NotApplied(k.ctx.Err())
			w.note(event{kind: "refused", client: c, call: k})
			w.answer(c, k)
			return
		}
	}
	k.err = w.doubt(k, k.ctx.Err())
	w.answer(c, k)
}

// mayBeLate reports whether a call may be executed after its sender gave up.
func (w *world) mayBeLate(_ *client, k *call) bool { return k.mutates() }

// arrive executes a late request.
func (w *world) arrive(i int) {
	k := w.late[i]
	w.late = slices.Delete(w.late, i, i+1)
	err := k.execute()
	w.lateCalls++
	if k.method == "create" && err == nil {
		w.strays++
	}
	w.note(event{kind: "arrives", call: k, err: err})
}
