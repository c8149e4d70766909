package sql

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
)

// connect takes a connection of the pool.
func (w *writer) connect() error {
	ctx, cancel := context.WithTimeout(context.Background(), w.patience())
	defer cancel()
	conn, err := w.db.Conn(ctx)
	if err != nil {
		return err
	}
	return w.take(ctx, conn)
}

// take makes conn the connection of the writer, or drops it.
func (w *writer) take(ctx context.Context, conn *sql.Conn) error {
	w.conn, w.prepared = conn, make(map[string]*sql.Stmt)
	err := w.dialect.Writer.Prepare(ctx, conn)
	if err != nil {
		w.drop()
	}
	return err
}

// drop closes the connection, with whatever state it is in: it does not go back
// to the pool.
func (w *writer) drop() {
	if w.conn == nil {
		return
	}
	for _, stmt := range w.prepared {
		stmt.Close()
	}
	drop(w.conn)
	w.conn, w.prepared = nil, nil
}

// drop closes a connection of a pool.
func drop(conn *sql.Conn) {
	conn.Raw(func(any) error { return sqldriver.ErrBadConn })
	conn.Close()
}

// exec runs a statement that is prepared once for each connection.
func (w *writer) exec(text string, args ...any) (int64, error) {
	if w.conn == nil {
		return 0, sqldriver.ErrBadConn
	}
	ctx := context.Background()
	stmt := w.prepared[text]
	if stmt == nil {
		var err error
		if stmt, err = w.conn.PrepareContext(ctx, text); err != nil {
			return 0, err
		}
		w.prepared[text] = stmt
	}
	result, err := stmt.ExecContext(ctx, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}
