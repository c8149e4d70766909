package simulate

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// world is one history while it is played.
type world struct {
	*setting
	*history
	rng     *rand.Rand
	place   *place
	servers []*server
	clients [clientCount]*client
	late    []*call // requests that are on their way although their sender gave up
	oracle

	// mu is held by the scheduler unless it waits. A goroutine that a pause of
	// the core woke has nothing else that orders what it does after that.
	mu sync.Mutex

	began time.Time
	step  int
	quiet bool // nothing begins until all is done: then there is a lull
}

// maxSteps bounds a history: one that takes longer does not end.
const maxSteps = 20_000

// play plays the history of a seed.
func play(t *testing.T, seed uint64) *history {
	h := &history{seed: seed}
	synctest.Test(t, func(*testing.T) {
		rng := rand.New(rand.NewPCG(seed, 7))
		w := &world{setting: newSetting(rng), history: h, rng: rng, began: time.Now()}
		h.setting = w.setting
		w.place = newPlace(w.vague)
		if err := w.prepare(); err != nil {
			w.fail("the beginning: %v", err)
			return
		}
		w.run()
		w.audit()
		for _, v := range w.servers {
			if err := v.m.Close(); err != nil {
				w.fail("Close: %v", err)
			}
		}
	})
	return h
}

// now is the true time, as it was when the tick began.
func (w *world) now() time.Time { return w.began.Add(time.Since(w.began) / tick * tick) }

// prepare makes servers, clients, and the first sessions.
func (w *world) prepare() error {
	for n := range w.setting.servers {
		v, err := newServer(w, n, w.anyOffset())
		if err != nil {
			return err
		}
		w.servers = append(w.servers, v)
	}
	for n := range w.clients {
		w.clients[n] = &client{n: n, ops: make(chan *operation), proceed: make(chan struct{}), todo: w.each}
	}
	for range w.sessions {
		v := pick(w.rng, w.servers...)
		op := w.newOperation(opCreate, nil, v)
		w.begin(op)
		if op.run(); op.err != nil {
			return op.err
		}
		w.judge(op)
	}
	return nil
}

// anyOffset answers how wrong a clock may be.
func (w *world) anyOffset() time.Duration {
	if w.skew == 0 {
		return 0
	}
	return time.Duration(w.rng.Int64N(int64(2*w.skew/time.Second)+1))*time.Second - w.skew
}

