package postgres

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	websql "github.com/websession/websession/sql"
)

// native is a connection of pgx. Its deadlines are those of the socket: pgx
// watches a context only if that can end.
type native struct{ *pgx.Conn }

func asNative(conn any) websql.Native {
	if c, ok := conn.(*stdlib.Conn); ok {
		return native{c.Conn()}
	}
	return nil
}

// Row implements websql.Native.
func (n native) Row(deadline time.Time, text string, args, dest []any) error {
	var few [8]any
	into := few[:0]
	for _, d := range dest {
		if s, ok := d.(*string); ok {
			d = (*bytes)(s)
		}
		into = append(into, d)
	}
	return n.within(deadline, func() error {
		err := n.QueryRow(context.Background(), text, args...).Scan(into...)
		if errors.Is(err, pgx.ErrNoRows) {
			err = sql.ErrNoRows
		}
		return err
	})
}

// bytes is a string into which pgx writes a bytea.
type bytes string

// ScanBytes implements pgtype.BytesScanner.
func (b *bytes) ScanBytes(v []byte) error {
	*b = bytes(v)
	return nil
}

// Exec implements websql.Native.
func (n native) Exec(deadline time.Time, text string, args []any) (affected int64, err error) {
	err = n.within(deadline, func() error {
		tag, err := n.Conn.Exec(context.Background(), text, args...)
		affected = tag.RowsAffected()
		return err
	})
	return affected, err
}

// within uses the connection until the deadline. pgx closes one on which it
// waited in vain, and asks the server to give up the statement.
func (n native) within(deadline time.Time, use func() error) error {
	if n.IsClosed() {
		return sqldriver.ErrBadConn
	}
	socket := n.PgConn().Conn()
	if err := socket.SetDeadline(deadline); err != nil {
		return sqldriver.ErrBadConn
	}
	err := use()
	switch {
	case err == nil, errors.Is(err, sql.ErrNoRows), errors.As(err, new(*pgconn.PgError)):
	case !time.Now().Before(deadline):
		err = fmt.Errorf("%w: %w", context.DeadlineExceeded, err)
	case pgconn.SafeToRetry(err):
		return sqldriver.ErrBadConn
	}
	if !n.IsClosed() {
		socket.SetDeadline(time.Time{})
	}
	return err
}
