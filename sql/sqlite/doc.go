// Package sqlite keeps sessions in a database of SQLite on a local file system:
// class "SQLite", URLs sqlite:///var/lib/app/sessions.db. It is package sql with
// the pure Go driver modernc.org/sqlite.
//
// Import it for its class name, open a file with [New], or hand a pool that the
// application owns to New of package sql, with [Dialect].
//
// # Properties
//
//   - file: the database. It is made, mode 0600, in a folder that exists.
//   - DataSource: the same as Perl writes it: dbi:SQLite:dbname=/var/lib/x.db.
//   - table: the table of the sessions; websession_sessions by default.
//   - synchronous: what a power cut may take, see [Synchronous].
//   - busy_timeout: how long a lock of another program is waited for; 5 s by
//     default.
//   - read_connections: how many sessions are read at the same time; 4 by default.
//   - group_commit, max_batch: whether, and how many, writes that wait share a
//     transaction; true and 256 by default.
//   - UserName, Password: accepted from Perl's configurations and without effect.
//
// # Promises
//
//   - One connection writes, and the others read without waiting for it: the
//     journal mode is WAL.
//   - With synchronous "full" a write that was answered survives a power cut, if
//     the disk keeps what it was told to keep.
//   - Several stores and processes of one host share a database. One of them that
//     writes all the time does not keep out the others.
//   - A database of another application, or of a later version of this one, is
//     refused and left as it is.
//   - When its file or its journal is deleted or replaced, every write fails, and
//     reading does so a tenth of a second later: nothing is written where nobody
//     will look.
//
// # What is not promised
//
//   - Network file systems: their locks and caches break the promises above.
//   - Locks, when the process that uses a store opens and closes the file of the
//     database by other means: the system then drops them. The environment
//     variable MODERNC_SQLITE_OFD_LOCK=1 protects from that on Linux.
//   - Erasure: what was deleted lies in the file until it is overwritten.
package sqlite