// run has the clients make their operations.
func (w *world) run() {
	for _, c := range w.clients {
		go c.run(&w.mu)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for {
		w.mu.Unlock()
		synctest.Wait()
		w.mu.Lock()
		w.judgeDone()
		w.step++
		switch w.step {
		case maxSteps:
			w.fail("the history does not end")
			w.stop()
		case 2 * maxSteps:
			panic("the history does not end although its contexts have\n" + w.text())
		}
		if !w.next() {
			break
		}
	}
	for _, c := range w.clients {
		close(c.ops)
	}
}

// stop ends the contexts of all operations; no more begin, and nothing suffers.
func (w *world) stop() {
	w.faults = 0
	for _, c := range w.clients {
		c.todo = 0
		if c.op != nil {
			c.op.cancel()
		}
	}
}

// next lets one thing happen, and reports whether there was any left.
func (w *world) next() bool {
	var ready []*client
	busy := 0
	for _, c := range w.clients {
		switch {
		case c.op == nil && c.todo > 0 && !w.quiet:
			ready = append(ready, c)
		case c.op != nil:
			busy++
			if c.call != nil && (!c.call.hangs || c.call.ended) {
				ready = append(ready, c)
			}
		}
	}
	if busy == 0 && w.quiet {
		w.quiet = false
		w.lull()
		return true
	}
	if len(ready) == 0 && busy == 0 {
		return false
	}
	n := w.rng.IntN(1000)
	happens := func(rate int) bool { n -= rate; return n < 0 }
	switch {
	case len(w.late) > 0 && happens(60):
		w.arrive(w.rng.IntN(len(w.late)))
	case len(ready) == 0 || happens(w.ticks):
		w.pass(tick)
	case happens(w.lulls):
		if w.quiet = w.rng.IntN(5) > 0; !w.quiet {
			w.lull()
		}
	case happens(w.jumps):
		v := pick(w.rng, w.servers...)
		v.jump(w.anyOffset())
		w.note(event{kind: "jump", n: v.n, span: v.offset})
	case happens(w.cancel):
		if c := pick(w.rng, w.clients[:]...); c.op != nil {
			w.note(event{kind: "cancel", client: c})
			w.faulty++
			c.op.cancel()
		}
	default:
		w.proceed(w.quickest(ready))
	}
	return true
}

// quickest answers one of several clients, quick ones more often.
func (w *world) quickest(of []*client) *client {
	var weights [clientCount]int
	for i, c := range of {
		weights[i] = w.speed[c.n]
	}
	return of[draw(w.rng, weights[:])]
}

// lull lets much time pass.
func (w *world) lull() {
	w.pass(span(w.rng, pick(w.rng, w.idle/20, w.idle/2, w.idle/2, w.idle)))
}

// pass lets time pass. Late requests do not live for long.
func (w *world) pass(d time.Duration) {
	w.note(event{kind: "time", span: d})
	w.mu.Unlock()
	time.Sleep(d)
	w.mu.Lock()
	w.late = slices.DeleteFunc(w.late, func(c *call) bool { return time.Since(c.since) > maxLate })
	if !w.purges {
		w.place.purge(w.now().Add(-margin), 1000)
	}
}

// proceed moves a client on: it begins an operation, or its call goes on.
func (w *world) proceed(c *client) {
	if c.op != nil {
		w.advance(c)
		return
	}
	c.todo--
	op := w.draw(c)
	if op == nil {
		return
	}
	w.begin(op)
	c.op = op
	c.ops <- op
}

// draw makes up the next operation of a client.
func (w *world) draw(c *client) *operation {
	weights := w.ops
	if c.s == nil {
		weights[opSave], weights[opTouch], weights[opRenew], weights[opEnd], weights[opForsake] = 0, 0, 0, 0, 0
	} else {
		weights[opOpen] = 0
	}
	if len(w.oracle.lines) >= w.setting.lines {
		weights[opCreate] = 0
	}
	kind := opKind(draw(w.rng, weights[:]))
	if kind == opForsake {
		c.forsake()
		kind = opOpen
	}
	return w.newOperation(kind, c, pick(w.rng, w.servers...))
}

// newOperation makes an operation up. A session that is open stays with its
// server.
func (w *world) newOperation(kind opKind, c *client, v *server) *operation {
	op := &operation{kind: kind, client: c, server: v, ctx: context.Background(), cancel: func() {}}
	if c == nil {
		op.client = &client{n: -1}
	}
	switch kind {
	case opSave, opTouch, opRenew, opEnd:
		op.ident, op.server = c.ident, c.server
	case opOpen, opUpdate, opLogout:
		op.ident = w.anyIdent()
	case opCreate:
		op.line = w.newLine()
		op.exposed = c != nil && w.rng.IntN(4) == 0
	}
	if op.ident != nil {
		op.line = op.ident.line
	}
	switch kind {
	case opSave, opCreate, opUpdate:
		w.invent(op)
	case opRenew:
		if w.rng.IntN(2) == 0 {
			w.invent(op)
		}
	}
	op.inherit()
	if c != nil {
		op.ctx = context.WithValue(op.ctx, clientKey{}, c)
		if op.limited = w.rng.IntN(4) == 0 || kind == opPurge; op.limited {
			op.ctx, op.cancel = context.WithTimeout(op.ctx, bound(pick(w.rng, time.Second, 5*time.Second, 20*time.Second)))
		} else {
			op.ctx, op.cancel = context.WithCancel(op.ctx)
		}
	}
	return op
}

// invent makes changes up.
func (w *world) invent(op *operation) {
	op.clear = w.clears && (op.kind == opSave || op.kind == opRenew) && w.rng.IntN(5) == 0
	op.counts = op.kind == opUpdate && !w.clears
	for attr := range attributes {
		set := w.rng.IntN(3) == 0 || op.kind == opCreate && w.rng.IntN(2) == 0
		deletes := op.kind == opSave && w.rng.IntN(8) == 0 && !op.clear && !op.client.keeps(attr)
		switch {
		case deletes:
			op.changes = append(op.changes, &write{attr: attr})
		case set:
			w.values++
			op.changes = append(op.changes, &write{attr: attr, value: w.values})
		case op.clear:
			op.changes = append(op.changes, &write{attr: attr, cleared: true})
		}
	}
}
