package sql

import (
	"math/rand/v2"
	"time"
)

// run serves the queue until the writer is closed. It and what follows is the
// goroutine of the writer.
func (w *writer) run() {
	defer close(w.ended)
	for {
		select {
		case <-w.closing:
			return
		case o := <-w.queue:
			if o.state.Load() == waiting {
				w.serve(o)
			}
		}
	}
}

// serve applies first and what else is in the queue when the write lock has been
// taken.
func (w *writer) serve(first *op) {
	err := w.begin()
	ops := w.gather(first, err != nil)
	switch {
	case err != nil:
		w.refuse(ops, err)
	case len(ops) == 0:
		w.rollback()
	case w.transact(ops):
	default:
		w.oneByOne(ops)
	}
}

// gather claims first and what else is in the queue.
func (w *writer) gather(first *op, all bool) []*op {
	now := time.Now()
	var ops []*op
	for o := first; ; {
		if o.claim(now) {
			ops = append(ops, o)
		}
		if !all && len(ops) == w.dialect.Writer.MaxBatch {
			return ops
		}
		select {
		case o = <-w.queue:
		default:
			return ops
		}
	}
}

// refuse answers that nothing was applied.
func (w *writer) refuse(ops []*op, err error) {
	for _, o := range ops {
		o.answer(0, NotApplied, err)
	}
}

// transact applies ops in the transaction that has begun, and answers them. It
// answers false, and has applied none, when one of several failed.
func (w *writer) transact(ops []*op) bool {
	for _, o := range ops {
		n, err := w.exec(w.statements[o.statement], o.args...)
		if err == nil {
			o.n = n
			continue
		}
		w.rollback()
		if len(ops) > 1 {
			return false
		}
		outcome := w.dialect.Classify(err)
		if outcome == Unknown {
			outcome = NotApplied // there was no COMMIT
		}
		o.answer(0, outcome, err)
		return true
	}
	err := w.commit()
	if err == nil {
		for _, o := range ops {
			o.answer(o.n, 0, nil)
		}
		return true
	}
	outcome := w.dialect.Classify(err)
	w.rollback()
	if outcome == Refused && len(ops) > 1 {
		return false
	}
	for _, o := range ops {
		o.answer(0, outcome, err)
	}
	return true
}

// oneByOne gives each of ops a transaction of its own, so that none fails
// because of another one.
func (w *writer) oneByOne(ops []*op) {
	for i := range ops {
		if err := w.begin(); err != nil {
			w.refuse(ops[i:], err)
			return
		}
		w.transact(ops[i : i+1])
	}
}

// begin takes the write lock, and waits for it as long as it may.
func (w *writer) begin() error {
	end := time.Now().Add(w.dialect.Writer.Wait)
	fresh := false
	for try := 0; ; try++ {
		if err := w.database.Check(true); err != nil {
			return err
		}
		err := w.tryBegin()
		if err == nil {
			return nil
		}
		if w.dialect.Classify(err) == Busy {
			if !w.pause(try, end) {
				return err
			}
			continue
		}
		// The connection may be lost, or in a transaction that did not end.
		if fresh {
			return err
		}
		w.drop()
		fresh = true
	}
}

func (w *writer) tryBegin() error {
	if w.conn == nil {
		if err := w.connect(); err != nil {
			return err
		}
	}
	_, err := w.exec(w.dialect.Writer.Begin)
	return err
}

// commit waits for a lock as begin does: there are databases where readers hold
// up COMMIT.
func (w *writer) commit() error {
	end := time.Now().Add(w.dialect.Writer.Wait)
	for try := 0; ; try++ {
		_, err := w.exec("COMMIT")
		if err == nil || w.dialect.Classify(err) != Busy || !w.pause(try, end) {
			return err
		}
	}
}

// rollback ends the transaction, if need be with its connection.
func (w *writer) rollback() {
	if _, err := w.exec("ROLLBACK"); err != nil {
		w.drop()
	}
}

// pause lets another program finish, and reports whether to try again. The
// intervals are short: who has the lock in turns with others gives it back for
// some microseconds only.
func (w *writer) pause(try int, end time.Time) bool {
	left := time.Until(end)
	if left <= 0 {
		return false
	}
	most := min(100*time.Microsecond<<min(try, 5), 2*time.Millisecond, left)
	t := time.NewTimer(most/2 + rand.N(most/2+1))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-w.closing:
		return false
	}
}
