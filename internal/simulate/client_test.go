package simulate

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/websession/websession/session"
)

// client makes one request after the other. Its goroutine does what the
// scheduler hands it and stops at every call of the store; all other fields
// belong to whoever of the two is running.
type client struct {
	n       int
	ops     chan *operation
	proceed chan struct{} // the call may return
	call    *call         // that waits for the scheduler
	op      *operation    // under way, or done and not judged yet
	todo    int           // operations still to make

	s       *session.Session // that a request has open
	server  *server          // of s
	ident   *ident           // of s
	since   time.Time        // when s was as it is in the store
	until   time.Time        // until when it lives, as the client knows from s
	pending []*write         // changes in s that a failed save left there
}

// opKind is what an operation does.
type opKind int

const (
	opOpen    opKind = iota // load a session
	opSave                  // change and save it
	opTouch                 // save it unchanged
	opRenew                 // give it another id, perhaps with changes
	opEnd                   // destroy it
	opUpdate                // change a session by Update
	opLogout                // destroy a session by its id
	opPurge                 // purge the store
	opCreate                // store a new session
	opForsake               // begin anew, without the session that is open
	opCount
)

var opNames = [opCount]string{"load", "save", "touch", "renew", "end", "update", "logout", "purge", "create", "forsake"}

// An operation is one call of the core.
type operation struct {
	kind   opKind
	client *client
	server *server
	ident  *ident // whose session; nil for a new one and for a purge
	line   *line  // of it
	start  int    // the step that began it
	end    int    // the step that ended it; 0: not yet
	began  time.Time
	ended  time.Time
	ctx    context.Context
	cancel context.CancelFunc

	promised time.Time // until when the session lived when it began

	clear   bool
	changes []*write
	counts  bool // an Update that adds one
	exposed bool // a new session whose id was asked for before it was stored
	limited bool // ctx ends by itself

	done        bool
	err         error
	seen        *view
	id          session.ID // of a session that was stored or renewed
	handle      session.Handle
	calls       int
	mutated     bool  // the store answered a mutation
	touch       error // what it answered to the last one
	touchFailed error
	leftovers   int // records whose id nobody knows
	merged      int
	count       *write // of the counter
}

// view is what somebody saw in a session.
type view struct {
	values [len(attributes)]int64 // 0: not set
	count  int64
}

var attributes = [...]string{"a", "b", "c", "d"}

var (
	keys = func() (all [len(attributes)]session.Key[int64]) {
		for i, name := range attributes {
			all[i] = session.NewKey[int64](name)
		}
		return all
	}()
	countKey = session.NewKey[int64]("count")
	lineKey  = session.NewKey[int64]("line")
)

func look(s *session.Session) *view {
	v := &view{count: countKey.GetOr(s, 0)}
	for i, k := range keys {
		v.values[i] = k.GetOr(s, 0)
	}
	return v
}

// run makes operations until there are no more.
func (c *client) run(mu *sync.Mutex) {
	for op := range c.ops {
		op.run()
		mu.Lock()
		op.done = true
		mu.Unlock()
	}
}

func (op *operation) run() {
	defer func() {
		if p := recover(); p != nil {
			op.err = &panicked{p, debug.Stack()}
		}
	}()
	op.err = op.make()
}

// panicked is the error of an operation that panicked.
type panicked struct {
	value any
	stack []byte
}

func (p *panicked) Error() string { return fmt.Sprintf("panic: %v\n%s", p.value, p.stack) }

func (op *operation) make() (err error) {
	c, m := op.client, op.server.m
	switch op.kind {
	case opOpen:
		c.s, err = m.Load(op.ctx, op.ident.id)
		if err == nil {
			op.seen = look(c.s)
		}
	case opSave, opTouch:
		if err = op.change(c.s); err == nil {
			err = c.s.Save(op.ctx)
		}
		if err == nil && op.writes() {
			op.seen = look(c.s)
		}
	case opRenew:
		if err = op.change(c.s); err == nil {
			err = c.s.Renew(op.ctx)
		}
		if err == nil {
			op.seen, op.id, op.handle = look(c.s), c.s.ID(), c.s.Handle()
		}
	case opEnd:
		err = c.s.Destroy(op.ctx)
	case opUpdate:
		err = m.Update(op.ctx, op.ident.id, func(s *session.Session) error {
			if op.counts {
				if err := countKey.Set(s, countKey.GetOr(s, 0)+1); err != nil {
					return err
				}
			}
			return op.change(s)
		})
	case opLogout:
		err = m.Destroy(op.ctx, op.ident.id)
	case opPurge:
		_, err = m.Purge(op.ctx)
	case opCreate:
		s := m.NewSession()
		if op.exposed {
			op.id = s.ID()
		}
		if err = op.change(s); err == nil && op.line.ownIdle {
			err = s.SetIdle(op.line.idle)
		}
		if err == nil {
			err = s.Save(op.ctx)
		}
		if err == nil {
			op.id, op.handle = s.ID(), s.Handle()
		}
	}
	return err
}

// change makes the changes of op in s. A deletion of what is not there is none.
func (op *operation) change(s *session.Session) error {
	if op.clear {
		if err := s.Clear(); err != nil {
			return err
		}
	}
	if op.clear || op.kind == opCreate {
		if err := lineKey.Set(s, int64(op.line.n)); err != nil {
			return err
		}
	}
	for _, w := range op.changes {
		w.void = false
		switch {
		case w.again || w.cleared:
		case w.value != 0:
			if err := keys[w.attr].Set(s, w.value); err != nil {
				return err
			}
		case !s.Has(attributes[w.attr]):
			w.void = true
		default:
			if err := keys[w.attr].Delete(s); err != nil {
				return err
			}
		}
	}
	return nil
}

// writes reports whether op changes an attribute.
func (op *operation) writes() bool {
	for _, w := range op.changes {
		if !w.void {
			return true
		}
	}
	return op.counts || op.clear
}
