package testenv

import (
	"context"
	"testing"

	"github.com/websession/websession/internal/servers"
)

// NewRedis starts a Redis server for one test, from a local program, whatever
// the environment says. It is stopped at the end of the test. So are those of
// the functions below.
func NewRedis(tb testing.TB, o *servers.RedisOptions) *servers.Redis {
	tb.Helper()
	return own(tb, "Redis", o, servers.StartRedis)
}

// NewSentinel starts a master, two replicas and three Sentinels for one test.
func NewSentinel(tb testing.TB, o *servers.SentinelOptions) *servers.Sentinel {
	tb.Helper()
	return own(tb, "Redis Sentinel set", o, servers.StartSentinel)
}

// NewCluster starts a Redis Cluster of three masters and three replicas for one
// test.
func NewCluster(tb testing.TB, o *servers.RedisOptions) *servers.Cluster {
	tb.Helper()
	return own(tb, "Redis Cluster", o, servers.StartCluster)
}

// NewPostgres starts a PostgreSQL server for one test.
func NewPostgres(tb testing.TB, o *servers.PostgresOptions) *servers.Postgres {
	tb.Helper()
	return own(tb, "PostgreSQL", o, servers.StartPostgres)
}

// NewMariaDB starts a MariaDB server for one test.
func NewMariaDB(tb testing.TB, o *servers.MariaDBOptions) *servers.MariaDB {
	tb.Helper()
	return own(tb, "MariaDB", o, servers.StartMariaDB)
}

// NewCassandra starts a Cassandra node for one test. It takes seconds, and half a
// GiB.
func NewCassandra(tb testing.TB, o *servers.CassandraOptions) *servers.Cassandra {
	tb.Helper()
	return own(tb, "Cassandra", o, servers.StartCassandra)
}

// NewCassandraRing starts three Cassandra nodes for one test, on 127.0.0.1,
// 127.0.0.2 and 127.0.0.3.
func NewCassandraRing(tb testing.TB, o *servers.CassandraOptions) *servers.CassandraRing {
	tb.Helper()
	return own(tb, "Cassandra ring", o, servers.StartCassandraRing)
}

func own[O any, S interface{ Stop() error }](tb testing.TB, name string, o O, start func(context.Context, O) (S, error)) S {
	tb.Helper()
	skipShort(tb, name+" of the test's own")
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	s, err := start(ctx, o)
	if err != nil {
		tb.Fatalf("testenv: a %s of the test's own: %v", name, err)
	}
	tb.Cleanup(func() {
		if err := s.Stop(); err != nil {
			tb.Errorf("testenv: stop the %s: %v", name, err)
		}
	})
	return s
}
