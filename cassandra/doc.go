// Package cassandra keeps sessions in Apache Cassandra 4.1 or later, by way of
// github.com/gocql/gocql: class "Cassandra", URL
// cassandra://user:password@host:9042,host:9042/keyspace?datacenter=dc1.
//
// Import it for its class name, or hand a session of the application to [New].
//
// # Properties
//
//   - hosts: some nodes, which name the others; 127.0.0.1. They listen on the same
//     port, 9042 where none is given.
//   - keyspace: it must be given, and be there.
//   - create_keyspace: makes the keyspace if it is not there, with so many copies
//     in each datacenter: "dc1:3" or "dc1:3,dc2:3". There is no default: one copy
//     would go with its node.
//   - datacenter: the one whose nodes are used. It can be left out if there is only
//     one.
//   - table: "websession_sessions". The index has _index behind it.
//   - consistency, serial_consistency: LOCAL_QUORUM and LOCAL_SERIAL, which decide
//     within the datacenter. Applications in several datacenters that write the
//     same sessions need QUORUM and SERIAL.
//   - conflict: "versions", or "last-write-wins", which is faster and loses updates;
//     all servers that share sessions have the same.
//   - username, password; ssl, SSL_verify_mode, tls_ca, tls_cert, tls_key,
//     tls_server_name.
//   - connect_timeout, timeout: how long connecting to a node and one statement may
//     take, 5 s each. A statement should be given more time than the server gives
//     it.
//   - pool_size: connections to each node, 2.
//
// DataSource ("dbi:Cassandra:host=HOST;keyspace=NAME"), UserName, Password and
// TableName are what Perl's Apache::Session::Browseable::Cassandra calls the same
// things; the sessions of that module are another format.
//
// # Layout
//
// A session is one row, and the only one of its partition. Its cells are written
// together with one time-to-live, its remaining life and a minute, so that they end
// together; a row that has lost some of them cannot come about. A session that
// lives longer than Cassandra can tell, which is until 2038 or for twenty years,
// does not end by itself. Index entries are rows of a second table, one partition
// for each user, which end by themselves as well.
//
// A store makes the tables when it is opened, if it may. Otherwise an administrator
// does, with what websession schema prints; then SELECT and MODIFY on both tables
// are enough. Their comments say which schema they have. Several servers may start
// together; a node that is down meanwhile learns of the tables later.
//
// # Promises
//
//   - A load is one serial read, and a mutation one lightweight transaction: it
//     compares the version and writes in one step. Create and Delete of a session
//     that has a user are two statements, and a change of the user is three.
//   - A mutation is sent once, whatever the client's policies are. A time-out, of
//     the client or of the server, is an unknown outcome.
//   - A load that finds a broken connection or busy nodes is tried three times,
//     within the time of one statement.
//   - What is not a whole session of this package is never overwritten.
//   - Errors contain no keys and no passwords.
//
// # What is not promised
//
//   - More than the copies can give: with three of them one node may fail, with one
//     none. Ping says what it is.
//   - That an ended session stays ended when a node was away for longer than
//     gc_grace_seconds (ten days), is not repaired, and the session would have lived
//     longer than that.
//   - Anything about conflict: last-write-wins but that a session is whole: of two
//     updates that overlap one is lost, and a slow request brings a session back
//     that was ended. Clocks of the nodes decide which is later.
//   - That sessions of two datacenters are in step, with LOCAL_SERIAL.
//   - That Scan sees a session which is written at the same time.
package cassandra
