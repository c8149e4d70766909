package sqlite_test

import (
	"database/sql"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/session/driver"
	websql "github.com/websession/websession/sql"
	"github.com/websession/websession/sql/sqlite"
)

// A pool of the application stays open, and what the store did to a connection
// does not go back to it.
func TestBorrowedPool(t *testing.T) {
	db := openBare(t, fresh(t))
	mustExec(t, db, "PRAGMA journal_mode = WAL")
	db.SetMaxOpenConns(2)
	for range 3 {
		s, err := websql.New(db, sqlite.Dialect(nil), &websql.Options{Indexed: []string{"user"}})
		require.NoError(t, err)
		require.NoError(t, s.Delete(ctx, record("k", ""), create(t, s, record("k", "v"))))
		require.Equal(t, 1, db.Stats().InUse, "the writer")
		info, err := s.Ping(ctx)
		require.NoError(t, err)
		require.Empty(t, info.Warnings)
		require.NoError(t, s.Close())
		require.NoError(t, db.Ping())
		require.Equal(t, 0, db.Stats().InUse)
		require.Equal(t, 5000, query[int](t, db, "PRAGMA busy_timeout"))
		_, err = s.Create(ctx, record("k", "v"))
		require.ErrorIs(t, err, driver.ErrClosed)
	}
}

func TestBorrowedPoolThatCannotWork(t *testing.T) {
	db := openBare(t, fresh(t))
	db.SetMaxOpenConns(1)
	_, err := websql.New(db, sqlite.Dialect(nil), nil)
	require.ErrorContains(t, err, "the pool allows one connection")

	for _, dsn := range []string{":memory:", "file::memory:?cache=shared"} {
		db, err := sql.Open("sqlite", dsn)
		require.NoError(t, err)
		defer db.Close()
		_, err = websql.New(db, sqlite.Dialect(nil), nil)
		require.ErrorContains(t, err, "for sessions in memory use the class Memory")
	}

	db = openBare(t, fresh(t))
	require.NoError(t, db.Close())
	_, err = websql.New(db, sqlite.Dialect(nil), nil)
	require.ErrorContains(t, err, "sqlite: open: ")
}

// The store takes another connection when it had to close its own, even if that
// was the only one, and the journal went with it.
func TestBorrowedPoolWhenAConnectionIsLost(t *testing.T) {
	db := openBare(t, fresh(t))
	mustExec(t, db, "PRAGMA journal_mode = WAL")
	s, err := websql.New(db, sqlite.Dialect(nil), nil)
	require.NoError(t, err)
	defer s.Close()
	mustExec(t, db, `CREATE TRIGGER refuse BEFORE INSERT ON websession_sessions WHEN NEW.session_key = 'bad'
		BEGIN SELECT RAISE(ROLLBACK, 'not this one'); END`)
	db.SetMaxIdleConns(0)
	for range 3 {
		_, err = s.Create(ctx, record("bad", "v"))
		mustNotBeApplied(t, err, "not this one")
		require.NoError(t, s.Delete(ctx, record("k", ""), create(t, s, record("k", "v"))))
	}
}

// The journal mode is the application's to choose; the store works with any.
func TestBorrowedPoolWithoutWAL(t *testing.T) {
	path := fresh(t)
	db := openBare(t, path)
	var remarks []string
	s, err := websql.New(db, sqlite.Dialect(nil), &websql.Options{Warn: func(r string) { remarks = append(remarks, r) }})
	require.NoError(t, err)
	defer s.Close()
	require.Len(t, remarks, 1)
	require.Contains(t, remarks[0], "The journal mode is delete")
	create(t, s, driver.Record{Key: "k", Data: make([]byte, 4)})
	errs := make(chan error)
	for range 8 {
		go func() { errs <- increment(s, "k", 20) }()
	}
	for range 8 {
		require.NoError(t, <-errs)
	}
	require.Equal(t, 160, counter(t, s, "k"))
	require.Equal(t, "delete", query[string](t, db, "PRAGMA journal_mode"))
}

// A pool that the application closes too early: every call says so.
func TestBorrowedPoolThatIsClosed(t *testing.T) {
	db := openBare(t, fresh(t))
	s, err := websql.New(db, sqlite.Dialect(nil), nil)
	require.NoError(t, err)
	v := create(t, s, record("k", "v"))
	require.NoError(t, db.Close())
	_, _, err = s.Load(ctx, "k")
	require.ErrorContains(t, err, "database is closed")
	_, err = s.Replace(ctx, record("k", "w"), v)
	require.NoError(t, err, "the connection that writes is the store's until it is closed")
	require.NoError(t, s.Close())
}
