package postgres_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/internal/servers"
	"github.com/websession/websession/internal/testenv"
	websql "github.com/websession/websession/sql"
	"github.com/websession/websession/sql/internal/servertest"
	"github.com/websession/websession/sql/postgres"
)

func TestMissingColumn(t *testing.T) {
	class.MissingColumn(t, place(t), "DROP INDEX websession_sessions_ix_account")
}

func TestNewerSchema(t *testing.T) {
	class.NewerSchema(t, place(t), "ALTER TABLE websession_sessions RENAME COLUMN data TO content")
}

func TestForeignTables(t *testing.T) {
	p := place(t)
	db := bare(t, p.DSN)
	mustExec(t, db, "CREATE TABLE theirs (id text, a_session text)")
	require.ErrorContains(t, refused(t, with(p.Properties, "TableName", "theirs")), `the table "theirs" was not made by websession: choose another name`)
	require.Equal(t, 0, servertest.Query[int](t, db, "SELECT count(*) FROM pg_tables WHERE tablename LIKE 'websession%'"), "nothing is left behind")

	a := open(t, with(p.Properties, "table", "A"))
	b := open(t, with(p.Properties, "table", "a"))
	create(t, a, record("k", "A"))
	create(t, b, record("k", "a"))
	mustHold(t, a, "k", "A")
}

func TestSchemaByHand(t *testing.T) { class.SchemaByHand(t, place(t)) }

// What looks for sessions uses an index.
func TestPlans(t *testing.T) {
	p := place(t)
	s := open(t, p.Properties, "user", "account")
	mustExec(t, bare(t, p.DSN),
		`INSERT INTO websession_sessions SELECT convert_to(md5(n::text), 'UTF8'), '\x01', '\x02', n, convert_to(md5((n % 1000)::text), 'UTF8') FROM generate_series(1, 20000) AS n`,
		"ANALYZE websession_sessions")
	plans, err := s.Plans(ctx)
	require.NoError(t, err)
	for name, index := range map[string]string{
		"load": "websession_sessions_pkey", "scan": "websession_sessions_pkey", "purge": "websession_sessions_expires",
		"search user": "websession_sessions_ix_user", "search account": "websession_sessions_ix_account",
	} {
		require.Contains(t, plans[name], "using "+index, name)
		require.NotContains(t, plans[name], "Seq Scan", name)
	}
	require.Contains(t, plans["purge"], "websession_sessions_pkey", "it deletes by key")
}

// Keys are compared byte by byte, whatever the database does with texts.
func TestKeysAreExact(t *testing.T) {
	p := place(t)
	s := open(t, p.Properties)
	for _, key := range []string{"k", "K", "k-", "k_", "-", "_"} {
		create(t, s, record(key, key))
	}
	for _, key := range []string{"k", "K", "k-", "k_", "-", "_"} {
		mustHold(t, s, key, key)
	}
	require.Equal(t, "6b", servertest.Query[string](t, bare(t, p.DSN), "SELECT encode(session_key, 'hex') FROM websession_sessions WHERE data = 'k'"))
}

// A pool of the application stays open, and need not be set up for sessions.
func TestBorrowedPool(t *testing.T) {
	p := place(t)
	for _, options := range []string{"", "&default_query_exec_mode=cache_describe", "&default_query_exec_mode=describe_exec",
		"&default_query_exec_mode=exec", "&default_query_exec_mode=simple_protocol", "&default_transaction_isolation=serializable"} {
		remarks := class.BorrowedPool(t, bare(t, p.DSN+options))
		require.Equal(t, strings.Contains(options, "serializable"), strings.Contains(remarks, "default_transaction_isolation is serializable"))
	}
	_, err := websql.New(bare(t, p.DSN+"&default_transaction_read_only=on"), postgres.Dialect(), nil)
	require.ErrorContains(t, err, "it is read-only")
}

func TestInfo(t *testing.T) {
	s := testenv.NewPostgres(t, &servers.PostgresOptions{Durable: true})
	store := open(t, own(s))
	info, err := store.Ping(ctx)
	require.NoError(t, err)
	require.Regexp(t, `^PostgreSQL \d+\.\d+$`, info.Server)
	require.Equal(t, "on", info.Facts["fsync"])
	require.Equal(t, "websession_sessions", info.Facts["table"])
	require.Empty(t, info.Warnings)

	db := bare(t, s.URL("postgres"))
	// What Ping guarantees is what the settings of this very server are for.
	const loses, keeps = "A kill of the server may lose the last writes, logouts among them. ", "A kill of the server loses nothing that was answered. "
	for _, c := range []struct{ setting, want string }{
		{"fsync = on", keeps + "Nor does a power cut. A failover to a standby may lose the last writes."},
		{"synchronous_commit = local", keeps + "Nor does a power cut. A failover to a standby may lose the last writes."},
		{"synchronous_commit = off", loses + "So may a power cut; the database stays whole."},
		{"full_page_writes = off", loses + "A power cut may damage the database, unless its file system writes pages whole."},
		{"fsync = off", loses + "A power cut may damage the whole database."},
		{"synchronous_commit = on", keeps + "A power cut may damage the whole database."},
		{"synchronous_standby_names = '*'", "A failover to a synchronous standby keeps what was answered."},
		{"synchronous_standby_names = ''", "A failover to a standby may lose the last writes."},
	} {
		mustExec(t, db, "ALTER SYSTEM SET "+c.setting, "SELECT pg_reload_conf()")
		until(t, func() bool {
			info, err = store.Ping(ctx)
			require.NoError(t, err)
			return strings.Contains(info.Guarantee, c.want)
		})
	}
	mustExec(t, db, "ALTER SYSTEM SET fsync = off", "ALTER SYSTEM SET full_page_writes = off", "ALTER SYSTEM SET synchronous_commit = off",
		"SELECT pg_reload_conf()", "ALTER TABLE websession_sessions SET UNLOGGED")
	until(t, func() bool {
		info, err = store.Ping(ctx)
		require.NoError(t, err)
		return len(info.Warnings) == 4
	})
	for i, want := range []string{"fsync is off", "full_page_writes is off", "synchronous_commit is off", "UNLOGGED"} {
		require.Contains(t, info.Warnings[i], want)
	}
	require.Contains(t, info.Guarantee, "ends all sessions: the table is UNLOGGED")
	within(t, time.Second, func() { require.NoError(t, store.Close()) })
}
