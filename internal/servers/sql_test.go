package servers_test

import (
	"context"
	"database/sql"
	"errors"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/websession/websession/internal/servers"
)

// query runs a statement over a connection of its own, and answers the text in
// its first column if it has one.
type query func(ctx context.Context, statement string) (string, error)

func inPostgres(url string) query {
	return func(ctx context.Context, statement string) (v string, err error) {
		conn, err := pgx.Connect(ctx, url)
		if err != nil {
			return "", err
		}
		defer conn.Close(context.WithoutCancel(ctx))
		if err = conn.QueryRow(ctx, statement).Scan(&v); errors.Is(err, pgx.ErrNoRows) {
			err = nil
		}
		return v, err
	}
}

func inMariaDB(dsn string) query {
	return func(ctx context.Context, statement string) (v string, err error) {
		conf, err := mysql.ParseDSN(dsn)
		if err != nil {
			return "", err
		}
		conf.Logger = &mysql.NopLogger{} // it prints what it returns, too
		connector, err := mysql.NewConnector(conf)
		if err != nil {
			return "", err
		}
		db := sql.OpenDB(connector)
		defer db.Close()
		if err = db.QueryRowContext(ctx, statement).Scan(&v); errors.Is(err, sql.ErrNoRows) {
			err = nil
		}
		return v, err
	}
}

func (q query) must(t *testing.T, statement, want string) {
	t.Helper()
	got, err := q(t.Context(), statement)
	require.NoError(t, err, statement)
	require.Equal(t, want, got, statement)
}

func TestPostgres(t *testing.T) {
	skipShort(t)
	dir := emptyTemp(t)
	p := started(t, func() (*servers.Postgres, error) {
		return servers.StartPostgres(t.Context(), &servers.PostgresOptions{Durable: true, Config: []string{"max_connections=33"}})
	})
	q := inPostgres(p.URL("postgres"))
	q.must(t, "SHOW max_connections", "33")
	q.must(t, "SHOW synchronous_commit", "on")
	q.must(t, "CREATE TABLE t (v text)", "")
	surviveFaults(t, p.Server, q, "SELECT pg_sleep(60)")
	mustStop(t, p.Server, p.Stop, dir)
}

func TestPostgresOptions(t *testing.T) {
	skipShort(t)
	p := started(t, func() (*servers.Postgres, error) {
		return servers.StartPostgres(t.Context(), &servers.PostgresOptions{Password: "p@ss word"})
	})
	inPostgres(p.URL("postgres")).must(t, "SHOW fsync", "off")
	_, err := inPostgres("postgres://postgres:wrong@"+p.Addr()+"/postgres?sslmode=disable")(t.Context(), "SHOW fsync")
	require.ErrorContains(t, err, "password authentication failed")
}

func TestMariaDB(t *testing.T) {
	skipShort(t)
	dir := emptyTemp(t)
	m := started(t, func() (*servers.MariaDB, error) {
		return servers.StartMariaDB(t.Context(), &servers.MariaDBOptions{Durable: true, Config: []string{"--max-connections=33"}})
	})
	q := inMariaDB(m.DSN(""))
	q.must(t, "SELECT @@max_connections", "33")
	q.must(t, "SELECT @@innodb_flush_log_at_trx_commit", "1")
	q.must(t, "CREATE DATABASE own", "")
	q = inMariaDB(m.DSN("own"))
	q.must(t, "CREATE TABLE t (v text)", "")
	surviveFaults(t, m.Server, q, "SELECT SLEEP(60)")
	mustStop(t, m.Server, m.Stop, dir)
}

// surviveFaults freezes a server, kills it during a statement, and looks whether
// what was confirmed is there after a restart.
func surviveFaults(t *testing.T, s *servers.Server, q query, long string) {
	t.Helper()
	q.must(t, "INSERT INTO t VALUES ('kept')", "")
	require.NoError(t, s.Pause())
	short, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err := q(short, "SELECT v FROM t")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NoError(t, s.Continue())
	q.must(t, "SELECT v FROM t", "kept")

	ended := make(chan error, 1)
	go func() {
		_, err := q(t.Context(), long)
		ended <- err
	}()
	require.NoError(t, s.Kill())
	require.Error(t, <-ended)
	_, err = q(t.Context(), "SELECT v FROM t")
	require.Error(t, err)

	begin := time.Now()
	require.NoError(t, s.Restart(within(t, 20*time.Second)))
	t.Logf("restarted in %.2f s", time.Since(begin).Seconds())
	q.must(t, "SELECT v FROM t", "kept")
}

func mustStop(t *testing.T, s *servers.Server, stop func() error, dir string) {
	t.Helper()
	pid := s.PID()
	begin := time.Now()
	require.NoError(t, stop())
	t.Logf("stopped in %.2f s", time.Since(begin).Seconds())
	mustBeGone(t, pid)
	mustBeEmpty(t, dir)
}
