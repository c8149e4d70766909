package sql

import (
	"context"
	"database/sql"
	"strings"
	"time"

	"github.com/websession/websession/session/driver"
)

// Dialect is what differs between databases. A package that adds one needs this
// value and the statements of its schema, nothing else.
//
// In the statements below {table} stands for the quoted table of the sessions,
// {name} for its name without quotes, {meta} for the quoted table of the schema
// versions, and {index} for the quoted name of the index that the statement
// makes. Several statements are separated by ";" at the end of a line.
type Dialect struct {
	// Name begins every error: "sqlite".
	Name string

	// Quote is the mark around the name of a table or a column.
	Quote string

	// Placeholder answers the n-th placeholder of a statement, from 1 on. Nil
	// means "?".
	Placeholder func(n int) string

	// Binary passes keys, versions and digests as bytes: their columns are not
	// texts.
	Binary bool

	// Prepares is set where the database driver prepares statements by itself,
	// and keeps them for as long as a connection lives. Elsewhere the store does.
	Prepares bool

	// Native answers a connection of the database driver, or nil for one that it
	// does not know. With it, calls that have a deadline go around package
	// database/sql, which starts a goroutine for the deadline of each query. Nil:
	// there is no way around.
	Native func(conn any) Native

	// Schema makes the table, an index of expires, and unless it is there the
	// table of schema versions, with the columns table_name and schema_version.
	// Keys are compared byte by byte.
	Schema string

	// Field adds an index field: the nullable column {column} and an index of it
	// and session_key.
	Field string

	// IfFree ends an INSERT so that it affects no row if the key is taken. Where
	// it is empty, Classify answers Taken for the error.
	IfFree string

	// Purge deletes at most {limit} rows whose expires is below {before}: each
	// once, in this order.
	Purge string

	// Columns answers the names of the columns of a table, Indexes those that
	// come first in an index of it. Both take its name. A table that does not
	// exist has none.
	Columns, Indexes string

	// Explain begins a statement so that it answers its plan, in the last column.
	Explain string

	// Writer is set where only one connection can write at a time. Nil: every
	// mutation is a transaction of its own on a connection of the pool.
	Writer *Writer

	// Classify says what an error of a statement, or of COMMIT, tells about the
	// mutation. The error of a context that ended is Unknown.
	Classify func(error) Outcome

	// Exclusive runs do, which makes a table, in a transaction or under a lock
	// that keeps out others who make one, and undoes what it did if it fails.
	Exclusive func(ctx context.Context, conn *sql.Conn, table string, do func() error) error

	// Attach looks at the database behind a connection, and refuses one that
	// cannot be used. It is called once for each store, before anything else.
	Attach func(ctx context.Context, conn *sql.Conn, table string) (Database, error)

	// Locks is set where connections can hold locks of the database.
	Locks *Locks
}

// Locks is how connections hold locks that have names.
type Locks struct {
	// Name answers the name of the lock of a key, where Options.LockName does
	// not.
	Name func(table, key string) string

	// Take waits for a lock, until it has it or the time is over: then it
	// answers false.
	Take func(ctx context.Context, conn *sql.Conn, name string, wait time.Duration) (bool, error)

	// Release answers false if the connection did not hold the lock.
	Release func(ctx context.Context, conn *sql.Conn, name string) (bool, error)
}

// Writer is how the single writer of a database works.
type Writer struct {
	// Begin takes the write lock, or fails at once with an error that Classify
	// calls Busy: "BEGIN IMMEDIATE".
	Begin string

	// Wait is how long a lock of another program is waited for.
	Wait time.Duration

	// MaxBatch is how many mutations share a transaction at most.
	MaxBatch int

	// Prepare makes a connection ready to write. It is called for each connection
	// that the writer takes.
	Prepare func(ctx context.Context, conn *sql.Conn) error
}

// Outcome is what an error tells about a mutation.
type Outcome int

// Outcomes of mutations that failed.
const (
	Unknown    Outcome = iota // it may have been applied
	NotApplied                // it had no effect
	Taken                     // it had no effect: the key of an INSERT is taken
	Refused                   // it had no effect: a constraint or a trigger refused a row
	Busy                      // it had no effect, and may have one soon: another program has a lock, or had one
)

// Database is the one behind a store. Its methods are safe for concurrent use.
type Database interface {
	// Check reports why the database must not be used any more. It is called
	// before every use and must cost next to nothing. Before reading, it may rely
	// on what it saw a moment ago.
	Check(write bool) error

	// Describe answers an error as people understand it, and wraps it.
	Describe(err error) error

	// Info tells about the database, with a connection for reading.
	Info(ctx context.Context, conn *sql.Conn) (driver.Info, error)
}

// Limiter is a Database that takes less than driver.MaxData bytes of data, and
// what should be done about that.
type Limiter interface {
	MaxData() (bytes int, advice string)
}

func (d *Dialect) quote(name string) string { return d.Quote + name + d.Quote }

func (d *Dialect) placeholder(n int) string {
	if d.Placeholder == nil {
		return "?"
	}
	return d.Placeholder(n)
}

// fill replaces what stands in braces. index is the rest of the name of an
// index.
func (d *Dialect) fill(text, table, index string, more ...string) string {
	return strings.NewReplacer(append([]string{
		"{table}", d.quote(table),
		"{name}", table,
		"{meta}", d.quote(metaTable),
		"{index}", d.quote(table + "_" + index),
	}, more...)...).Replace(text)
}
