package mysql

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"

	websql "github.com/websession/websession/sql"
)

//go:embed schema.sql
var schemaText string

//go:embed field.sql
var fieldText string

// Dialect is MySQL and MariaDB for New of package sql, with a pool of
// github.com/go-sql-driver/mysql that the application owns. Whether it counts
// rows that were found or rows that were changed makes no difference, since each
// statement changes what it finds. Its isolation should be READ COMMITTED. Calls
// take least on connections of NewConnector.
func Dialect() websql.Dialect {
	return websql.Dialect{
		Name:   "mysql",
		Quote:  "`",
		Binary: true,
		Native: asNative,
		Schema: schemaText,
		Field:  fieldText,
		Purge: "DELETE s FROM {table} AS s JOIN (SELECT session_key FROM {table} WHERE expires < {before}" +
			" ORDER BY expires LIMIT {limit} FOR UPDATE SKIP LOCKED) AS old ON s.session_key = old.session_key",
		Columns:   "SELECT column_name FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = ?",
		Indexes:   "SELECT column_name FROM information_schema.statistics WHERE table_schema = DATABASE() AND table_name = ? AND seq_in_index = 1",
		Explain:   "EXPLAIN FORMAT=JSON ",
		Classify:  classify,
		Exclusive: exclusive,
		Attach:    attach,
		Locks:     &websql.Locks{Name: lockName, Take: takeLock, Release: releaseLock},
	}
}

// schemaLock is the name of the lock of those who make a table.
const schemaLock = "CONCAT('websession.', SHA1(DATABASE()))"

// schemaWait is how long it is waited for, in seconds; the context may end
// sooner.
const schemaWait = 60

// exclusive makes the schema under a lock: a statement that makes a table is a
// transaction, so what is left of one who did not come to the end is removed.
func exclusive(ctx context.Context, conn *sql.Conn, table string, do func() error) error {
	var got sql.NullInt64
	if err := conn.QueryRowContext(ctx, "SELECT GET_LOCK("+schemaLock+", ?)", schemaWait).Scan(&got); err != nil {
		return err
	}
	if got.Int64 != 1 {
		return fmt.Errorf("another program has been making tables for longer than %d s", schemaWait)
	}
	defer conn.ExecContext(context.WithoutCancel(ctx), "DO RELEASE_LOCK("+schemaLock+")")
	if err := removeRest(ctx, conn, table); err != nil {
		return err
	}
	if err := do(); err != nil {
		return errors.Join(err, removeRest(context.WithoutCancel(ctx), conn, table))
	}
	return nil
}

// removeRest drops a table of ours that was not completed: it is empty, and there
// is no row about it in the table of versions.
func removeRest(ctx context.Context, conn *sql.Conn, table string) error {
	count := func(query string, args ...any) (n int, err error) {
		err = conn.QueryRowContext(ctx, query, args...).Scan(&n)
		return n, err
	}
	n, err := count("SELECT count(*) FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = ? AND table_comment = 'made by websession'", table)
	if err != nil || n == 0 {
		return err
	}
	if n, err = count("SELECT count(*) FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = 'websession_meta'"); err != nil {
		return err
	}
	if n > 0 {
		if n, err = count("SELECT count(*) FROM websession_meta WHERE table_name = ?", table); err != nil || n > 0 {
			return err
		}
	}
	if n, err = count("SELECT count(*) FROM (SELECT 1 FROM `" + table + "` LIMIT 1) AS one"); err != nil || n > 0 {
		return err
	}
	_, err = conn.ExecContext(ctx, "DROP TABLE `"+table+"`")
	return err
}
