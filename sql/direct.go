package sql

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"math/rand/v2"
	"time"
)

// direct applies each mutation in a transaction of its own, on a connection of a
// pool.
type direct struct {
	dialect    *Dialect
	database   Database
	statements [mutations]query
	closing    chan struct{} // closed by stop
}

// busyTries is how often a mutation is tried that the database undid in favour
// of another one.
const busyTries = 16

func newDirect(ctx context.Context, db *sql.DB, dialect *Dialect, database Database, texts *statements, short *shortcut) (*direct, error) {
	d := &direct{dialect: dialect, database: database, closing: make(chan struct{})}
	for i, text := range texts.mutation {
		var err error
		if d.statements[i], err = newQuery(ctx, db, dialect, short, text); err != nil {
			d.close()
			return nil, err
		}
	}
	return d, nil
}

// apply implements applier. A statement that had no effect because of another
// one, which has ended by now, is tried again.
func (d *direct) apply(ctx context.Context, statement int, args []any) (n int64, outcome Outcome, err error) {
	for try := 1; ; try++ {
		n, outcome, err = d.try(ctx, statement, args)
		if err == nil || outcome != Busy || try == busyTries || !d.pause(ctx, try) {
			return n, outcome, err
		}
	}
}

func (d *direct) try(ctx context.Context, statement int, args []any) (int64, Outcome, error) {
	if err := d.database.Check(true); err != nil {
		return 0, NotApplied, err
	}
	n, sent, err := d.statements[statement].exec(ctx, args)
	switch {
	case err == nil:
		return n, Unknown, nil
	case !sent, errors.Is(err, sqldriver.ErrBadConn):
		// It waited for a connection, or the connection was lost before anything
		// was sent.
		return 0, NotApplied, err
	}
	return 0, d.dialect.Classify(err), err
}

// pause lets others finish, and reports whether to try again.
func (d *direct) pause(ctx context.Context, try int) bool {
	most := min(time.Millisecond<<min(try, 5), 30*time.Millisecond)
	t := time.NewTimer(rand.N(most) + 1)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	case <-d.closing:
	}
	select { // which takes any of those that are ready
	case <-ctx.Done():
	case <-d.closing:
	default:
		return true
	}
	return false
}

func (d *direct) stop() { close(d.closing) }

func (d *direct) close() error {
	for i := range d.statements {
		d.statements[i].close()
	}
	return nil
}
