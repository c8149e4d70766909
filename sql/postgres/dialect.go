package postgres

import (
	"context"
	"database/sql"
	_ "embed"
	"fmt"

	websql "github.com/websession/websession/sql"
)

//go:embed schema.sql
var schemaText string

//go:embed field.sql
var fieldText string

// Dialect is PostgreSQL for New of package sql, with a pool of
// github.com/jackc/pgx/v5/stdlib that the application owns.
func Dialect() websql.Dialect {
	return websql.Dialect{
		Name:        "postgres",
		Quote:       `"`,
		Placeholder: func(n int) string { return fmt.Sprintf("$%d", n) },
		Binary:      true,
		Prepares:    true,
		Native:      asNative,
		Schema:      schemaText,
		Field:       fieldText,
		IfFree:      "ON CONFLICT (session_key) DO NOTHING",
		Purge: "DELETE FROM {table} WHERE session_key = ANY (ARRAY(SELECT session_key FROM {table}" +
			" WHERE expires < {before} ORDER BY expires LIMIT {limit} FOR UPDATE SKIP LOCKED))",
		Columns: "SELECT attname::text FROM pg_attribute" +
			" WHERE attrelid = to_regclass(quote_ident($1)) AND attnum > 0 AND NOT attisdropped",
		Indexes: "SELECT a.attname::text FROM pg_index AS i JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]" +
			" WHERE i.indrelid = to_regclass(quote_ident($1)) AND i.indisvalid",
		Explain:   "EXPLAIN (FORMAT TEXT, COSTS FALSE) ",
		Classify:  classify,
		Exclusive: exclusive,
		Attach:    attach,
		Locks:     &websql.Locks{Name: lockName, Take: takeLock, Release: releaseLock},
	}
}

// schemaLock is the advisory lock of those who make a table: "wses".
const schemaLock = 0x77736573

// exclusive makes the schema in one transaction.
func exclusive(ctx context.Context, conn *sql.Conn, _ string, do func() error) error {
	tx, err := conn.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock($1)", int64(schemaLock)); err != nil {
		return err
	}
	// The statements of do run on the same connection, in this transaction.
	if err := do(); err != nil {
		return err
	}
	return tx.Commit()
}
