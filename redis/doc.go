// Package redis keeps sessions in Redis 6.2 or later, or Valkey 7.2 or later, by
// way of github.com/redis/go-redis/v9:
//
//   - class "Redis", URLs redis://user:password@host:6379/0 and rediss:// with
//     TLS: one server. With the properties sentinels and service it is the class
//     below, as in Perl.
//   - class "RedisSentinel", URLs redis+sentinel://host:26379,host:26379/service:
//     the master that Sentinels name.
//   - class "RedisCluster", URLs redis+cluster://host:7000,host:7001.
//
// Import it for its class names, or hand a client of the application to [New].
//
// # Properties
//
// Those of Perl's Redis.pm, with their meaning there:
//
//   - server, sock: host and port (a list of nodes in a cluster), or the path of
//     a Unix socket. sock goes before sentinels, and sentinels go before server.
//   - sentinels, service: the Sentinels, and the name of the master.
//   - sentinels_cnx_timeout, sentinels_read_timeout, sentinels_write_timeout: 0.1,
//     1 and 1 s; they hold for Sentinels alone.
//   - sentinels_username, sentinels_password, sentinels_ssl.
//   - cnx_timeout, read_timeout, write_timeout: 2, 3 and 3 s.
//   - username, password, ssl, SSL_verify_mode, name.
//   - reconnect, every: how long, and at what pauses (in microseconds), a
//     connection that cannot be made is tried again. It is not by default.
//
// And this project's own:
//
//   - database: its number; a cluster has none.
//   - prefix: what the names of all keys begin with, "websession:".
//   - pool_size: connections to a server, 64 at most.
//   - tls_ca, tls_cert, tls_key, tls_server_name: files and a name for TLS.
//   - wait_replicas, wait_timeout: how many replicas must have a write before it
//     counts as applied, and how long that may take; 0 and 1 s.
//   - pipelining: whether calls go out together when there are many; true.
//
// # Layout
//
// A session is one string, <prefix><key>, with a time-to-live of its remaining
// life and a minute. An index entry is a field of the hash
// <prefix>index:{<field>:<digest>}, which ends by itself as well. An access list
// must allow the keys <prefix>* and the commands evalsha, eval, get, set, exists,
// strlen, getrange, setrange, pexpire, persist, del, pttl, time, hset, hget,
// hgetall, hdel, hlen, hrandfield, scan, ping, hello, select, client|setname, in a
// cluster also cluster|slots, cluster|shards, cluster|info and asking, and wait for
// wait_replicas. It should allow info, role and config|get: what a server may not
// say cannot be checked; and mget, without which many loads at a time are slower.
//
// # Promises
//
//   - A call is one command: Load is a GET, or has a part in an MGET that loads for
//     several calls at a time, and then a GET of its own if that finds nothing; every
//     mutation is a script or a SET NX that compares and writes in one step. In a
//     cluster, where the index lies on other servers, Create and Delete of a session
//     that has a user are two, and a change of the user is three. A server that was
//     started again needs a script once more; commands that are sent together count
//     once.
//   - A mutation is sent once, by clients of this package and of the application.
//     When its answer is lost the error says that the outcome is unknown.
//   - What is not a whole session of this package, under whatever name, is never
//     overwritten. Delete without a version removes what lies under the name of
//     the session.
//   - A server counts as a master after it has said so itself. When another one
//     has become the master, or the master was started again, that is told
//     (driver.OpenOptions.PrimaryChanged): it may have lost the last writes.
//   - With wait_replicas a write that is answered as applied has reached so many
//     replicas. One that has not is an unknown outcome; then a load of that
//     session by the same store, and a logout that is repeated, wait for the
//     replicas, too, before they answer.
//   - Sentinels that do not answer hold up nobody as long as one answers.
//   - Errors contain no keys and no passwords.
//
// # What is not promised
//
//   - That a write survives, without wait_replicas: replication is asynchronous,
//     and a failover takes the last writes with it. With wait_replicas they are
//     lost when the master and the replicas that confirmed are lost together.
//   - That a write survives a power cut: see appendonly and appendfsync of Redis.
//   - Sessions when the server's memory is full, unless its maxmemory-policy is
//     noeviction. Ping warns.
//   - Scan of what moves while a cluster moves slots.
//   - Freshness while two servers take themselves for the master: until the
//     Sentinels that are asked agree, or the old one is cut off, it may be used.
package redis
