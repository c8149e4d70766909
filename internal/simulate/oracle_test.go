package simulate

import (
	"errors"
	"math"
	"time"

	"github.com/websession/websession/session"
)

// oracle knows what clients were answered, and what follows from that.
type oracle struct {
	lines  []*line // sessions, each under all the ids that renewals gave it
	values int64   // the last value that somebody set: no two are equal
}

// A line is one session, which renewals carry from id to id.
type line struct {
	n       int
	idle    time.Duration
	ownIdle bool
	writes  [len(attributes)][]*write
	counts  []*write
	ops     []*operation // on it, that have begun
	current *ident       // of the last login: what browsers present
	latest  time.Time    // no write gave it a later deadline, by any clock
	last    time.Time    // its absolute deadline at the latest
	first   time.Time    // and at the earliest; zero: none
}

// An ident is an id that somebody was told.
type ident struct {
	n       int
	id      session.ID
	key     string // of its record
	line    *line
	dead    int       // the step in which somebody was told that it is; 0: nobody was
	renewed int       // renewals that were told that they replaced it
	ending  int       // logouts and renewals under way
	doubt   bool      // one of them may have ended it
	promise time.Time // until when, by the clock of whoever asks, it lives
}

// A write is a change of one attribute, or of the counter, by one request.
type write struct {
	attr    int
	value   int64 // 0: deleted
	start   int   // the step in which its save began
	end     int   // and ended; never, while it is under way
	state   writeState
	again   bool // left over from a save that failed, and saved once more
	cleared bool // deleted by Clear
	void    bool // a deletion of what was not there
}

type writeState int

const (
	open writeState = iota
	saved
	unknown
	failed
)

const never = math.MaxInt

func (w *world) newLine() *line {
	l := &line{n: len(w.oracle.lines) + 1, idle: w.idle}
	if w.ownIdle && w.rng.IntN(2) == 0 {
		l.ownIdle = true
		l.idle = pick(w.rng, w.idle/2, w.idle*2)
	}
	w.oracle.lines = append(w.oracle.lines, l)
	return l
}

// anyIdent answers the id of a session, mostly that of its last login.
func (w *world) anyIdent() *ident {
	id := pick(w.rng, w.idents...)
	if w.rng.IntN(10) > 0 {
		return id.line.current
	}
	return id
}

// keeps reports whether a change of an attribute is left over from a save that
// failed.
func (c *client) keeps(attr int) bool {
	for _, w := range c.pending {
		if w.attr == attr {
			return true
		}
	}
	return false
}

// forsake ends the request that has a session open.
func (c *client) forsake() { c.s, c.ident, c.pending = nil, nil, nil }

// inherit adds to the changes of op those that are left over in its session.
func (op *operation) inherit() {
	switch op.kind {
	case opSave, opTouch, opRenew:
	default:
		return
	}
	mine := len(op.changes)
	for _, w := range op.client.pending {
		replaced := false
		for _, m := range op.changes[:mine] {
			replaced = replaced || m.attr == w.attr
		}
		if !replaced {
			w.again = true
			op.changes = append(op.changes, w)
		}
	}
}

// begin notes that an operation begins.
func (w *world) begin(op *operation) {
	op.start, op.began = w.step, w.now()
	w.operations++
	w.note(event{kind: "begins", op: op})
	for _, wr := range op.changes {
		if wr.state != unknown {
			wr.start = w.step
		}
		if wr.state != unknown {
			wr.state = open
		}
		wr.end = never
		if !wr.again {
			op.line.writes[wr.attr] = append(op.line.writes[wr.attr], wr)
		}
	}
	if op.counts {
		op.count = &write{start: w.step, end: never}
		op.line.counts = append(op.line.counts, op.count)
	}
	if op.line != nil {
		op.line.ops = append(op.line.ops, op)
	}
	if op.ident != nil {
		op.promised = op.ident.promise
	}
	if op.ends() {
		op.ident.ending++
	}
}

// ends reports whether op may end the id that it is about.
func (op *operation) ends() bool {
	return op.kind == opEnd || op.kind == opLogout || op.kind == opRenew
}

// judgeDone judges the operations that have ended, in the order of clients.
func (w *world) judgeDone() {
	for _, c := range w.clients {
		if c.op != nil && c.op.done {
			op := c.op
			c.op = nil
			op.cancel()
			w.judge(op)
		}
	}
}

