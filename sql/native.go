package sql

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"sync/atomic"
	"time"

	"github.com/websession/websession/internal/deadline"
)

// Native is a connection of a database driver, as sql.Conn.Raw shows it. It is
// used by one call at a time. A call ends with its deadline, and leaves none
// behind; whatever is wrong with the connection then, the next use of it finds
// out. Of a connection that was of no use before anything was sent the error is
// driver.ErrBadConn of package database/sql.
type Native interface {
	// Row reads the one row that there may be into pointers to string, []byte and
	// any, and Scanners of package database/sql; else it is sql.ErrNoRows.
	Row(deadline time.Time, text string, args, dest []any) error

	// Exec answers how many rows were affected.
	Exec(deadline time.Time, text string, args []any) (int64, error)
}

// shortcut is the way around package database/sql of the calls of a store that
// have a deadline.
type shortcut struct {
	native func(conn any) Native // nil: there is none
	alarms deadline.Alarms
	closed atomic.Bool // the pool has connections that native does not know
}

// mostBroken is how many connections may turn out to be broken before one is of
// use, as in package database/sql.
const mostBroken = 3

// take calls do with a connection of the pool, unless there is no shortcut for
// it. The deadline of ctx ends the wait for a connection.
func (s *shortcut) take(ctx context.Context, db *sql.DB, do func(c Native, end time.Time) error) (taken bool, err error) {
	if s.native == nil || s.closed.Load() {
		return false, nil
	}
	end, ok := ctx.Deadline()
	if !ok {
		return false, nil
	}
	wait := s.alarms.Before(ctx, end)
	for try := 1; ; try++ {
		conn, err := db.Conn(wait)
		if err != nil {
			return true, err
		}
		if !time.Now().Before(end) { // the connection is not to suffer from it
			conn.Close()
			return true, context.DeadlineExceeded
		}
		err = conn.Raw(func(c any) error {
			n := s.native(c)
			if taken = n != nil; !taken {
				return nil
			}
			return do(n, end)
		})
		conn.Close()
		if !taken {
			s.closed.Store(true)
		}
		if try == mostBroken || !errors.Is(err, sqldriver.ErrBadConn) {
			return taken, err
		}
	}
}
