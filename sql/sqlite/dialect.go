package sqlite

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	websql "github.com/websession/websession/sql"
)

//go:embed schema.sql
var schemaText string

//go:embed field.sql
var fieldText string

// What the header of a database says: whose it is, and in which version.
const (
	applicationID = 0x77736573 // "wses"
	userVersion   = 1
)

// Dialect is SQLite for New of package sql, with a pool of modernc.org/sqlite
// that the application owns. The journal mode should be WAL; it is left as it
// is. o may be nil.
func Dialect(o *Options) websql.Dialect {
	return dialect{options: o.withDefaults()}.dialect()
}

// dialect makes a Dialect. file and keep are set where the database is a file of
// ours, and the pools are.
type dialect struct {
	options Options
	file    *file
	keep    func(context.Context) error
}

func (d dialect) dialect() websql.Dialect {
	batch := d.options.MaxBatch
	if d.options.NoGroupCommit {
		batch = 1
	}
	return websql.Dialect{
		Name:      "sqlite",
		Quote:     `"`,
		Schema:    schemaText,
		Field:     fieldText,
		IfFree:    "ON CONFLICT (session_key) DO NOTHING",
		Purge:     "DELETE FROM {table} WHERE rowid IN (SELECT rowid FROM {table} WHERE expires < {before} ORDER BY expires LIMIT {limit})",
		Columns:   "SELECT name FROM pragma_table_info(?)",
		Indexes:   "SELECT i.name FROM pragma_index_list(?) AS l, pragma_index_info(l.name) AS i WHERE i.seqno = 0",
		Explain:   "EXPLAIN QUERY PLAN ",
		Classify:  classify,
		Exclusive: d.exclusive,
		Attach:    d.attach,
		Writer: &websql.Writer{
			Begin:    "BEGIN IMMEDIATE",
			Wait:     d.options.BusyTimeout,
			MaxBatch: batch,
			Prepare:  d.prepare,
		},
	}
}

// exclusive makes the schema in one transaction, and writes whose database it is
// if there was nothing in it.
func (d dialect) exclusive(ctx context.Context, conn *sql.Conn, _ string, do func() error) (err error) {
	if _, err = conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
		}
	}()
	var tables int
	if tables, err = number(ctx, conn, "SELECT count(*) FROM sqlite_schema"); err != nil {
		return err
	}
	if err = do(); err != nil {
		return err
	}
	if d.file != nil && tables == 0 {
		if _, err = conn.ExecContext(ctx, fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d", applicationID, userVersion)); err != nil {
			return err
		}
	}
	_, err = conn.ExecContext(ctx, "COMMIT")
	return err
}

// prepare makes a connection the writer. The writer itself waits for locks.
func (d dialect) prepare(ctx context.Context, conn *sql.Conn) error {
	level := map[Synchronous]int{Normal: 1, Full: 2}[d.options.Synchronous]
	_, err := conn.ExecContext(ctx, fmt.Sprintf("PRAGMA busy_timeout = 0; PRAGMA journal_size_limit = 67108864; PRAGMA synchronous = %d", level))
	if err != nil {
		return err
	}
	is, err := number(ctx, conn, "PRAGMA synchronous")
	if err == nil && is != level {
		err = fmt.Errorf("PRAGMA synchronous answers %d instead of %d", is, level)
	}
	return err
}

// attach checks the database behind conn before anything is changed in it.
func (d dialect) attach(ctx context.Context, conn *sql.Conn, _ string) (websql.Database, error) {
	db := &database{options: d.options, own: d.file != nil, file: d.file}
	if db.file == nil {
		db.file = &file{}
	}
	if err := d.admit(ctx, conn, db); err != nil {
		return nil, db.Describe(err)
	}
	return db, nil
}

