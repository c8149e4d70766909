// Package sql keeps sessions in a table of an SQL database. What differs between
// databases is a [Dialect]; each has a package of its own, which binds one
// database driver: sql/sqlite, sql/postgres, sql/mysql.
//
// Import such a package for its class name, or hand a pool that the application
// owns to [New], and the [Store] to session.New.
//
// # Layout
//
// A session is a row of the table websession_sessions: session_key, version (16
// random bytes, new with every write), data, expires (milliseconds since 1970,
// NULL means never), and for each index field a nullable column ix_<field> with
// an index. The table websession_meta says which version of the layout each
// table has. Both are made by the first store that opens. An index field that is
// added later needs a column: opening fails with the statements to run.
//
// # Promises
//
//   - Every mutation is one conditional statement; nothing is read first. It is
//     applied once or not at all, and the answer says which, unless it says that
//     the outcome is unknown.
//   - No statement of a mutation is sent twice, unless the database said that it
//     undid the first one, in favour of another statement.
//   - Where a database has a single writer, one connection writes: mutations that
//     wait for it share a transaction (group commit). None of them fails because
//     of another one, and none waits so that others may join it.
//   - Scan and Search hold neither a transaction nor a connection while the loop
//     runs.
//   - Locks, see Options.Locks and [Store.Lock], are held on connections of a pool
//     of their own, and waited for no longer than Options.LockWait.
//   - A pool that was handed in stays open.
//   - Errors never contain a key, an id or a digest.
//
// # What is not promised
//
//   - Order or a point in time for Scan and Search.
//   - That a lock keeps anybody from writing who does not ask for it, or that its
//     holder has it for as long as he believes: versions decide, not locks.
//   - What triggers, rules or constraints that were added to the table do.
//   - Index values of sessions that were stored before the field was indexed, or
//     by a program that does not know the field.
package sql
