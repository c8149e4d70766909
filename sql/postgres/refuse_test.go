package postgres_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/internal/servers"
	"github.com/websession/websession/internal/testenv"
	"github.com/websession/websession/session/driver"
	"github.com/websession/websession/sql/internal/servertest"
)

// What is wrong is said at once, in words that help, and without the password.
func TestWrongAddress(t *testing.T) {
	s := testenv.NewPostgres(t, &servers.PostgresOptions{Password: "secret", Config: []string{"max_connections=5", "superuser_reserved_connections=0"}})
	for _, c := range []struct {
		change []any
		want   []string
	}{
		{[]any{"password", "wrong-one"}, []string{"the server refuses the user: check username, password, and its pg_hba.conf", "28P01"}},
		{[]any{"username", "nobody"}, []string{"the server refuses the user"}},
		{[]any{"database", "missing"}, []string{"there is no such database: make it (CREATE DATABASE), or correct the name", "3D000"}},
		{[]any{"port", "1"}, []string{"the server cannot be reached: check host and port, and that it runs", "connection refused"}},
		{[]any{"host", "no-such-host.invalid"}, []string{"the server cannot be reached", "no-such-host.invalid"}},
		{[]any{"sslmode", "require"}, []string{"server refused TLS connection"}},
		{[]any{"tls_ca", "/no/such/file", "sslmode", "verify-full"}, []string{"/no/such/file"}},
	} {
		err := refused(t, own(s, c.change...))
		for _, want := range append(c.want, "postgres: open: ") {
			require.ErrorContains(t, err, want)
		}
		require.NotContains(t, err.Error(), "secret")
		require.NotContains(t, err.Error(), "wrong-one")
	}
	// A pool that asks for more than the server has.
	store := open(t, own(s, "pool_size", 20))
	held := bare(t, s.URL("postgres"))
	for range 4 {
		conn, err := held.Conn(ctx)
		require.NoError(t, err)
		defer conn.Close()
	}
	refusal := refused(t, own(s))
	require.ErrorContains(t, refusal, "the server has no connection left: lower pool_size, or raise its max_connections")
	_, err := store.Create(ctx, record("k", "v"))
	require.NoError(t, err)
}

