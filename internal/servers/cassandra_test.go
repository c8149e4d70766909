package servers_test

import (
	"context"
	"errors"
	"net"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/gocql/gocql"
	"github.com/stretchr/testify/require"

	"github.com/websession/websession/internal/servers"
)

// inCassandra runs statements over a session of their own.
func inCassandra(addr string, o *gocql.PasswordAuthenticator) query {
	return func(ctx context.Context, statement string) (v string, err error) {
		host, port, err := net.SplitHostPort(addr)
		if err != nil {
			return "", err
		}
		conf := gocql.NewCluster(host)
		conf.Port, err = strconv.Atoi(port)
		if err != nil {
			return "", err
		}
		conf.ProtoVersion, conf.Timeout, conf.ConnectTimeout = 4, 10*time.Second, 10*time.Second
		conf.Consistency = gocql.All
		conf.Logger = quiet{}
		if o != nil {
			conf.Authenticator = *o
		}
		s, err := conf.CreateSession()
		if err != nil {
			return "", err
		}
		defer s.Close()
		if err = s.Query(statement).WithContext(ctx).Scan(&v); errors.Is(err, gocql.ErrNotFound) {
			err = nil
		}
		return v, err
	}
}

// quiet is a logger of gocql.
type quiet struct{}

func (quiet) Print(...any)          {}
func (quiet) Printf(string, ...any) {}
func (quiet) Println(...any)        {}

func TestCassandra(t *testing.T) {
	skipShort(t)
	dir := emptyTemp(t)
	c := started(t, func() (*servers.Cassandra, error) {
		return servers.StartCassandra(t.Context(), &servers.CassandraOptions{Login: true, Durable: true, Config: []string{"commitlog_segment_size: 8MiB"}})
	})
	q := inCassandra(c.Addr(), &gocql.PasswordAuthenticator{Username: servers.CassandraUser, Password: servers.CassandraUser})
	q.must(t, "SELECT data_center FROM system.local", servers.CassandraDatacenter)
	q.must(t, "SELECT value FROM system_views.settings WHERE name = 'commitlog_segment_size'", "8MiB")
	q.must(t, "SELECT value FROM system_views.settings WHERE name = 'commitlog_sync'", "batch")
	_, err := inCassandra(c.Addr(), nil)(t.Context(), "SELECT key FROM system.local")
	require.ErrorContains(t, err, "authentication required")

	q.must(t, "CREATE KEYSPACE own WITH replication = {'class': 'NetworkTopologyStrategy', 'dc1': 1}", "")
	q.must(t, "CREATE TABLE own.t (v text PRIMARY KEY)", "")
	q.must(t, "INSERT INTO own.t (v) VALUES ('kept')", "")
	require.NoError(t, c.Kill())
	_, err = q(t.Context(), "SELECT v FROM own.t")
	require.Error(t, err)
	begin := time.Now()
	require.NoError(t, c.Restart(within(t, 2*time.Minute)))
	t.Logf("restarted in %.2f s", time.Since(begin).Seconds())
	q.must(t, "SELECT v FROM own.t", "kept")
	mustStop(t, c.Server, c.Stop, dir)
}

func TestCassandraRing(t *testing.T) {
	skipShort(t)
	dir := emptyTemp(t)
	r := started(t, func() (*servers.CassandraRing, error) { return servers.StartCassandraRing(t.Context(), nil) })
	require.Len(t, r.Addrs(), 3)
	q := inCassandra(r.Addrs()[1], nil)
	q.must(t, "CREATE KEYSPACE own WITH replication = {'class': 'NetworkTopologyStrategy', 'dc1': 3}", "")
	q.must(t, "CREATE TABLE own.t (v text PRIMARY KEY)", "")
	until(t, func() bool { // as long as cold nodes need
		_, err := q(t.Context(), "INSERT INTO own.t (v) VALUES ('kept')")
		return err == nil
	})
	require.NoError(t, r.Nodes[2].Kill())
	require.NoError(t, r.Nodes[0].Pause())
	begin := time.Now()
	require.NoError(t, r.Heal(within(t, 2*time.Minute)))
	t.Logf("healed in %.2f s", time.Since(begin).Seconds())
	q.must(t, "SELECT v FROM own.t", "kept")
	gone := pids(r.Nodes)
	require.NoError(t, r.Stop())
	mustBeGone(t, gone...)
	mustBeEmpty(t, dir)
}

// What is missing is named, with what brings it.
func TestCassandraWithoutJars(t *testing.T) {
	skipShort(t)
	t.Setenv("WEBSESSION_CASSANDRA_LIB", t.TempDir())
	_, err := servers.StartCassandra(t.Context(), nil)
	require.ErrorIs(t, err, exec.ErrNotFound)
	require.ErrorContains(t, err, "run make deps")
}