// judge notes how an operation ended, and whether it may have ended so.
func (w *world) judge(op *operation) {
	op.end, op.ended = w.step, w.now()
	w.note(event{kind: "ends", op: op, err: op.err})
	w.leftovers += op.leftovers
	w.merged += op.merged
	var p *panicked
	if errors.As(op.err, &p) {
		w.fail("client %d, %v: %v", op.client.n, op, op.err)
		op.client.forsake()
		return
	}
	doubt := errors.Is(op.err, session.ErrUnknownOutcome)
	gone := errors.Is(op.err, session.ErrNotFound)
	if op.err != nil && !gone && w.faulty == 0 && !op.limited {
		w.fail("client %d, %v: %v, although nothing had failed", op.client.n, op, op.err)
	}
	for _, wr := range append(op.changes, op.extra()...) {
		wr.settle(w.step, op.err, doubt)
	}
	if op.line != nil {
		w.limit(op)
	}
	if op.ident != nil {
		if op.err == nil && op.kind != opTouch {
			w.checkAlive(op)
		}
		if gone && !doubt || op.touchFailed != nil && errors.Is(op.touchFailed, session.ErrNotFound) {
			w.checkDead(op)
		}
		if op.ends() {
			op.ident.ending--
			// A failure without a doubt has ended nothing; ErrNotFound says that
			// another has.
			op.ident.doubt = op.ident.doubt || op.err == nil || doubt
		}
	}
	if op.seen != nil {
		w.checkView(op)
	}
	if op.err == nil {
		w.succeed(op)
	} else {
		w.failed(op)
	}
}

// extra answers the write of the counter.
func (op *operation) extra() []*write {
	if op.count == nil {
		return nil
	}
	return []*write{op.count}
}

// settle notes how the save of a write ended.
func (wr *write) settle(step int, err error, doubt bool) {
	wr.end = step
	switch {
	case wr.void:
		wr.state = failed
	case err == nil:
		wr.state = saved
	case doubt || wr.state == unknown:
		wr.state = unknown
	default:
		wr.state = failed
	}
}

// succeed notes what follows from a success.
func (w *world) succeed(op *operation) {
	c := op.client
	switch op.kind {
	case opOpen:
		c.server, c.ident, c.pending = op.server, op.ident, nil
		c.since, c.until = op.began, op.promised
		return
	case opCreate:
		w.saved++
		w.promiseUse(w.name(op), op)
	case opSave, opTouch:
		c.pending = nil
		if errors.Is(op.touchFailed, session.ErrNotFound) {
			c.forsake()
			return
		}
		if !op.writes() {
			w.promiseTouch(op)
			return
		}
		w.saved++
		c.since, c.until = op.began, w.promiseUse(op.ident, op)
	case opUpdate:
		w.updated++
		if op.writes() { // without a change it stores nothing, nor touches
			w.promiseUse(op.ident, op)
		}
	case opRenew:
		w.renewed++
		old := op.ident
		if old.renewed++; old.renewed > 1 {
			w.fail("client %d, %v: two renewals of one id were told that they had won", c.n, op)
		}
		old.bury(w.step)
		id := w.name(op)
		id.promise = old.promise
		c.ident, c.pending = id, nil
		c.since, c.until = op.began, w.promiseUse(id, op)
	case opEnd, opLogout:
		w.ended++
		op.ident.bury(w.step)
		if op.kind == opEnd {
			c.forsake()
		}
	}
}

// failed notes what follows from a failure.
func (w *world) failed(op *operation) {
	c := op.client
	switch op.kind {
	case opOpen:
		c.forsake()
	case opCreate:
		if op.exposed {
			w.strays++ // nobody was told that there is such a session
		}
	case opSave, opTouch, opRenew:
		// One that was told that its session is gone is told so from then on.
		if errors.Is(op.err, session.ErrNotFound) || w.rng.IntN(2) == 0 {
			c.forsake()
			return
		}
		c.pending = nil
		for _, wr := range op.changes {
			if !wr.void {
				c.pending = append(c.pending, wr)
			}
		}
	}
}

// name notes that somebody was told an id.
func (w *world) name(op *operation) *ident {
	for _, known := range w.idents {
		if known.id == op.id {
			w.fail("an id was given twice")
		}
	}
	i := &ident{n: len(w.idents) + 1, id: op.id, key: string(op.handle), line: op.line}
	w.idents = append(w.idents, i)
	op.line.current = i
	return i
}

func (i *ident) bury(step int) {
	if i.dead == 0 {
		i.dead = step
	}
}
