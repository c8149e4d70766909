package sql

import (
	"context"
	"database/sql"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/websession/websession/session/driver"
)

const (
	queueSize = 1024

	// margin is how long, beyond Writer.Wait, a mutation waits for a transaction
	// that has begun, or for the one before it: longer than disks that work take.
	margin = time.Second
)

// writer applies mutations on one connection. Those that wait for it share a
// transaction: see run. The transactions do not depend on anybody's context.
type writer struct {
	db         *sql.DB
	dialect    *Dialect
	database   Database
	statements [mutations]string
	queue      chan *op
	closing    chan struct{} // closed by stop
	ended      chan struct{} // closed when the goroutine ends

	// Of the goroutine:
	conn     *sql.Conn
	prepared map[string]*sql.Stmt
}

// op is a mutation that waits for the writer.
type op struct {
	statement int
	args      []any
	state     atomic.Int64  // waiting, withdrawn, or since when its transaction is under way
	done      chan struct{} // closed when what follows is known
	n         int64
	outcome   Outcome
	err       error
}

const (
	waiting   = 0
	withdrawn = -1
)

// claim reports whether o is to be applied: it was not withdrawn.
func (o *op) claim(now time.Time) bool { return o.state.CompareAndSwap(waiting, now.UnixNano()) }

// withdraw reports whether o will not be applied.
func (o *op) withdraw() bool { return o.state.CompareAndSwap(waiting, withdrawn) }

func (o *op) answer(n int64, outcome Outcome, err error) {
	o.n, o.outcome, o.err = n, outcome, err
	close(o.done)
}

// newWriter answers a writer that takes over conn, whatever happens.
func newWriter(ctx context.Context, db *sql.DB, conn *sql.Conn, dialect *Dialect, database Database, texts *statements) (*writer, error) {
	w := &writer{
		db:         db,
		dialect:    dialect,
		database:   database,
		statements: texts.mutation,
		queue:      make(chan *op, queueSize),
		closing:    make(chan struct{}),
		ended:      make(chan struct{}),
	}
	if err := w.take(ctx, conn); err != nil {
		return nil, err
	}
	go w.run()
	return w, nil
}

// patience is how long a transaction that has begun may take.
func (w *writer) patience() time.Duration { return w.dialect.Writer.Wait + margin }

// apply implements applier. A mutation whose transaction has not begun is
// withdrawn when its context ends; otherwise it waits for the answer.
func (w *writer) apply(ctx context.Context, statement int, args []any) (int64, Outcome, error) {
	o := &op{statement: statement, args: args, done: make(chan struct{})}
	late := time.NewTimer(w.patience())
	defer late.Stop()
	select {
	case w.queue <- o:
	case <-ctx.Done():
		return 0, NotApplied, ctx.Err()
	case <-w.closing:
		return 0, NotApplied, driver.ErrClosed
	case <-late.C:
		return 0, NotApplied, w.errLate()
	}
	cancelled, closing := ctx.Done(), w.closing
	for {
		var err error
		select {
		case <-o.done:
			return o.n, o.outcome, o.err
		case <-cancelled:
			err, cancelled = ctx.Err(), nil
		case <-closing:
			err, closing = driver.ErrClosed, nil
		case <-late.C:
			err = w.errLate()
		}
		if o.withdraw() {
			return 0, NotApplied, err
		}
		left := w.patience() - time.Since(time.Unix(0, o.state.Load()))
		if left <= 0 {
			if err = w.errLate(); ctx.Err() != nil {
				err = fmt.Errorf("%w (%w)", err, ctx.Err())
			}
			return 0, Unknown, err
		}
		late.Reset(left)
	}
}

func (w *writer) errLate() error {
	return fmt.Errorf("a transaction did not end within %v: the disk may be overloaded", w.patience())
}

func (w *writer) stop() { close(w.closing) }

// close waits for the goroutine. One that a disk holds up is left behind with
// its connection.
func (w *writer) close() error {
	t := time.NewTimer(w.patience())
	defer t.Stop()
	select {
	case <-w.ended:
		w.drop()
		return nil
	case <-t.C:
		return w.errLate()
	}
}
