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

func newDirect(ctx context.Context, db *sql.DB, dialect *Dialect, database Database, texts *statements) (*direct, error) {
	d := &direct{dialect: dialect, database: database, closing: make(chan struct{})}
	for i, text := range texts.mutation {
		var err error
		if d.statements[i], err = newQuery(ctx, db, dialect, text); err != nil {
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
	m := &mark{value: args[0]}
	marked := append([]any{m}, args[1:]...)
	result, err := d.statements[statement].exec(ctx, marked)
	switch {
	case err == nil:
	case !m.sent, errors.Is(err, sqldriver.ErrBadConn):
		// It waited for a connection, or the connection was lost before anything
		// was sent.
		return 0, NotApplied, err
	default:
		return 0, d.dialect.Classify(err), err
	}
	n, err := result.RowsAffected()
	return n, Unknown, err
}

// mark is an argument of a statement that notices when it is read: that is after
// a connection was found, and before the statement is sent.
type mark struct {
	value any
	sent  bool
}

// Value implements database/sql/driver.Valuer.
func (m *mark) Value() (sqldriver.Value, error) {
	m.sent = true
	return m.value, nil
}

// pause lets others finish, and reports whether to try again.
func (d *direct) pause(ctx context.Context, try int) bool {
	most := min(time.Millisecond<<min(try, 5), 30*time.Millisecond)
	t := time.NewTimer(rand.N(most) + 1)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
	case <-d.closing:
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

// query is a statement on a pool: one that the store has prepared, or a text that
// the database driver prepares by itself.
type query struct {
	db   *sql.DB
	text string
	stmt *sql.Stmt
}

func newQuery(ctx context.Context, db *sql.DB, d *Dialect, text string) (query, error) {
	q := query{db: db, text: text}
	var err error
	if !d.Prepares {
		q.stmt, err = db.PrepareContext(ctx, text)
	}
	return q, err
}

func (q *query) exec(ctx context.Context, args []any) (sql.Result, error) {
	if q.stmt != nil {
		return q.stmt.ExecContext(ctx, args...)
	}
	return q.db.ExecContext(ctx, q.text, args...)
}

func (q *query) rows(ctx context.Context, args ...any) (*sql.Rows, error) {
	if q.stmt != nil {
		return q.stmt.QueryContext(ctx, args...)
	}
	return q.db.QueryContext(ctx, q.text, args...)
}

func (q *query) row(ctx context.Context, args ...any) *sql.Row {
	if q.stmt != nil {
		return q.stmt.QueryRowContext(ctx, args...)
	}
	return q.db.QueryRowContext(ctx, q.text, args...)
}

func (q *query) close() {
	if q.stmt != nil {
		q.stmt.Close()
	}
}
