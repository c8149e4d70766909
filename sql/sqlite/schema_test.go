package sqlite_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	websql "github.com/websession/websession/sql"
	"github.com/websession/websession/sql/sqlite"
)

func TestSchemaIsMade(t *testing.T) {
	path := fresh(t)
	newStore(t, path, &sqlite.Options{Indexed: []string{"user", "account"}})
	db := openBare(t, path)
	require.Equal(t, 0x77736573, query[int](t, db, "PRAGMA application_id"))
	require.Equal(t, 1, query[int](t, db, "PRAGMA user_version"))
	require.Equal(t, "wal", query[string](t, db, "PRAGMA journal_mode"))
	require.Equal(t, 1, query[int](t, db, "SELECT schema_version FROM websession_meta WHERE table_name = 'websession_sessions'"))
	require.Equal(t, "session_key,version,data,expires,ix_user,ix_account",
		query[string](t, db, "SELECT group_concat(name) FROM pragma_table_info('websession_sessions')"))
	for _, suffix := range []string{"", "-wal", "-shm"} {
		info, err := os.Lstat(path + suffix)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode(), suffix)
	}
}

// Every server of an application starts at the same moment.
func TestSchemaIsMadeOnce(t *testing.T) {
	rounds := 20
	if testing.Short() {
		rounds = 3
	}
	for range rounds {
		path := fresh(t)
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				s, err := sqlite.New(path, &sqlite.Options{Indexed: []string{"user"}})
				if err != nil {
					t.Error(err)
					return
				}
				defer s.Close()
				if _, err := s.Create(ctx, record(string(rune('a'+i)), "v")); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		require.Equal(t, 8, query[int](t, openBare(t, path), "SELECT count(*) FROM websession_sessions"))
	}
}

func TestSeveralTables(t *testing.T) {
	path := fresh(t)
	a := newStore(t, path, &sqlite.Options{Table: "a"})
	b := newStore(t, path, &sqlite.Options{Table: "b"})
	create(t, a, record("k", "a"))
	create(t, b, record("k", "b"))
	mustHold(t, a, "k", "a")
	mustHold(t, b, "k", "b")
}

// An administrator who drops the table wants an empty one.
func TestDroppedTable(t *testing.T) {
	path := fresh(t)
	s := newStore(t, path, nil)
	v := create(t, s, record("k", "v"))
	mustExec(t, openBare(t, path), "DROP TABLE websession_sessions")
	_, err := s.Replace(ctx, record("k", "w"), v)
	mustNotBeApplied(t, err, "no such table")
	_, _, err = s.Load(ctx, "k")
	require.ErrorContains(t, err, "no such table")
	create(t, newStore(t, path, nil), record("k", "new"))
	mustHold(t, s, "k", "new")
}

func TestMissingColumn(t *testing.T) {
	path := fresh(t)
	newStore(t, path, nil)
	indexed := []string{"user", "account", "Group1"}
	err := refused(t, path, &sqlite.Options{Indexed: indexed})
	require.ErrorContains(t, err, `the table "websession_sessions" has no column for an index field (ix_account, ix_Group1): run: `)
	_, statements, _ := strings.Cut(err.Error(), "run: ")
	require.Equal(t, `ALTER TABLE "websession_sessions" ADD COLUMN "ix_account" TEXT; `+
		`CREATE INDEX "websession_sessions_ix_account" ON "websession_sessions" ("ix_account", session_key) WHERE "ix_account" IS NOT NULL; `+
		`ALTER TABLE "websession_sessions" ADD COLUMN "ix_Group1" TEXT; `+
		`CREATE INDEX "websession_sessions_ix_Group1" ON "websession_sessions" ("ix_Group1", session_key) WHERE "ix_Group1" IS NOT NULL;`, statements)

	// What it says is what helps, also while others use the table; and columns
	// that others need do no harm.
	old := newStore(t, path, nil)
	create(t, old, record("k", "v"))
	mustExec(t, openBare(t, path), statements)
	s := newStore(t, path, &sqlite.Options{Indexed: indexed})
	v := mustHold(t, s, "k", "v")
	rec := record("k", "w")
	rec.Index["account"] = "a"
	v, err = s.Replace(ctx, rec, v)
	require.NoError(t, err)
	got, _, err := old.Load(ctx, "k")
	require.NoError(t, err)
	require.Equal(t, map[string]string{"user": "u-k"}, got.Index)
	_, err = old.Replace(ctx, record("k", "x"), v)
	require.NoError(t, err)
}

