// Package postgres keeps sessions in PostgreSQL 12 or newer: class "PostgreSQL",
// also called "Postgres", URLs postgres://user:password@host:port/database. It is
// package sql with the driver github.com/jackc/pgx/v5.
//
// Import it for its class name, or hand a pool that the application owns to New
// of package sql, with [Dialect].
//
// # Properties
//
//   - host, port, database: where the database is; a host that begins with "/" is
//     the folder of a Unix socket, and several hosts have commas between them: the
//     first that takes writes is used.
//   - DataSource: the same as Perl writes it: dbi:Pg:dbname=x;host=y.
//   - username, password; UserName, Password in Perl's words.
//   - table, or TableName: the table of the sessions; websession_sessions by
//     default.
//   - sslmode: disable, prefer (the default), require, verify-ca or verify-full;
//     tls_ca, tls_cert, tls_key: files for it.
//   - connect_timeout, timeout: how long connecting, and any call, may take; 5 s
//     and 10 s by default.
//   - pool_size: how many connections there are at most; 16 by default.
//   - locking: none (the default), or advisory for advisory locks: the requests of
//     a session queue then.
//   - lock_timeout, lock_pool_size: how long a lock is waited for, 10 s by
//     default, and how many can be held; 16 by default. LockDataSource,
//     LockUserName, LockPassword: another server for them, in Perl's words.
//   - Commit: accepted from Perl's configurations and without effect.
//
// What is left open is taken from where libpq takes it: PGHOST and its like, and
// the password file.
//
// # Promises
//
//   - A write that was answered survives a crash of the server, if its settings
//     fsync, full_page_writes and synchronous_commit are on; Ping says so if not.
//   - Connections use READ COMMITTED, whatever the server's default is.
//   - A standby, and a server that takes no writes, is refused, also by each new
//     connection. A connection that the server has closed is noticed before
//     anything is sent on it.
//   - Parameters are never written into the text of a statement. Statements are
//     prepared once for each connection.
//   - Prepared statements that the server has lost are prepared again.
//   - Several purgers at once pass over the rows of each other.
//
// # What is not promised
//
//   - That a failover keeps the last writes, unless the new primary is a
//     synchronous standby.
//   - Poolers that give the connections of a session to others, as PgBouncer does
//     with pool_mode = transaction.
package postgres
