package mysql_test

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/internal/servers"
	"github.com/websession/websession/internal/testenv"
	"github.com/websession/websession/session/driver"
)

// What is wrong is said at once, in words that help, and without the password.
func TestWrongAddress(t *testing.T) {
	s := testenv.NewMariaDB(t, &servers.MariaDBOptions{Config: []string{"--max-connections=10"}})
	for _, c := range []struct {
		change []any
		want   []string
	}{
		{[]any{"password", "wrong-one"}, []string{"the server refuses the user: check username and password", "1045"}},
		{[]any{"username", "nobody"}, []string{"the server refuses the user"}},
		{[]any{"database", "missing"}, []string{"there is no such database: make it (CREATE DATABASE), or correct the name"}},
		{[]any{"port", "1"}, []string{"the server cannot be reached: check host, port, socket, and that it runs", "connection refused"}},
		{[]any{"host", "no-such-host.invalid"}, []string{"the server cannot be reached", "no-such-host.invalid"}},
		{[]any{"host", nil, "port", nil, "socket", "/no/such/socket"}, []string{"the server cannot be reached", "/no/such/socket"}},
		{[]any{"sslmode", "require"}, []string{"the server does not encrypt connections"}},
		{[]any{"tls_ca", "/no/such/file", "sslmode", "verify-full"}, []string{"/no/such/file"}},
	} {
		err := refused(t, own(t, s, c.change...))
		for _, want := range append(c.want, "mysql: open: ") {
			require.ErrorContains(t, err, want)
		}
		require.NotContains(t, err.Error(), servers.MariaDBPassword)
		require.NotContains(t, err.Error(), "wrong-one")
	}
	// The socket, and a pool that asks for more than the server has.
	store := open(t, own(t, s, "host", nil, "port", nil, "socket", s.Socket(), "username", "root", "password", nil))
	other := own(t, s)
	held := bare(t, s.DSN(""))
	for range 16 {
		conn, err := held.Conn(ctx)
		if err != nil {
			break
		}
		defer conn.Close()
	}
	require.ErrorContains(t, refused(t, other), "the server has no connection left: lower pool_size, or raise its max_connections")
	_, err := store.Create(ctx, record("k", "v"))
	require.NoError(t, err)
}

func TestServerThatTakesNoWrites(t *testing.T) {
	s := testenv.NewMariaDB(t, nil)
	admin := bare(t, s.DSN(""))
	mustExec(t, admin, "CREATE DATABASE own", "CREATE USER app@'127.0.0.1' IDENTIFIED BY 'app-secret'", "GRANT ALL ON own.* TO app@'127.0.0.1'")
	props := own(t, s, "username", "app", "password", "app-secret")
	store := open(t, props)
	v := create(t, store, record("k", "v"))
	mustExec(t, admin, "SET GLOBAL read_only = 1")
	require.ErrorContains(t, refused(t, props), "the server is read-only (read_only is on): it may be a replica, name the primary server")
	_, err := store.Replace(ctx, record("k", "w"), v)
	mustNotBeApplied(t, err, "the server takes no writes: it may have become a replica")
	require.NotContains(t, err.Error(), "app-secret")
	mustExec(t, admin, "SET GLOBAL read_only = 0")
	_, err = store.Replace(ctx, record("k", "w"), v)
	require.NoError(t, err)
}

func TestRights(t *testing.T) {
	s := testenv.NewMariaDB(t, nil)
	admin := bare(t, s.DSN(""))
	props := own(t, s)
	mustExec(t, admin, "CREATE USER guest@'127.0.0.1' IDENTIFIED BY 'guest-secret'", "GRANT SELECT ON own.* TO guest@'127.0.0.1'")
	guest := with(props, "username", "guest", "password", "guest-secret")
	require.ErrorContains(t, refused(t, guest), "the database user lacks a right")
	open(t, props)
	require.ErrorContains(t, refused(t, guest), "the database user lacks a right", "it may not write")
	mustExec(t, admin, "GRANT INSERT, UPDATE, DELETE ON own.websession_sessions TO guest@'127.0.0.1'")
	store := open(t, guest)
	v := create(t, store, record("k", "v"))
	mustExec(t, admin, "REVOKE UPDATE ON own.websession_sessions FROM guest@'127.0.0.1'")
	_, err := store.Replace(ctx, record("k", "w"), v)
	mustNotBeApplied(t, err, "the database user lacks a right")
	mustHold(t, store, "k", "v")
}