func TestMissingIndex(t *testing.T) {
	path := fresh(t)
	newStore(t, path, nil)
	mustExec(t, openBare(t, path), `ALTER TABLE websession_sessions ADD COLUMN ix_account TEXT`)
	var remarks []string
	newStore(t, path, &sqlite.Options{Indexed: []string{"user", "account"}, Warn: func(r string) { remarks = append(remarks, r) }})
	require.Equal(t, []string{`The column ix_account of the table "websession_sessions" has no index: finding sessions by it reads the whole table. ` +
		`Run: CREATE INDEX "websession_sessions_ix_account" ON "websession_sessions" ("ix_account", session_key) WHERE "ix_account" IS NOT NULL;`}, remarks)
}

func TestChangedTable(t *testing.T) {
	path := fresh(t)
	newStore(t, path, nil)
	db := openBare(t, path)
	mustExec(t, db, "ALTER TABLE websession_sessions RENAME COLUMN data TO content")
	require.ErrorContains(t, refused(t, path, nil), "has no column data: somebody has changed it")
	mustExec(t, db, "CREATE TABLE theirs (a)")
	require.ErrorContains(t, refused(t, path, &sqlite.Options{Table: "theirs"}), `the table "theirs" was not made by websession`)
}

// A database that is refused stays as it is, byte for byte.
func TestForeignDatabase(t *testing.T) {
	for _, c := range []struct {
		want       string
		statements []string
	}{
		{"belongs to another application (application_id 0, 1 tables and indexes)", []string{"CREATE TABLE theirs (a)"}},
		{"belongs to another application (application_id 42, 0 tables", []string{"PRAGMA application_id = 42"}},
		{"has the schema version 2, and this program knows versions up to 1: use a newer version of websession",
			[]string{"PRAGMA application_id = 0x77736573", "PRAGMA user_version = 2"}},
	} {
		path := filepath.Join(t.TempDir(), "x.db")
		db := openBare(t, path)
		mustExec(t, db, append(c.statements, "VACUUM")...)
		require.NoError(t, db.Close())
		before, err := os.ReadFile(path)
		require.NoError(t, err)
		require.NotEmpty(t, before)
		err = refused(t, path, nil)
		require.ErrorContains(t, err, c.want)
		require.ErrorContains(t, err, path)
		after, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, before, after)
		left, err := filepath.Glob(path + "*")
		require.NoError(t, err)
		require.Equal(t, []string{path}, left)
	}
}

func TestNewerTable(t *testing.T) {
	path := fresh(t)
	newStore(t, path, nil)
	mustExec(t, openBare(t, path), "UPDATE websession_meta SET schema_version = 2")
	require.ErrorContains(t, refused(t, path, nil), `the table "websession_sessions" has the schema version 2`)
}

// What an application keeps in the same database stays its own.
func TestDatabaseOfAnApplication(t *testing.T) {
	path := fresh(t)
	db := openBare(t, path)
	mustExec(t, db, "PRAGMA journal_mode = WAL", "PRAGMA user_version = 7", "CREATE TABLE theirs (a)")
	s, err := websql.New(db, sqlite.Dialect(nil), nil)
	require.NoError(t, err)
	create(t, s, record("k", "v"))
	require.NoError(t, s.Close())
	s = newStore(t, path, &sqlite.Options{}) // now it has a table of ours
	mustHold(t, s, "k", "v")
	newStore(t, path, &sqlite.Options{Table: "another"})
	require.Equal(t, 7, query[int](t, db, "PRAGMA user_version"))
	require.Equal(t, 0, query[int](t, db, "PRAGMA application_id"))
}
