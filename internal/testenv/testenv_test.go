package testenv

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/websession/websession/internal/servers"
)

func TestMain(m *testing.M) { Main(m) }

// kind is a kind of server, and how a place on one is had and used.
type kind struct {
	name   string
	server *shared
	place  func(testing.TB) *Place
	leave  func(context.Context, *Place) error // leaves something in the place
}

var kinds = []kind{
	{"Redis", sharedRedis, Redis, leaveKeys},
	{"Sentinel", sharedSentinel, Sentinel, leaveKeys},
	{"Cluster", sharedCluster, Cluster, leaveKeys},
	{"Postgres", sharedPostgres, Postgres, func(ctx context.Context, p *Place) error {
		return inPostgres(ctx, p.DSN, "CREATE TABLE t (v int)")
	}},
	{"MariaDB", sharedMariaDB, MariaDB, func(ctx context.Context, p *Place) error {
		return inMariaDB(ctx, p.DSN, "CREATE TABLE t (v int)")
	}},
	{"Cassandra", sharedCassandra, CassandraKeyspace, func(ctx context.Context, p *Place) error {
		return inCassandra(ctx, p, "CREATE TABLE t (k int PRIMARY KEY)")
	}},
}

func leaveKeys(ctx context.Context, p *Place) error {
	c := redis.NewUniversalClient(&redis.UniversalOptions{Addrs: p.Addrs, MasterName: p.Service})
	defer c.Close()
	var err error
	for _, key := range []string{"a", "b", "c", "{a}d"} {
		err = errors.Join(err, c.Set(ctx, p.Prefix+key, "v", 0).Err())
	}
	return err
}

func inCassandra(ctx context.Context, p *Place, statement string) error {
	s, err := CassandraSession(p.Addrs, p.Keyspace)
	if err != nil {
		return err
	}
	defer s.Close()
	return s.Query(statement).WithContext(ctx).Exec()
}

// again is the same server without anything that was started.
func (s *shared) again() *shared {
	return &shared{name: s.name, variable: s.variable, form: s.form, install: s.install, parse: s.parse, check: s.check, docker: s.docker, local: s.local}
}

func env(pairs ...string) func(string) string {
	m := make(map[string]string)
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = pairs[i+1]
	}
	return func(name string) string { return m[name] }
}

// Every place is another one, and is empty again at the end of its test.
func TestPlaces(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			first, second := k.place(t), k.place(t)
			require.NotEmpty(t, first.How())
			require.NotEqual(t, first.Properties, second.Properties)
			require.NotSame(t, &first.Addrs[0], &second.Addrs[0], "a place belongs to its test")
			var inner *Place
			t.Run("use", func(t *testing.T) {
				inner = k.place(t)
				require.NoError(t, k.leave(t.Context(), inner))
			})
			if inner.Prefix == "" {
				require.Error(t, k.leave(t.Context(), inner), "the database is gone")
				return
			}
			require.Empty(t, keysOf(t, inner))
			require.NoError(t, k.leave(t.Context(), first))
			require.Len(t, keysOf(t, first), 4)
			require.Empty(t, keysOf(t, second))
		})
	}
}

func keysOf(t *testing.T, p *Place) []string {
	t.Helper()
	keys, err := p.Keys(t.Context())
	require.NoError(t, err)
	return keys
}

// Tables of Cassandra are used again, when they have rested, and are empty then.
func TestTablesAreUsedAgain(t *testing.T) {
	var table string
	t.Run("use", func(t *testing.T) {
		first := Cassandra(t)
		table = first.Properties["table"].(string)
		for _, statement := range []string{"CREATE TABLE IF NOT EXISTS " + table + "more (k int PRIMARY KEY)", "INSERT INTO " + table + "more (k) VALUES (1)"} {
			require.NoError(t, inCassandra(t.Context(), first, statement))
		}
		require.NotEqual(t, table, Cassandra(t).Properties["table"])
	})
	require.NotEqual(t, table, Cassandra(t).Properties["table"], "which may get late writes yet")

	c := &cassandraPlaces
	c.mu.Lock()
	waiting := len(c.free)
	for i := range c.free {
		c.free[i].since = c.free[i].since.Add(-cassandraRest)
	}
	c.mu.Unlock()
	for range waiting {
		again := Cassandra(t)
		if again.Properties["table"] != table {
			continue
		}
		s, err := CassandraSession(again.Addrs, again.Keyspace)
		require.NoError(t, err)
		defer s.Close()
		var n int
		require.NoError(t, s.Query("SELECT COUNT(*) FROM "+table+"more").Scan(&n))
		require.Zero(t, n)
		return
	}
	t.Fatalf("none of %d tables that had rested was %s", waiting, table)
}

