package simulate

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/websession/websession/session/driver"
)

// history is what happened, and what is wrong with it.
type history struct {
	seed     uint64
	setting  *setting
	events   []event
	problems []string
	names    map[string]int // numbers of keys, in the order of their appearance
	idents   []*ident       // all ids that anybody was told

	figures
}

// figures say what histories were made of.
type figures struct {
	operations, calls, faulty, lateCalls, merged     int
	renewed, ended, saved, updated, touched, expired int
	strays, leftovers                                int
}

func (f *figures) add(o figures) {
	f.operations += o.operations
	f.calls += o.calls
	f.faulty += o.faulty
	f.lateCalls += o.lateCalls
	f.merged += o.merged
	f.renewed += o.renewed
	f.ended += o.ended
	f.saved += o.saved
	f.updated += o.updated
	f.touched += o.touched
	f.expired += o.expired
}

// complete reports whether everything has happened that histories are about.
func (f figures) complete() bool {
	for _, n := range []int{f.faulty, f.lateCalls, f.merged, f.renewed, f.ended, f.saved, f.updated, f.touched, f.expired} {
		if n == 0 {
			return false
		}
	}
	return true
}

func (f figures) String() string {
	return fmt.Sprintf("%d operations, %d calls of the store, %d of them suffered and %d came late; %d saves and %d updates (%d merged), %d touches, %d renewals, %d logouts, %d times somebody met an expired session",
		f.operations, f.calls, f.faulty, f.lateCalls, f.saved, f.updated, f.merged, f.touched, f.renewed, f.ended, f.expired)
}

// event is one line of a history. It is made into text only when somebody asks.
type event struct {
	step   int
	at     time.Duration
	kind   string
	client *client
	op     *operation
	call   *call
	err    error
	n      int
	span   time.Duration
}

func (w *world) note(e event) {
	e.step, e.at = w.step, time.Since(w.began)
	if e.call != nil && e.call.key != "" && w.names[e.call.key] == 0 {
		if w.names == nil {
			w.names = make(map[string]int)
		}
		w.names[e.call.key] = len(w.names) + 1
	}
	w.events = append(w.events, e)
}

func (w *world) fail(format string, args ...any) {
	w.problems = append(w.problems, fmt.Sprintf(format, args...))
}

// text answers the whole history. It names records by numbers, and holds no id.
func (h *history) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d: %v\n", h.seed, h.setting)
	for _, e := range h.events {
		fmt.Fprintf(&b, "%5d %10v ", e.step, e.at)
		switch {
		case e.op != nil:
			fmt.Fprintf(&b, "client %d %s %v", e.op.client.n, e.kind, e.op)
			if v := e.op.seen; v != nil && e.kind == "ends" {
				fmt.Fprintf(&b, " and sees %v count %d", v.values, v.count)
			}
		case e.call != nil && e.client != nil:
			fmt.Fprintf(&b, "client %d     %s %s", e.client.n, e.kind, h.describe(e.call))
		case e.call != nil:
			fmt.Fprintf(&b, "             %s %s", e.kind, h.describe(e.call))
		case e.client != nil:
			fmt.Fprintf(&b, "client %d %s", e.client.n, e.kind)
		case e.kind == "jump":
			fmt.Fprintf(&b, "clock of server %d is wrong by %v", e.n, e.span)
		default:
			fmt.Fprintf(&b, "%s %v", e.kind, e.span)
		}
		if e.err != nil {
			fmt.Fprintf(&b, ": %s", brief(e.err))
		}
		b.WriteByte('\n')
	}
	for _, p := range h.problems {
		fmt.Fprintf(&b, "WRONG: %s\n", p)
	}
	return b.String()
}

func (h *history) describe(k *call) string {
	s := k.method
	if k.key != "" {
		s += fmt.Sprintf(" record %d", h.names[k.key])
	}
	if k.old != "" {
		s += " in " + string(k.old)
	}
	return s
}

func (op *operation) String() string {
	var b strings.Builder
	b.WriteString(opNames[op.kind])
	if op.line != nil {
		fmt.Fprintf(&b, " session %d", op.line.n)
	}
	if op.ident != nil {
		fmt.Fprintf(&b, " id %d", op.ident.n)
	}
	fmt.Fprintf(&b, " on server %d", op.server.n)
	if op.clear {
		b.WriteString(" clear")
	}
	if op.counts {
		b.WriteString(" count")
	}
	for _, w := range op.changes {
		fmt.Fprintf(&b, " %s=%d", attributes[w.attr], w.value)
		if w.again {
			b.WriteString("(again)")
		}
	}
	return b.String()
}

// brief says an error in a few words.
func brief(err error) string {
	var words []string
	for _, e := range []error{driver.ErrNotFound, driver.ErrExists, driver.ErrConflict, driver.ErrNotApplied, driver.ErrUnknownOutcome} {
		if errors.Is(err, e) {
			words = append(words, e.Error())
		}
	}
	if len(words) == 0 {
		return err.Error()
	}
	return strings.Join(words, " + ")
}