func TestServerThatTakesNoWrites(t *testing.T) {
	s := testenv.NewPostgres(t, nil)
	store := open(t, own(s))
	v := create(t, store, record("k", "v"))
	admin := bare(t, s.URL("postgres"))
	mustExec(t, admin, "ALTER DATABASE postgres SET default_transaction_read_only = on")
	require.ErrorContains(t, refused(t, own(s)), "the server cannot be used: ")
	require.ErrorContains(t, refused(t, own(s)), "it is read-only (default_transaction_read_only is on)")
	// A connection that was there before goes on; new ones are refused.
	mustExec(t, admin, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'websession'")
	until(t, func() bool {
		return servertest.Query[int](t, admin, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'websession'") == 0
	})
	_, err := store.Replace(ctx, record("k", "w"), v)
	mustNotBeApplied(t, err, "it is read-only")
	mustExec(t, bare(t, s.URL("template1")), "ALTER DATABASE postgres RESET default_transaction_read_only")
	_, err = store.Replace(ctx, record("k", "w"), v)
	require.NoError(t, err)
}

func TestRights(t *testing.T) {
	p := place(t)
	admin := bare(t, p.DSN)
	name := "guest_" + strings.ReplaceAll(servertest.Query[string](t, admin, "SELECT current_database()"), "-", "")
	mustExec(t, admin, "CREATE ROLE "+name+" LOGIN PASSWORD 'guest-secret'", "REVOKE CREATE ON SCHEMA public FROM public")
	t.Cleanup(func() { mustExec(t, bare(t, p.DSN), "DROP OWNED BY "+name, "DROP ROLE "+name) })
	guest := with(p.Properties, "UserName", name, "Password", "guest-secret")
	require.ErrorContains(t, refused(t, guest), "the database user lacks a right")

	open(t, p.Properties)
	mustExec(t, admin, "GRANT SELECT ON websession_meta TO "+name)
	require.ErrorContains(t, refused(t, guest), "the database user may not write to the table")
	mustExec(t, admin, "GRANT SELECT, INSERT, UPDATE ON websession_sessions TO "+name)
	require.ErrorContains(t, refused(t, guest), "GRANT DELETE ON")
	mustExec(t, admin, "GRANT DELETE ON websession_sessions TO "+name)
	s := open(t, guest)
	v := create(t, s, record("k", "v"))
	mustExec(t, admin, "REVOKE UPDATE ON websession_sessions FROM "+name)
	_, err := s.Replace(ctx, record("k", "w"), v)
	mustNotBeApplied(t, err, "the database user lacks a right")
	mustHold(t, s, "k", "v")
}

// What the server undid was not applied, and says so.
func TestErrorsOfTheServer(t *testing.T) {
	p := place(t)
	s := open(t, p.Properties)
	db := bare(t, p.DSN)
	v := create(t, s, record("k", "v"))
	replace := func() error { _, err := s.Replace(ctx, record("k", "w"), v); return err }

	mustExec(t, db, `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not this one'; END $$`,
		"CREATE TRIGGER refuse BEFORE UPDATE ON websession_sessions FOR EACH ROW EXECUTE FUNCTION refuse()")
	mustNotBeApplied(t, replace(), "not this one")
	mustExec(t, db, "DROP TRIGGER refuse ON websession_sessions")

	mustExec(t, db, "ALTER TABLE websession_sessions ADD CONSTRAINT small CHECK (length(data) < 100)")
	_, err := s.Replace(ctx, record("k", strings.Repeat("x", 200)), v)
	mustNotBeApplied(t, err, `violates check constraint "small"`)

	// What waits for a lock when its context ends may still be applied, until the
	// server has been told to give it up.
	waits := "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
	class.LockedRow(t, p, waits, func(key string, v driver.Version) {
		until(t, func() bool { return servertest.Query[int](t, db, waits) == 0 })
		require.Equal(t, v, mustHold(t, s, key, "v"))
	})

	mustExec(t, db, "DROP TABLE websession_sessions")
	mustNotBeApplied(t, replace(), "the table is not there any more: open the store again")
	create(t, open(t, p.Properties), record("k", "new"))
	mustHold(t, s, "k", "new")
}

func TestProperties(t *testing.T) {
	class.Properties(t, []map[string]any{
		{"database": "d"},
		{"DataSource": "dbi:Pg:dbname=d;host=h;port=5433;sslmode=disable", "UserName": "u", "Password": "p", "TableName": "t", "Commit": 1},
		{"DataSource": "dbi:Pg:d"},
		{"database": "d", "host": "a,b", "port": "5432", "username": "u", "password": "p", "table": "t", "sslmode": "verify-full", "tls_ca": "a",
			"tls_cert": "b", "tls_key": "c", "connect_timeout": "0.1", "timeout": "1s", "pool_size": 3, "locking": "advisory", "lock_timeout": 1,
			"lock_pool_size": 2, "LockDataSource": "dbi:Pg:dbname=x", "LockUserName": "y", "LockPassword": "z"},
	}, map[string]map[string]any{
		"property \"database\" is missing: the name of the database":                                 nil,
		"property \"DataSource\" must look like dbi:Pg:dbname=NAME;host=HOST":                        {"DataSource": "dbi:mysql:database=d"},
		"has an attribute that is unknown here: known are database, db, dbname, host, port, sslcert": {"DataSource": "dbi:Pg:dbname=d;password=hush"},
		"has a port that is no number":                                                               {"DataSource": "dbi:Pg:dbname=d;port=x"},
		"has an sslmode that is none of":                                                             {"DataSource": "dbi:Pg:dbname=d;sslmode=maybe"},
		"names no database":                                                                          {"DataSource": "dbi:Pg:host=h"},
		"gives the database twice":                                                                   {"DataSource": "dbi:Pg:dbname=d;database=e"},
		"property \"host\" is in DataSource, too":                                                    {"DataSource": "dbi:Pg:dbname=d;host=h", "host": "i"},
		"property \"UserName\" and username exclude each other":                                      {"database": "d", "username": "u", "UserName": "u"},
		"property \"TableName\" must be letters":                                                     {"database": "d", "TableName": "a b"},
		"must be one of none, advisory":                                                              {"database": "d", "locking": "get_lock"},
		"property \"timeout\" must be from a millisecond to an hour":                                 {"database": "d", "timeout": 0},
		"property \"tls_cert\" and tls_key need each other":                                          {"database": "d", "tls_cert": "x"},
		"property \"sslmode\" is disable":                                                            {"database": "d", "sslmode": "disable", "tls_ca": "x"},
		"did you mean \"pool_size\"?":                                                                {"database": "d", "poolsize": 1},
		"; property \"database\" is missing":                                                         {"port": 70000, "locking": "x", "pool_size": 0},
	})
}

func TestLockPropertiesWithoutLocks(t *testing.T) {
	_, remarks := class.Warned(t, with(place(t).Properties, "LockUserName", "x"))
	require.Contains(t, remarks, "locking is none: nothing is locked")
}
