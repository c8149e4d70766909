package sql

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
)

// direct applies each mutation in a transaction of its own, on a connection of a
// pool.
type direct struct {
	db         *sql.DB
	dialect    *Dialect
	database   Database
	statements [mutations]string
}

func (d *direct) apply(ctx context.Context, statement int, args []any) (n int64, outcome Outcome, err error) {
	// A connection that was lost while it was idle says so before anything is
	// sent. The pool may have more of them.
	for range 3 {
		n, outcome, err = d.try(ctx, statement, args)
		if !errors.Is(err, sqldriver.ErrBadConn) {
			break
		}
		outcome = NotApplied
	}
	return n, outcome, err
}

func (d *direct) try(ctx context.Context, statement int, args []any) (int64, Outcome, error) {
	conn, err := d.db.Conn(ctx) // may wait for others
	if err != nil {
		return 0, NotApplied, err
	}
	defer conn.Close()
	if err := d.database.Check(true); err != nil {
		return 0, NotApplied, err
	}
	result, err := conn.ExecContext(ctx, d.statements[statement], args...)
	if err != nil {
		return 0, d.dialect.Classify(err), err
	}
	n, err := result.RowsAffected()
	return n, Unknown, err
}

func (d *direct) stop() {}

func (d *direct) close() error { return nil }
