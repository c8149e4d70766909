// Package testenv gives tests empty, isolated places on real servers. Only
// _test.go files import it.
//
//	func TestMain(m *testing.M) { testenv.Main(m) }
//
//	func TestConformance(t *testing.T) {
//		conformance.Run(t, redis.Driver{}, conformance.Env{
//			Place: func(tb testing.TB) map[string]any { return testenv.Redis(tb).Properties },
//		})
//	}
//
// # Where the servers come from
//
// The first way that is there: an address from the environment, a Docker engine
// (through dockertest), a program installed on this machine. A server is started
// when the first test asks for it, once for a test binary. Each call answers a
// place of its own there. A log line of the first test says which way it was.
//
//	WEBSESSION_TEST_REDIS      host:port
//	WEBSESSION_TEST_SENTINEL   host:port,host:port,...;service
//	WEBSESSION_TEST_CLUSTER    host:port,host:port,...
//	WEBSESSION_TEST_POSTGRES   postgres://user:password@host:port/database?sslmode=disable
//	WEBSESSION_TEST_MARIADB    user:password@tcp(host:port)/
//	WEBSESSION_TEST_CASSANDRA  host:port,host:port,...
//
// The SQL users must be allowed to create databases, and Cassandra must let
// everybody create keyspaces. An address that does not
// answer fails the test; no other way is tried then.
//
//	WEBSESSION_TEST_SERVERS          address, docker or local allows this way only
//	WEBSESSION_TEST_REDIS_IMAGE      redis:7, also for Sentinel and Cluster
//	WEBSESSION_TEST_POSTGRES_IMAGE   postgres:15
//	WEBSESSION_TEST_MARIADB_IMAGE    mariadb:10.11
//	WEBSESSION_TEST_CASSANDRA_IMAGE  cassandra:5
//	WEBSESSION_CASSANDRA_LIB         the folder of Cassandra's jars, which are no Debian
//	                                 package: .ci/install fetches them into the user's cache
//
// With -short every test that asks for a server is skipped.
//
// # Faults
//
// A test that kills, freezes or cuts off a server needs one of its own: NewRedis,
// NewSentinel ... start them from local programs, whatever the environment says.
// Proxy and DropProxy stand between a client and any server.
//
// # What is not promised
//
//   - That a place stays empty of what the server itself puts there.
//   - That a test binary that is killed leaves nothing at once: local servers end
//     with it on Linux, but containers only soon after the time-out of the run.
package testenv
