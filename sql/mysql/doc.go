// Package mysql keeps sessions in MariaDB 10.6, MySQL 8.0, or newer: class
// "MySQL", also called "MariaDB", URLs mysql://user:password@host:port/database.
// It is package sql with the driver github.com/go-sql-driver/mysql.
//
// Import it for its class name, or hand a pool that the application owns to New
// of package sql, with [Dialect].
//
// # Properties
//
//   - host, port, database: where the database is; 127.0.0.1 and 3306 by default.
//     socket: the path of a Unix socket instead.
//   - DataSource: the same as Perl writes it: dbi:mysql:database=x;host=y.
//   - username, password; UserName, Password in Perl's words.
//   - table, or TableName: the table of the sessions; websession_sessions by
//     default.
//   - sslmode: disable, prefer (the default), require, verify-ca or verify-full;
//     tls_ca, tls_cert, tls_key: files for it.
//   - connect_timeout, timeout: how long connecting, and any call, may take; 5 s
//     and 10 s by default.
//   - pool_size: how many connections there are at most; 16 by default.
//   - locking: none (the default), or get_lock for GET_LOCK, as
//     Apache::Session::MySQL has it: the requests of a session queue then. The
//     names of the locks are not those of Perl; see Options.LockName of package sql.
//   - lock_timeout, lock_pool_size: how long a lock is waited for, 10 s by
//     default, and how many can be held; 16 by default. LockDataSource,
//     LockUserName, LockPassword: another server for them, in Perl's words.
//
// # Promises
//
//   - A write that was answered survives a crash of the server, if its settings
//     innodb_flush_log_at_trx_commit and, with binary logs, sync_binlog are 1;
//     Ping says so if not.
//   - Connections use autocommit, READ COMMITTED, a strict SQL mode and utf8mb4,
//     whatever the server's defaults are. Keys and digests are bytes: no collation
//     touches them.
//   - A server that is read-only is refused. A connection that the server has
//     closed is noticed before anything is sent on it.
//   - A statement that InnoDB rolls back because of a deadlock is tried again.
//   - Several purgers at once pass over the rows of each other.
//   - A session that is larger than a packet of the server is refused before it
//     is sent.
//   - A table whose columns hold less than a session may have, or compare text, is
//     refused: a server that is not strict would cut what is stored.
//
// # What is not promised
//
//   - That a failover keeps the last writes: replicas follow later.
//   - Clusters that write on several nodes (Galera): a node may not show yet what
//     another one has stored. Ping says so.
package mysql