func (d dialect) admit(ctx context.Context, conn *sql.Conn, db *database) error {
	if err := writable(conn); err != nil {
		return err
	}
	if _, err := conn.ExecContext(ctx, fmt.Sprintf("PRAGMA busy_timeout = %d", d.options.BusyTimeout.Milliseconds())); err != nil {
		return err
	}
	if err := conn.QueryRowContext(ctx, "SELECT sqlite_version()").Scan(&db.version); err != nil {
		return err
	}
	if older(db.version, 3, 51, 3) {
		return fmt.Errorf("SQLite %s can damage a database that has several connections: version 3.51.3 or newer is needed", db.version)
	}
	if !db.own {
		if err := db.file.find(ctx, conn); err != nil {
			return err
		}
	} else {
		if err := recognise(ctx, conn); err != nil {
			return err
		}
		if err := d.useWAL(ctx, conn); err != nil {
			return err
		}
		if err := d.keep(ctx); err != nil {
			return err
		}
	}
	err := touch(ctx, conn)
	if err == nil && db.own {
		db.file.noteJournal()
	}
	return err
}

// find learns which file a connection has open.
func (f *file) find(ctx context.Context, conn *sql.Conn) error {
	err := conn.QueryRowContext(ctx, "SELECT file FROM pragma_database_list WHERE name = 'main'").Scan(&f.path)
	if err != nil {
		return err
	}
	if f.path == "" {
		return errors.New("a database in memory is another one in each connection of a pool: for sessions in memory use the class Memory")
	}
	f.id, err = os.Lstat(f.path)
	return err
}

func older(version string, want ...int) bool {
	for i, part := range strings.SplitN(version, ".", len(want)) {
		n := 0
		fmt.Sscan(part, &n)
		if n != want[i] {
			return n < want[i]
		}
	}
	return false
}

// recognise refuses a database that is not ours. An empty one is.
func recognise(ctx context.Context, conn *sql.Conn) error {
	id, err := number(ctx, conn, "PRAGMA application_id")
	if err != nil {
		return err
	}
	version, err := number(ctx, conn, "PRAGMA user_version")
	if err != nil {
		return err
	}
	tables, err := number(ctx, conn, "SELECT count(*) FROM sqlite_schema")
	if err != nil {
		return err
	}
	ours, err := number(ctx, conn, "SELECT count(*) FROM sqlite_schema WHERE name = 'websession_meta'")
	switch {
	case err != nil:
		return err
	case id == applicationID && version > userVersion:
		return websql.NewerSchema("it", int64(version))
	case id == applicationID, ours > 0, id == 0 && tables == 0:
		return nil
	}
	return fmt.Errorf("it belongs to another application (application_id %d, %d tables and indexes): name a file of its own for the sessions", id, tables)
}

// writable reports whether the file can be written to at all.
func writable(conn *sql.Conn) error {
	return conn.Raw(func(c any) error {
		r, ok := c.(interface{ IsReadOnly(string) (bool, error) })
		if !ok {
			return nil // the first write will tell
		}
		if yes, err := r.IsReadOnly("main"); !yes || err != nil {
			return err
		}
		return errReadOnly
	})
}

// useWAL sets the journal mode. It fails at once where somebody else does the
// same, whatever the busy timeout is.
func (d dialect) useWAL(ctx context.Context, conn *sql.Conn) error {
	end := time.Now().Add(d.options.BusyTimeout)
	for {
		var mode string
		err := conn.QueryRowContext(ctx, "PRAGMA journal_mode = WAL").Scan(&mode)
		switch {
		case err == nil && strings.EqualFold(mode, "wal"):
			return nil
		case err == nil:
			return fmt.Errorf("the journal mode stays %s: the file system does not allow WAL", mode)
		case classify(err) != websql.Busy || time.Now().After(end):
			return err
		}
		t := time.NewTimer(2 * time.Millisecond)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return ctx.Err()
		}
	}
}

// touch reads the database, so that its journal is open.
func touch(ctx context.Context, conn *sql.Conn) error {
	_, err := number(ctx, conn, "SELECT count(*) FROM sqlite_schema")
	return err
}

func number(ctx context.Context, conn *sql.Conn, query string) (n int, err error) {
	err = conn.QueryRowContext(ctx, query).Scan(&n)
	return n, err
}
