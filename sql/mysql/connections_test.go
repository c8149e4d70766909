package mysql_test

import (
	"context"
	"database/sql"
	"testing"
	"time"

	mysqldriver "github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"

	"github.com/websession/websession/internal/servers"
	"github.com/websession/websession/internal/testenv"
	"github.com/websession/websession/sql/internal/servertest"
	"github.com/websession/websession/sql/mysql"
)

// A server that closes idle connections costs nothing.
func TestIdleConnections(t *testing.T) {
	s := testenv.NewMariaDB(t, &servers.MariaDBOptions{Config: []string{"--wait-timeout=1"}})
	props := own(t, s)
	admin := bare(t, s.DSN(""))
	admin.SetMaxIdleConns(0)
	class.Idle(t, props, func() int {
		return servertest.Query[int](t, admin, "SELECT count(*) FROM information_schema.processlist WHERE db = 'own'")
	})
}

// A server that has no room for prepared statements, as one may be that many
// applications come to after a failover: the row stays, and the error says what
// to do.
func TestNoRoomForStatements(t *testing.T) {
	s := testenv.NewMariaDB(t, nil)
	store := open(t, own(t, s))
	v := create(t, store, record("k", "v"))
	admin := bare(t, s.DSN(""))
	mustExec(t, admin, "SET GLOBAL max_prepared_stmt_count = 0", "KILL CONNECTION USER "+servers.MariaDBUser)
	until(t, func() bool { _, _, err := store.Load(ctx, "k"); return err != nil })
	_, err := store.Replace(ctx, record("k", "w"), v)
	mustNotBeApplied(t, err, "the server has no room for prepared statements: raise its max_prepared_stmt_count, or lower pool_size")
	require.ErrorContains(t, refused(t, own(t, s)), "the server has no room for prepared statements")
	mustExec(t, bare(t, s.DSN("")), "SET GLOBAL max_prepared_stmt_count = 16382")
	mustHold(t, store, "k", "v")
	_, err = store.Replace(ctx, record("k", "w"), v)
	require.NoError(t, err)
}

// A column that holds less than a session may have, or that compares text: a
// server that is not strict would cut what is stored, so the table is refused,
// and what was stored before stays.
func TestColumnsThatAreChanged(t *testing.T) {
	p := place(t)
	s := open(t, p.Properties)
	v := create(t, s, record("k", "v"))
	db := bare(t, p.DSN)
	for change, want := range map[string]string{
		"data BLOB NOT NULL":                "the column data of the table \"websession_sessions\" is blob for 65535 bytes, and must be binary for 4194304",
		"version VARBINARY(8) NOT NULL":     "the column version",
		"session_key VARCHAR(128) NOT NULL": "the column session_key of the table \"websession_sessions\" is varchar",
		"ix_user VARBINARY(20)":             "the column ix_user",
	} {
		mustExec(t, db, "CREATE TABLE kept LIKE websession_sessions", "INSERT INTO kept SELECT * FROM websession_sessions", "DELETE FROM websession_sessions",
			"ALTER TABLE websession_sessions MODIFY "+change)
		require.ErrorContains(t, refused(t, p.Properties, "user"), want)
		mustExec(t, db, "DROP TABLE websession_sessions", "RENAME TABLE kept TO websession_sessions")
		open(t, p.Properties)
	}
	require.Equal(t, v, mustHold(t, s, "k", "v"))

	// Strict, as the class is: what does not fit is not stored.
	mustExec(t, db, "ALTER TABLE websession_sessions MODIFY data TINYBLOB NOT NULL")
	_, err := s.Replace(ctx, record("k", string(make([]byte, 300))), v)
	mustNotBeApplied(t, err, "1406")
	mustHold(t, s, "k", "v")
}

// shared is a pool of an application, of one connection.
func shared(tb testing.TB, dsn string) *sql.DB {
	config, err := mysqldriver.ParseDSN(dsn)
	require.NoError(tb, err)
	c, err := mysql.NewConnector(config)
	require.NoError(tb, err)
	db := sql.OpenDB(c)
	tb.Cleanup(func() { db.Close() })
	db.SetMaxOpenConns(1)
	return db
}

// Prepared statements that a server, or a proxy before it, has forgotten.
func TestLostStatements(t *testing.T) {
	db := shared(t, place(t).DSN)
	s := borrowed(t, db)
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	v := create(t, s, record("k", "v"))
	for name, use := range map[string]func() error{
		"load":    func() error { _, _, err := s.Load(ctx, "k"); return err },
		"delete":  func() error { return s.Delete(ctx, record("other", ""), "") },
		"replace": func() (err error) { v, err = s.Replace(ctx, record("k", "w"), v); return err },
		"touch":   func() (err error) { v, err = s.Touch(ctx, record("k", ""), v); return err },
		"purge":   func() error { _, err := s.Purge(ctx, time.Now(), 1); return err },
	} {
		require.NoError(t, use(), name)
		conn, err := db.Conn(ctx)
		require.NoError(t, err)
		require.NoError(t, conn.Raw(mysql.Forget))
		require.NoError(t, conn.Close())
		require.NoError(t, use(), name)
	}
	rec, got, err := s.Load(ctx, "k")
	require.NoError(t, err)
	require.Equal(t, "w", string(rec.Data))
	require.Equal(t, v, got)
}

// The deadline of a call stays with the call: an application goes on with the
// connection.
func TestDeadlineLeavesNothing(t *testing.T) {
	db := shared(t, place(t).DSN)
	class.Deadline(t, borrowed(t, db), db, "SELECT CONNECTION_ID()")
}