// Each kind starts in each way, serves, and is gone when it is stopped.
func TestWays(t *testing.T) {
	for _, how := range ways() {
		for _, k := range kinds {
			t.Run(how+"/"+k.name, func(t *testing.T) {
				skipShort(t, "by "+how)
				ctx, cancel := context.WithTimeout(t.Context(), startTimeout)
				defer cancel()
				s := k.server.again()
				begin := time.Now()
				_, err := s.start(ctx, env("WEBSESSION_TEST_SERVERS", how))
				require.NoError(t, err)
				ready := time.Now()
				require.Equal(t, how, s.how)
				err = s.check(ctx, s.endpoint)
				require.NoError(t, errors.Join(err, s.stop()))
				t.Logf("ready after %.2f s", ready.Sub(begin).Seconds())
				require.Error(t, s.check(ctx, s.endpoint), "it is stopped")
			})
		}
	}
}

// ways answers the ways that this run is about: Docker is one when the run insists
// on it, as .ci/run does, and then a missing engine is a failure.
func ways() []string {
	if os.Getenv("WEBSESSION_TEST_SERVERS") == byDocker {
		return []string{byLocal, byDocker}
	}
	return []string{byLocal}
}

func TestAddress(t *testing.T) {
	own := NewRedis(t, nil)
	s := sharedRedis.again()
	_, err := s.start(t.Context(), env("WEBSESSION_TEST_REDIS", own.Addr()))
	require.NoError(t, err)
	require.Equal(t, byAddress, s.how)
	require.Equal(t, []string{own.Addr()}, s.addrs)
	require.NoError(t, s.stop())
	require.NoError(t, s.check(t.Context(), s.endpoint), "what we did not start we do not stop")

	// An address that is wrong is an error, not a reason to take another way.
	require.NoError(t, own.Stop())
	for address, why := range map[string]string{own.Addr(): "connection refused", "localhost": "missing port", "a:1,b:1": "several"} {
		_, err := s.again().start(t.Context(), env("WEBSESSION_TEST_REDIS", address))
		require.ErrorContains(t, err, "WEBSESSION_TEST_REDIS")
		require.ErrorContains(t, err, why)
	}
}

func TestAddressForms(t *testing.T) {
	for _, c := range []struct {
		server *shared
		value  string
		addrs  string
	}{
		{sharedSentinel, "a:1, b:2;mymaster", "a:1 b:2"},
		{sharedSentinel, "a:1,b:2", ""},
		{sharedCluster, "a:1,b:2", "a:1 b:2"},
		{sharedPostgres, "postgres://u:hidden@h:5433/d?sslmode=disable", "h:5433"},
		{sharedPostgres, "host=h password=hidden", ""},
		{sharedPostgres, "postgres://u:hidden@h:none/d", ""},
		{sharedMariaDB, "u:p@tcp(h:3307)/", "h:3307"},
		{sharedMariaDB, "h:3307", ""},
	} {
		e, err := c.server.parse(c.value)
		if c.addrs == "" {
			require.Error(t, err, c.value)
			require.NotContains(t, err.Error(), "hidden")
			continue
		}
		require.NoError(t, err, c.value)
		require.Equal(t, c.addrs, strings.Join(e.addrs, " "))
	}
}

