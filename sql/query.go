package sql

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"time"
)

// query is a statement on a pool: one that the store has prepared, or a text that
// the database driver prepares by itself.
type query struct {
	db     *sql.DB
	text   string
	stmt   *sql.Stmt
	native func(conn any) Native // nil: there is none
}

func newQuery(ctx context.Context, db *sql.DB, d *Dialect, text string) (query, error) {
	q := query{db: db, text: text, native: d.Native}
	var err error
	if !d.Prepares {
		q.stmt, err = db.PrepareContext(ctx, text)
	}
	return q, err
}

// exec answers how many rows were affected. An error before sent is set is one
// of a statement that was not.
func (q *query) exec(ctx context.Context, args []any) (n int64, sent bool, err error) {
	if deadline, ok := ctx.Deadline(); ok && q.native != nil {
		known, err := q.natively(ctx, func(c Native) (err error) {
			sent = true
			n, err = c.Exec(deadline, q.text, args)
			return err
		})
		if known {
			return n, sent, err
		}
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
	if deadline, ok := ctx.Deadline(); ok && q.native != nil {
		known, err := q.natively(ctx, func(c Native) error {
			return c.Row(deadline, q.text, []any{arg}, dest)
		})
		if known {
			return err
		}
	}
	if q.stmt != nil {
		return q.stmt.QueryRowContext(ctx, arg).Scan(dest...)
	}
	return q.db.QueryRowContext(ctx, q.text, arg).Scan(dest...)
}

// mostBroken is how many connections may turn out to be broken before one is of
// use, as in package database/sql.
const mostBroken = 3

// natively calls do with a connection of the pool, unless that is not known. ctx
// ends the wait for the connection.
func (q *query) natively(ctx context.Context, do func(Native) error) (known bool, err error) {
	for try := 1; ; try++ {
		conn, err := q.db.Conn(ctx)
		if err != nil {
			return true, err
		}
		err = conn.Raw(func(c any) error {
			n := q.native(c)
			if known = n != nil; !known {
				return nil
			}
			return do(n)
		})
		conn.Close()
		if try == mostBroken || !errors.Is(err, sqldriver.ErrBadConn) {
			return known, err
		}
	}
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

// Native is a connection of a database driver, as sql.Conn.Raw shows it. It is
// used by one call at a time. A call ends with its deadline, and leaves none
// behind; whatever is wrong with the connection then, the next use of it finds
// out. Of a connection that was of no use before anything was sent the error is
// driver.ErrBadConn of package database/sql.
type Native interface {
	// Row reads into pointers to string, []byte and any the one row that there
	// may be; else it is sql.ErrNoRows.
	Row(deadline time.Time, text string, args, dest []any) error

	// Exec answers how many rows were affected.
	Exec(deadline time.Time, text string, args []any) (int64, error)
}
