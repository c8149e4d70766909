package postgres_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/internal/servers"
	"github.com/websession/websession/internal/testenv"
	"github.com/websession/websession/session/driver"
	websql "github.com/websession/websession/sql"
	"github.com/websession/websession/sql/postgres"
)

func TestMissingColumn(t *testing.T) {
	place := testenv.Postgres(t)
	open(t, place.Properties)
	indexed := []string{"user", "account", "Group1"}
	err := refused(t, place.Properties, indexed...)
	require.ErrorContains(t, err, `the table "websession_sessions" has no column for an index field (ix_account, ix_Group1): run: `)
	_, statements, _ := strings.Cut(err.Error(), "run: ")
	mustExec(t, bare(t, place.DSN), strings.Split(statements, "; ")...)
	s := open(t, place.Properties, indexed...)
	rec := record("k", "v")
	rec.Index["Group1"] = "g"
	create(t, s, rec)
	for got, err := range s.Search(ctx, "Group1", "g") {
		require.NoError(t, err)
		require.Equal(t, rec, got)
	}

	mustExec(t, bare(t, place.DSN), "DROP INDEX websession_sessions_ix_account")
	var remarks []string
	again, err := try(place.Properties, driver.OpenOptions{Indexed: indexed, Warn: func(r string) { remarks = append(remarks, r) }})
	require.NoError(t, err)
	defer again.Close()
	require.Contains(t, strings.Join(remarks, "\n"), "The column ix_account of the table \"websession_sessions\" has no index")
}

func TestForeignTables(t *testing.T) {
	place := testenv.Postgres(t)
	db := bare(t, place.DSN)
	mustExec(t, db, "CREATE TABLE theirs (id text, a_session text)")
	require.ErrorContains(t, refused(t, with(place.Properties, "TableName", "theirs")), `the table "theirs" was not made by websession: choose another name`)
	require.Equal(t, 0, query[int](t, db, "SELECT count(*) FROM pg_tables WHERE tablename LIKE 'websession%'"), "nothing is left behind")

	a := open(t, with(place.Properties, "table", "A"))
	b := open(t, with(place.Properties, "table", "a"))
	create(t, a, record("k", "A"))
	create(t, b, record("k", "a"))
	mustHold(t, a, "k", "A")

	open(t, place.Properties)
	mustExec(t, db, "UPDATE websession_meta SET schema_version = 2 WHERE table_name = 'websession_sessions'")
	require.ErrorContains(t, refused(t, place.Properties), `the table "websession_sessions" has the schema version 2, and this program knows versions up to 1`)
	mustExec(t, db, "UPDATE websession_meta SET schema_version = 1", `ALTER TABLE websession_sessions RENAME COLUMN data TO content`)
	require.ErrorContains(t, refused(t, place.Properties), "has no column data: somebody has changed it")
}

// The statements for people make a table that works.
func TestSchemaByHand(t *testing.T) {
	place := testenv.Postgres(t)
	d := driver.NewDecoder("PostgreSQL", place.Properties)
	c, err := postgres.Driver{}.Configure(d)
	require.NoError(t, err)
	list, err := c.(interface {
		Schema([]string) ([]string, error)
	}).Schema([]string{"user"})
	require.NoError(t, err)
	mustExec(t, bare(t, place.DSN), list...)
	create(t, open(t, place.Properties), record("k", "v"))
}

// What looks for sessions uses an index.
func TestPlans(t *testing.T) {
	place := testenv.Postgres(t)
	s := open(t, place.Properties, "user", "account")
	mustExec(t, bare(t, place.DSN),
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
	place := testenv.Postgres(t)
	s := open(t, place.Properties)
	for _, key := range []string{"k", "K", "k-", "k_", "-", "_"} {
		create(t, s, record(key, key))
	}
	for _, key := range []string{"k", "K", "k-", "k_", "-", "_"} {
		mustHold(t, s, key, key)
	}
	require.Equal(t, "6b", query[string](t, bare(t, place.DSN), "SELECT encode(session_key, 'hex') FROM websession_sessions WHERE data = 'k'"))
}

// A pool of the application stays open, and need not be set up for sessions.
func TestBorrowedPool(t *testing.T) {
	place := testenv.Postgres(t)
	for _, options := range []string{"", "&default_query_exec_mode=exec", "&default_transaction_isolation=serializable"} {
		db := bare(t, place.DSN+options)
		var remarks []string
		s, err := websql.New(db, postgres.Dialect(), &websql.Options{Indexed: []string{"user"}, Warn: func(r string) { remarks = append(remarks, r) }})
		require.NoError(t, err)
		require.Equal(t, strings.Contains(options, "serializable"), strings.Contains(strings.Join(remarks, " "), "default_transaction_isolation is serializable"))
		v := create(t, s, record("k", "v"))
		v, err = s.Touch(ctx, record("k", ""), v)
		require.NoError(t, err)
		require.NoError(t, s.Delete(ctx, record("k", ""), v))
		create(t, s, driver.Record{Key: "n", Data: []byte("0")})
		increments(t, s, "n", 8, 25)
		require.NoError(t, s.Delete(ctx, record("n", ""), ""))
		require.NoError(t, s.Close())
		require.NoError(t, db.Ping())
		require.Equal(t, 0, db.Stats().InUse)
	}
	db := bare(t, place.DSN)
	_, err := websql.New(db, postgres.Dialect(), &websql.Options{Locks: db})
	require.ErrorContains(t, err, "the pool that holds locks must not be that of the store")
	db = bare(t, place.DSN+"&default_transaction_read_only=on")
	_, err = websql.New(db, postgres.Dialect(), nil)
	require.ErrorContains(t, err, "it is read-only")
}

// increments adds n to a counter from several goroutines.
func increments(t *testing.T, s *websql.Store, key string, goroutines, n int) {
	t.Helper()
	errs := make(chan error)
	for range goroutines {
		go func() {
			for done := 0; done < n; {
				rec, v, err := s.Load(ctx, key)
				if err == nil {
					number := 0
					fmt.Sscan(string(rec.Data), &number)
					rec.Data = fmt.Append(nil, number+1)
					_, err = s.Replace(ctx, rec, v)
				}
				switch err {
				case nil:
					done++
				case driver.ErrConflict:
				default:
					errs <- err
					return
				}
			}
			errs <- nil
		}()
	}
	for range goroutines {
		require.NoError(t, <-errs)
	}
	mustHold(t, s, key, fmt.Sprint(goroutines*n))
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
	within(t, time.Second, func() { require.NoError(t, store.Close()) })
}