// A way that is forced and not possible fails; one that is not forced falls back.
func TestOrderOfWays(t *testing.T) {
	noDocker := errors.New("the engine is out")
	before := dockerEngine
	dockerEngine = func(context.Context) (*engine, error) { return nil, noDocker }
	t.Cleanup(func() { dockerEngine = before })
	localStarted := errors.New("local was tried")
	s := func(local error) *shared {
		s := sharedRedis.again()
		s.local = func(context.Context) (endpoint, error) { return endpoint{addrs: []string{"a:1"}}, local }
		return s
	}

	_, err := s(localStarted).start(t.Context(), env("WEBSESSION_TEST_SERVERS", "docker"))
	require.ErrorIs(t, err, noDocker)
	require.NotErrorIs(t, err, localStarted)

	_, err = s(localStarted).start(t.Context(), env("WEBSESSION_TEST_SERVERS", "local", "WEBSESSION_TEST_REDIS", "b:2"))
	require.ErrorIs(t, err, localStarted)
	require.NotErrorIs(t, err, noDocker)

	_, err = s(nil).start(t.Context(), env("WEBSESSION_TEST_SERVERS", "address"))
	require.ErrorContains(t, err, "WEBSESSION_TEST_REDIS is not set: give host:port")

	_, err = s(nil).start(t.Context(), env("WEBSESSION_TEST_SERVERS", "Docker"))
	require.ErrorContains(t, err, `is "Docker": give address, docker or local`)

	fallback := s(nil)
	tried, err := fallback.start(t.Context(), env())
	require.NoError(t, err)
	require.ErrorIs(t, tried, noDocker, "the log says why")
	require.Equal(t, byLocal, fallback.how)

	_, err = s(localStarted).start(t.Context(), env())
	require.ErrorIs(t, err, noDocker)
	require.ErrorIs(t, err, localStarted)
	require.ErrorContains(t, err, "set WEBSESSION_TEST_REDIS to host:port")
}

// rerun runs a test of this binary in a process of its own.
func rerun(t *testing.T, extraEnv []string, args ...string) string {
	t.Helper()
	cmd := exec.Command(os.Args[0], append([]string{"-test.v", "-test.count=1"}, args...)...)
	cmd.Env = append(append(os.Environ(), "GORACE=atexit_sleep_ms=0"), extraEnv...)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	return string(out)
}

func TestShortSkips(t *testing.T) {
	out := rerun(t, nil, "-test.short", "-test.run=TestPlaces/Redis|TestAddress$")
	require.Contains(t, out, "left out with -short: needs a real server, Redis")
	require.Equal(t, 2, strings.Count(out, "--- SKIP"), out)
}

// Main stops what the tests shared, and the log says how it was had.
func TestMainStops(t *testing.T) {
	skipShort(t, "Redis")
	dir, err := os.MkdirTemp("", "t") // short: a path of a socket has 107 bytes at most
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	out := rerun(t, []string{"WEBSESSION_TEST_SERVERS=local", "TMPDIR=" + dir}, "-test.run=TestPlaces/Redis")
	m := regexp.MustCompile(`testenv: Redis by local at (\S+), ready`).FindAllStringSubmatch(out, -1)
	require.Len(t, m, 1, out)
	require.Error(t, reachRedis(t.Context(), endpoint{addrs: []string{m[0][1]}}))
	left, err := filepath.Glob(filepath.Join(dir, "websession-*"))
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestSplitImage(t *testing.T) {
	for image, want := range map[string][2]string{
		"redis:7": {"redis", "7"}, "redis": {"redis", "latest"},
		"host:5000/redis": {"host:5000/redis", "latest"}, "host:5000/a/redis:7.2": {"host:5000/a/redis", "7.2"},
	} {
		repository, tag := splitImage(image)
		require.Equal(t, want, [2]string{repository, tag})
	}
}

// The properties of SQL places lead to the database that the DSN leads to.
func TestDataSource(t *testing.T) {
	p := Postgres(t)
	conf, err := pgx.ParseConfig(p.DSN)
	require.NoError(t, err)
	require.Contains(t, p.Properties["DataSource"], "dbi:Pg:dbname="+conf.Database+";host="+conf.Host)
	require.Equal(t, conf.User, p.Properties["UserName"])
	m := MariaDB(t)
	db, err := sql.Open("mysql", m.DSN)
	require.NoError(t, err)
	defer db.Close()
	var name string
	require.NoError(t, db.QueryRow("SELECT DATABASE()").Scan(&name))
	require.Contains(t, m.Properties["DataSource"], "dbi:mysql:database="+name+";host=")
}

func TestOwnServers(t *testing.T) {
	files := TLS(t)
	c := NewCluster(t, &servers.RedisOptions{TLS: files, Password: "pw"})
	require.Len(t, c.Addrs(), 6)
	s := NewSentinel(t, &servers.SentinelOptions{RedisOptions: servers.RedisOptions{TLS: files}, SentinelPassword: "pw"})
	master, err := s.Master(t.Context())
	require.NoError(t, err)
	require.Error(t, reachRedis(t.Context(), endpoint{addrs: []string{master.Addr()}}), "only TLS is spoken")
}
