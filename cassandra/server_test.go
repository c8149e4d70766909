package cassandra_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/gocql/gocql"
	"github.com/stretchr/testify/require"

	"github.com/websession/websession/internal/servers"
	"github.com/websession/websession/internal/testenv"
	"github.com/websession/websession/session/driver"
)

// A server that is frozen, killed and started again: nothing hangs, what is
// answered is true, and the store works again by itself.
func TestServerThatIsKilled(t *testing.T) {
	node := testenv.NewCassandra(t, &servers.CassandraOptions{Durable: true})
	const timeout = 2 * time.Second
	s := open(t, map[string]any{"hosts": node.Addr(), "keyspace": "ks", "create_keyspace": "dc1:1", "timeout": timeout, "connect_timeout": timeout})
	rec := record("k", "data")
	v, err := s.Create(ctx, rec)
	require.NoError(t, err)
	rec.Was = rec.Index
	v, err = s.Replace(ctx, rec, v) // which prepares it
	require.NoError(t, err)
	within := func(what string, most time.Duration, do func()) {
		t.Helper()
		begin := time.Now()
		do()
		require.Less(t, time.Since(begin), most, what)
	}
	const little = 2 * time.Second // for a machine that is busy

	require.NoError(t, node.Pause())
	within("a load", timeout+little, func() {
		_, _, err := s.Load(ctx, "k")
		require.ErrorContains(t, err, "no answer within 2s")
	})
	within("a load with a deadline", 100*time.Millisecond+little, func() {
		short, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
		defer cancel()
		_, _, err := s.Load(short, "k")
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
	within("a replace", timeout+little, func() {
		_, err := s.Replace(ctx, rec, v)
		require.ErrorIs(t, err, driver.ErrUnknownOutcome)
	})
	require.NoError(t, node.Continue())
	until(t, "the frozen server works", func() bool { _, _, err := s.Load(ctx, "k"); return err == nil })

	_, err = s.Create(ctx, record("confirmed", "data"))
	require.NoError(t, err)
	require.NoError(t, node.Kill())
	within("a load", timeout+little, func() {
		_, _, err := s.Load(ctx, "k")
		require.Error(t, err)
	})
	until(t, "the connections are gone", func() bool {
		_, err := s.Create(ctx, record("never", "data"))
		require.Error(t, err)
		return driver.WasNotApplied(err)
	})
	require.NoError(t, node.Restart(ctx))
	back := time.Now()
	until(t, "the store works again", func() bool { _, _, err := s.Load(ctx, "k"); return err == nil })
	t.Logf("figure: a store works again %.2f s after its server answers", time.Since(back).Seconds())
	_, _, err = s.Load(ctx, "confirmed")
	require.NoError(t, err)
	_, _, err = s.Load(ctx, "never")
	require.ErrorIs(t, err, driver.ErrNotFound)
}

// What is wrong is said at once, in words that help, and without the password. The
// server asks for users, speaks TLS as well, and takes no large sessions.
func TestRefusals(t *testing.T) {
	files := testenv.TLS(t)
	node := testenv.NewCassandra(t, &servers.CassandraOptions{Login: true, Config: []string{
		"commitlog_segment_size: 4MiB", encryption(t, files),
	}})
	props := func(change ...any) map[string]any {
		p := map[string]any{
			"hosts": node.Addr(), "keyspace": "ks", "create_keyspace": "dc1:1",
			"username": servers.CassandraUser, "password": servers.CassandraUser, "connect_timeout": "10s",
		}
		for i := 0; i < len(change); i += 2 {
			if p[change[i].(string)] = change[i+1]; change[i+1] == nil {
				delete(p, change[i].(string))
			}
		}
		return p
	}
	for _, c := range []struct {
		change []any
		want   []string
	}{
		{[]any{"password", "wrong-one"}, []string{"check username and password"}},
		{[]any{"username", "nobody"}, []string{"check username and password"}},
		{[]any{"username", nil, "password", nil}, []string{"set username and password"}},
		{[]any{"create_keyspace", nil}, []string{`there is no keyspace "ks": correct the property keyspace, or make it`, "create_keyspace"}},
		{[]any{"datacenter", "dc9"}, []string{`the cluster has no datacenter "dc9": correct the property datacenter: it has dc1`}},
		{[]any{"create_keyspace", "dc9:1"}, []string{`create_keyspace names the datacenter "dc9", which the cluster does not have`}},
		{[]any{"create_keyspace", "dc1:3"}, []string{"has 3 copies of everything, and there are 1 nodes for them: no write could be confirmed"}},
		{[]any{"hosts", "127.0.0.1:1"}, []string{"connection refused", "check hosts and ssl"}},
		{[]any{"hosts", "no-such-host.invalid"}, []string{"check hosts and ssl"}},
		{[]any{"ssl", true}, []string{"check tls_ca"}},
		{[]any{"ssl", true, "tls_ca", "/no/such/file"}, []string{"/no/such/file"}},
	} {
		begin := time.Now()
		err := refused(t, props(c.change...))
		for _, want := range append(c.want, "cassandra: open: ") {
			require.ErrorContains(t, err, want)
		}
		require.NotContains(t, err.Error(), "wrong-one")
		require.Less(t, time.Since(begin), time.Minute)
	}

	// By TLS, with a certificate that is verified.
	s := open(t, props("ssl", true, "tls_ca", files.CA))
	large := record("large", "")
	large.Data = make([]byte, driver.MaxData)
	_, err := s.Create(ctx, large)
	require.ErrorIs(t, err, driver.ErrNotApplied)
	require.ErrorContains(t, err, "the session has 4194304 bytes, and the server takes 2080768: raise max_mutation_size")
	_, _, err = s.Load(ctx, "large")
	require.ErrorIs(t, err, driver.ErrNotFound)
	large.Data = large.Data[:2080768]
	_, err = s.Create(ctx, large)
	require.NoError(t, err)
	info, err := s.(driver.Pinger).Ping(ctx)
	require.NoError(t, err)
	t.Logf("Ping: %+v", info)
	require.Contains(t, fmt.Sprint(info.Warnings), "The server takes sessions of at most 2032 KiB, and other stores take 4096")

	// A user who may read and write, and nothing else.
	admin := login(t, node.Addr(), servers.CassandraUser, servers.CassandraUser)
	for _, statement := range []string{"CREATE ROLE app WITH PASSWORD = 'app-secret' AND LOGIN = true", "GRANT SELECT ON KEYSPACE ks TO app", "GRANT MODIFY ON KEYSPACE ks TO app"} {
		require.NoError(t, admin.Query(statement).Exec())
	}
	app := []any{"username", "app", "password", "app-secret"}
	until(t, "the rights of the user", func() bool {
		c, err := configure(props(app...))
		require.NoError(t, err)
		s, err := c.Open(ctx, driver.OpenOptions{})
		if err == nil {
			require.NoError(t, s.Close())
		}
		return err == nil
	})
	poor := open(t, props(app...))
	_, err = poor.Create(ctx, record("k", "data"))
	require.NoError(t, err)
	for _, change := range [][]any{{"table", "another"}, {"keyspace", "another"}} {
		err = refused(t, props(append(change, app...)...))
		require.ErrorContains(t, err, "run what websession schema prints as another user")
		require.NotContains(t, err.Error(), "app-secret")
	}
	err = nil
	require.NoError(t, admin.Query("REVOKE MODIFY ON KEYSPACE ks FROM app").Exec())
	for n := 0; err == nil; n++ { // rights are known for two seconds
		require.Less(t, n, 10_000)
		_, err = poor.Create(ctx, driver.Record{Key: fmt.Sprint("more-", n)})
	}
	require.ErrorIs(t, err, driver.ErrNotApplied)
	require.ErrorContains(t, err, "grant SELECT and MODIFY on the tables")

	// Tables that go while they are in use.
	for _, table := range []string{"websession_sessions", "websession_sessions_index"} {
		require.NoError(t, admin.Query("DROP TABLE ks."+table).Exec())
	}
	anonymous := driver.Record{Key: "anonymous"}
	until(t, "the tables are gone", func() bool {
		_, err = s.Create(ctx, anonymous)
		if err == nil {
			err = s.Delete(ctx, anonymous, "")
		}
		return err != nil
	})
	require.ErrorIs(t, err, driver.ErrNotApplied)
	require.ErrorContains(t, err, "open the store again")
}

// encryption answers the line by which a server speaks TLS, if it is asked to.
func encryption(t *testing.T, files *servers.TLSFiles) string {
	t.Helper()
	var both []byte
	for _, name := range []string{files.Key, files.Cert} {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		both = append(both, text...)
	}
	keystore := filepath.Join(t.TempDir(), "keystore.pem")
	require.NoError(t, os.WriteFile(keystore, both, 0o644))
	return "client_encryption_options: {enabled: true, optional: true, keystore: " + keystore + ", truststore: " + files.CA +
		", ssl_context_factory: {class_name: org.apache.cassandra.security.PEMBasedSslContextFactory}}"
}

// login connects as a user.
func login(t *testing.T, addr, user, password string) *gocql.Session {
	t.Helper()
	host, port, err := net.SplitHostPort(addr)
	require.NoError(t, err)
	conf := gocql.NewCluster(host)
	conf.Port, err = strconv.Atoi(port)
	require.NoError(t, err)
	conf.ProtoVersion, conf.Timeout, conf.Logger = 4, 20*time.Second, quiet{}
	conf.Authenticator = gocql.PasswordAuthenticator{Username: user, Password: password}
	s, err := conf.CreateSession()
	require.NoError(t, err)
	t.Cleanup(s.Close)
	return s
}
