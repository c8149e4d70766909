package mysql

import (
	"bytes"
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/go-sql-driver/mysql"

	websql "github.com/websession/websession/sql"
)

// NewConnector is that of github.com/go-sql-driver/mysql, for a pool that an
// application shares with a store (sql.OpenDB). On its connections a store
// prepares each statement once, and keeps to the deadlines of its calls without
// the two goroutines that package database/sql and the driver wake for each.
// Without it, and where config has a time-out for reading or writing, the same
// calls take longer.
func NewConnector(config *mysql.Config) (sqldriver.Connector, error) {
	config = config.Clone()
	if dial := dialer(config); dial != nil && config.ReadTimeout == 0 && config.WriteTimeout == 0 {
		config.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
			socket, err := dial(ctx, network, addr)
			if to, ok := ctx.Value(socketKey{}).(*net.Conn); ok && err == nil {
				*to = socket
			}
			return socket, err
		}
	}
	inner, err := mysql.NewConnector(config)
	return connecting{inner}, err
}

// dialer answers how config dials, nil if that is not known.
func dialer(config *mysql.Config) func(ctx context.Context, network, addr string) (net.Conn, error) {
	switch {
	case config.DialFunc != nil:
		return config.DialFunc
	case config.Net == "tcp", config.Net == "unix":
		return new(net.Dialer).DialContext
	}
	return nil
}

// socketKey is where a context has room for the socket of a new connection.
type socketKey struct{}

type connecting struct{ sqldriver.Connector }

func (c connecting) Connect(ctx context.Context) (sqldriver.Conn, error) {
	var socket net.Conn
	made, err := c.Connector.Connect(context.WithValue(ctx, socketKey{}, &socket))
	if err != nil {
		return nil, err
	}
	if made, ok := made.(connection); ok && socket != nil {
		return &native{connection: made, socket: socket, prepared: make(map[string]sqldriver.Stmt)}, nil
	}
	return made, nil
}

// connection is what connections of the driver can do.
type connection interface {
	sqldriver.Conn
	sqldriver.ConnBeginTx
	sqldriver.ConnPrepareContext
	sqldriver.ExecerContext
	sqldriver.NamedValueChecker
	sqldriver.Pinger
	sqldriver.QueryerContext
	sqldriver.SessionResetter
	sqldriver.Validator
}

// native is a connection whose socket is known.
type native struct {
	connection
	socket   net.Conn
	prepared map[string]sqldriver.Stmt // by text
}

// Close closes the connection. That the server has closed it before, because it
// was idle, is no error.
func (n *native) Close() error {
	n.connection.Close()
	return nil
}

func asNative(conn any) websql.Native {
	if n, ok := conn.(*native); ok {
		return n
	}
	return nil
}

// Row implements websql.Native.
func (n *native) Row(deadline time.Time, text string, args, dest []any) error {
	return n.within(deadline, text, args, func(stmt sqldriver.Stmt, args []sqldriver.NamedValue) (err error) {
		rows, err := stmt.(sqldriver.StmtQueryContext).QueryContext(context.Background(), args)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, rows.Close()) }()
		var few [8]sqldriver.Value
		values := append(few[:0], make([]sqldriver.Value, len(dest))...)
		if err := rows.Next(values); err != nil {
			if errors.Is(err, io.EOF) {
				err = sql.ErrNoRows
			}
			return err
		}
		for i, v := range values {
			if err := assign(dest[i], v); err != nil {
				return err
			}
		}
		return nil
	})
}

// assign copies a value of a row, which the driver uses again.
func assign(to any, v sqldriver.Value) error {
	b, isBytes := v.([]byte)
	switch to := to.(type) {
	case *string:
		if isBytes {
			*to = string(b)
			return nil
		}
	case *[]byte:
		if isBytes || v == nil {
			*to = bytes.Clone(b)
			return nil
		}
	case sql.Scanner:
		return to.Scan(v)
	case *any:
		if *to = v; isBytes {
			*to = bytes.Clone(b)
		}
		return nil
	}
	return fmt.Errorf("a column has a %T where a %T is read", v, to)
}

// Exec implements websql.Native.
func (n *native) Exec(deadline time.Time, text string, args []any) (affected int64, err error) {
	err = n.within(deadline, text, args, func(stmt sqldriver.Stmt, args []sqldriver.NamedValue) error {
		result, err := stmt.(sqldriver.StmtExecContext).ExecContext(context.Background(), args)
		if err == nil {
			affected, err = result.RowsAffected()
		}
		return err
	})
	return affected, err
}

// within uses a statement until the deadline. The driver closes a connection on
// which it waited in vain.
func (n *native) within(deadline time.Time, text string, args []any, use func(sqldriver.Stmt, []sqldriver.NamedValue) error) error {
	if !n.IsValid() || n.socket.SetDeadline(deadline) != nil {
		return sqldriver.ErrBadConn
	}
	named := make([]sqldriver.NamedValue, len(args))
	for i, a := range args {
		v, err := sqldriver.DefaultParameterConverter.ConvertValue(a)
		if err != nil {
			return err
		}
		named[i] = sqldriver.NamedValue{Ordinal: i + 1, Value: v}
	}
	stmt, err := n.prepare(text)
	if err == nil {
		if err = use(stmt, named); isForgotten(err) {
			delete(n.prepared, text)
			if stmt, err = n.prepare(text); err == nil {
				err = use(stmt, named)
			}
		}
	}
	if err != nil && !errors.Is(err, sql.ErrNoRows) && !errors.As(err, new(*mysql.MySQLError)) && !time.Now().Before(deadline) {
		err = fmt.Errorf("%w: %w", context.DeadlineExceeded, err)
	}
	if n.IsValid() {
		n.socket.SetDeadline(time.Time{})
	}
	return err
}

// prepare answers a statement. If the connection is lost meanwhile, nothing was
// sent that counts.
func (n *native) prepare(text string) (sqldriver.Stmt, error) {
	if stmt := n.prepared[text]; stmt != nil {
		return stmt, nil
	}
	stmt, err := n.PrepareContext(context.Background(), text)
	switch {
	case err == nil:
		n.prepared[text] = stmt
	case !errors.As(err, new(*mysql.MySQLError)):
		err = fmt.Errorf("%w: %w", sqldriver.ErrBadConn, err)
	}
	return stmt, err
}

// isForgotten reports whether a server, or a proxy before it, does not know a
// statement any more that was prepared. It was not carried out.
func isForgotten(err error) bool {
	var e *mysql.MySQLError
	return errors.As(err, &e) && (e.Number == 1243 || e.Number == 1615) // ER_UNKNOWN_STMT_HANDLER, ER_NEED_REPREPARE
}
