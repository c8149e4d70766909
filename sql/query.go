package sql

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"time"
)

// query is a statement on a pool: one that the store has prepared, or a text that
// the database driver prepares by itself.
type query struct {
	db    *sql.DB
	text  string
	stmt  *sql.Stmt
	short *shortcut
}

func newQuery(ctx context.Context, db *sql.DB, d *Dialect, short *shortcut, text string) (query, error) {
	q := query{db: db, text: text, short: short}
	var err error
	if !d.Prepares {
		q.stmt, err = db.PrepareContext(ctx, text)
	}
	return q, err
}

// exec answers how many rows were affected. An error before sent is set is one
// of a statement that was not.
func (q *query) exec(ctx context.Context, args []any) (n int64, sent bool, err error) {
	taken, err := q.short.take(ctx, q.db, func(c Native, end time.Time) (err error) {
		sent = true
		n, err = c.Exec(end, q.text, args)
		return err
	})
	if taken {
		return n, sent, err
	}
	m := &mark{value: args[0]}
	args = append([]any{m}, args[1:]...)
	var result sql.Result
	if q.stmt != nil {
		result, err = q.stmt.ExecContext(ctx, args...)
	} else {
		result, err = q.db.ExecContext(ctx, q.text, args...)
	}
	if err == nil {
		n, err = result.RowsAffected()
	}
	return n, m.sent, err
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

// row reads the one row that there may be, else it is sql.ErrNoRows.
func (q *query) row(ctx context.Context, arg any, dest []any) error {
	taken, err := q.short.take(ctx, q.db, func(c Native, end time.Time) error {
		return c.Row(end, q.text, []any{arg}, dest)
	})
	switch {
	case taken:
		return err
	case q.stmt != nil:
		return q.stmt.QueryRowContext(ctx, arg).Scan(dest...)
	}
	return q.db.QueryRowContext(ctx, q.text, arg).Scan(dest...)
}

func (q *query) rows(ctx context.Context, args ...any) (*sql.Rows, error) {
	if q.stmt != nil {
		return q.stmt.QueryContext(ctx, args...)
	}
	return q.db.QueryContext(ctx, q.text, args...)
}

func (q *query) close() {
	if q.stmt != nil {
		q.stmt.Close()
	}
}