// What the server undid was not applied, and says so.
func TestErrorsOfTheServer(t *testing.T) {
	p := place(t)
	s := open(t, p.Properties)
	db := bare(t, p.DSN)
	v := create(t, s, record("k", "v"))
	replace := func() error { _, err := s.Replace(ctx, record("k", "w"), v); return err }

	mustExec(t, db, "CREATE TRIGGER refuse BEFORE UPDATE ON websession_sessions FOR EACH ROW SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'not this one'")
	mustNotBeApplied(t, replace(), "not this one")
	mustExec(t, db, "DROP TRIGGER refuse", "ALTER TABLE websession_sessions ADD CONSTRAINT small CHECK (length(data) < 100)")
	_, err := s.Replace(ctx, record("k", strings.Repeat("x", 200)), v)
	mustNotBeApplied(t, err, "CONSTRAINT `small` failed")
	mustExec(t, db, "ALTER TABLE websession_sessions DROP CONSTRAINT small")

	// Not from innodb_trx, which shows nothing new to those who look more often than
	// ten times a second.
	waits := "SELECT count(*) FROM information_schema.processlist WHERE db = DATABASE() AND command = 'Execute' AND time_ms > 20"
	class.LockedRow(t, p, waits, func(key string, v driver.Version) {
		impatient := borrowed(t, bare(t, p.DSN+"?innodb_lock_wait_timeout=1"))
		_, err := impatient.Replace(ctx, record(key, "w"), v)
		mustNotBeApplied(t, err, "another program has locked the session for longer than innodb_lock_wait_timeout")
	})

	mustExec(t, db, "DROP TABLE websession_sessions")
	mustNotBeApplied(t, replace(), "the table is not there any more: open the store again")
	create(t, open(t, p.Properties), record("k", "new"))
	mustHold(t, s, "k", "new")
}

// A session that is larger than a packet is refused, and others do not feel it.
func TestPacketsThatAreTooLarge(t *testing.T) {
	s := testenv.NewMariaDB(t, &servers.MariaDBOptions{Config: []string{"--max-allowed-packet=1M"}})
	store, remarks := class.Warned(t, own(t, s, "pool_size", 1), "user")
	require.Contains(t, remarks, "max_allowed_packet is 1048576: sessions that are larger cannot be stored")
	v := create(t, store, record("k", "v"))
	plain := borrowed(t, bare(t, s.DSN("own"))) // takes packets of 64 MiB for granted
	const most = 1<<20 - 8<<10
	for _, size := range []int{most / 2, most, most + 1, 1 << 20, 3 << 20, driver.MaxData} {
		for _, s := range []interface {
			Replace(context.Context, driver.Record, driver.Version) (driver.Version, error)
		}{store, plain} {
			next, err := s.Replace(ctx, record("k", strings.Repeat("x", size)), v)
			if size <= most {
				require.NoError(t, err)
				v = next
				mustHold(t, store, "k", strings.Repeat("x", size))
				continue
			}
			mustNotBeApplied(t, err, "raise the server's max_allowed_packet to 16M")
		}
	}
	v, err := store.Replace(ctx, record("k", "w"), v)
	require.NoError(t, err)
	_, err = plain.Replace(ctx, record("k", "w"), v)
	require.NoError(t, err)
	mustHold(t, store, "k", "w")
}

func TestProperties(t *testing.T) {
	class.Properties(t, []map[string]any{
		{"database": "d"},
		{"DataSource": "dbi:mysql:database=d;host=h;port=3307", "UserName": "u", "Password": "p", "TableName": "t",
			"LockDataSource": "dbi:mysql:database=d;host=other", "LockUserName": "u", "LockPassword": "p"},
		{"DataSource": "dbi:MariaDB:dbname=d;mariadb_socket=/s"},
		{"database": "d", "socket": "/s", "username": "u", "password": "p", "locking": "get_lock", "lock_timeout": "2.5", "sslmode": "require"},
	}, map[string]map[string]any{
		"property \"database\" is missing: the name of the database":             nil,
		"property \"DataSource\" must look like dbi:mysql:dbname=NAME;host=HOST": {"DataSource": "dbi:Pg:dbname=d"},
		"has an attribute that is unknown here: known are database":              {"DataSource": "dbi:mysql:database=d;password=hush"},
		"property \"LockDataSource\" names no database":                          {"database": "d", "LockDataSource": "dbi:mysql:host=h"},
		"property \"socket\" and host exclude each other":                        {"database": "d", "socket": "/s", "host": "h"},
		"must be one of none, get_lock":                                          {"database": "d", "locking": "advisory"},
		"did you mean \"TableName\"?":                                            {"database": "d", "Tablename": "t"},
		"; property \"database\" is missing":                                     {"port": 70000, "locking": "x", "pool_size": 0},
	})
}
