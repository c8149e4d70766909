package mysql_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/internal/servers"
	"github.com/websession/websession/internal/testenv"
	"github.com/websession/websession/session/driver"
	websql "github.com/websession/websession/sql"
	"github.com/websession/websession/sql/internal/servertest"
	"github.com/websession/websession/sql/mysql"
)

func TestMissingColumn(t *testing.T) {
	class.MissingColumn(t, place(t), "DROP INDEX websession_sessions_ix_account ON websession_sessions")
}

func TestNewerSchema(t *testing.T) {
	class.NewerSchema(t, place(t), "ALTER TABLE websession_sessions CHANGE data content MEDIUMBLOB")
}

func TestForeignTables(t *testing.T) {
	p := place(t)
	db := bare(t, p.DSN)
	mustExec(t, db, "CREATE TABLE theirs (id char(32), a_session longblob)", "INSERT INTO theirs VALUES ('a', 'b')")
	require.ErrorContains(t, refused(t, with(p.Properties, "TableName", "theirs")), `the table "theirs" was not made by websession: choose another name`)
	require.Equal(t, 1, servertest.Query[int](t, db, "SELECT count(*) FROM theirs"))
}

// One who makes the table and dies leaves it half done: there are no transactions
// around CREATE TABLE. A table that holds something is never dropped.
func TestTableThatIsNotComplete(t *testing.T) {
	p := place(t)
	db := bare(t, p.DSN)
	list, err := websql.Statements(mysql.Dialect(), websql.DefaultTable, []string{"user"})
	require.NoError(t, err)
	for n := 1; n < len(list); n++ {
		mustExec(t, db, "DROP TABLE IF EXISTS websession_sessions", "DROP TABLE IF EXISTS websession_meta")
		mustExec(t, db, list[:n]...)
		s := open(t, p.Properties)
		create(t, s, record("k", "v"))
		require.NoError(t, s.Close())
	}
	mustExec(t, db, "DELETE FROM websession_meta")
	require.ErrorContains(t, refused(t, p.Properties), "was not made by websession")
	require.Equal(t, 1, servertest.Query[int](t, db, "SELECT count(*) FROM websession_sessions"))
}

func TestSchemaByHand(t *testing.T) { class.SchemaByHand(t, place(t)) }

// What looks for sessions uses an index.
func TestPlans(t *testing.T) {
	p := place(t)
	s := open(t, p.Properties, "user", "account")
	mustExec(t, bare(t, p.DSN),
		"INSERT INTO websession_sessions SELECT CONCAT('z', md5(seq)), 'v', 'd', seq, md5(seq % 1000), NULL FROM seq_1_to_20000",
		"ANALYZE TABLE websession_sessions")
	plans, err := s.Plans(ctx)
	require.NoError(t, err)
	for name, index := range map[string]string{
		"load": "PRIMARY", "scan": "PRIMARY", "purge": "websession_sessions_expires",
		"search user": "websession_sessions_ix_user", "search account": "websession_sessions_ix_account",
	} {
		plan := plans[name]
		if strings.Contains(plan, "Impossible WHERE noticed after reading const tables") {
			continue // it looked by the primary key, and there is nothing
		}
		require.Contains(t, plan, `"key": "`+index+`"`, name)
		require.NotContains(t, plan, `"access_type": "ALL",
        "rows"`, name)
		require.NotContains(t, plan, "filesort", name)
	}
	require.Contains(t, plans["purge"], `"access_type": "eq_ref"`, "it deletes by key")
}

// What differs between servers must not make a difference: SQL modes, texts that
// compare without regard to case, transactions that do not end.
func TestDefaultsOfTheServer(t *testing.T) {
	for name, config := range map[string][]string{
		"loose":       {"--sql-mode=", "--autocommit=0"},
		"strict":      {"--sql-mode=TRADITIONAL,ANSI,NO_BACKSLASH_ESCAPES,PAD_CHAR_TO_FULL_LENGTH,ONLY_FULL_GROUP_BY", "--collation-server=utf8mb4_general_ci", "--character-set-server=utf8mb4"},
		"latin1":      {"--collation-server=latin1_swedish_ci", "--character-set-server=latin1", "--transaction-isolation=SERIALIZABLE", "--sql-safe-updates=1"},
		"binary logs": {"--log-bin=log", "--binlog-format=MIXED", "--server-id=1"},
		"MyISAM":      {"--default-storage-engine=MyISAM"},
	} {
		t.Run(name, func(t *testing.T) {
			server := testenv.NewMariaDB(t, &servers.MariaDBOptions{Config: config})
			s := open(t, own(t, server))
			keys := []string{"k", "K", "k-", "k_", "-", "_", strings.Repeat("k", driver.MaxKey)}
			for _, key := range keys {
				data := make([]byte, 256)
				for i := range data {
					data[i] = byte(i)
				}
				rec := record(key, string(data)+key)
				rec.Index["user"] = key
				create(t, s, rec)
			}
			for _, key := range keys {
				rec, v, err := s.Load(ctx, key)
				require.NoError(t, err)
				require.Equal(t, key, string(rec.Data[256:]))
				found := 0
				for got, err := range s.Search(ctx, "user", key) {
					require.NoError(t, err)
					require.Equal(t, key, got.Key)
					found++
				}
				require.Equal(t, 1, found)
				v, err = s.Touch(ctx, rec, v)
				require.NoError(t, err)
				again, err := s.Touch(ctx, rec, v) // the same values once more
				require.NoError(t, err)
				_, err = s.Touch(ctx, rec, v)
				require.ErrorIs(t, err, driver.ErrConflict)
				_, err = s.Create(ctx, rec)
				require.ErrorIs(t, err, driver.ErrExists)
				other := open(t, own(t, server))
				mustHold(t, other, key, string(rec.Data)) // it was committed
				require.NoError(t, other.Delete(ctx, rec, again))
			}
			create(t, s, driver.Record{Key: "n", Data: []byte("0")})
			servertest.Increments(t, s, "n", 8, 25)
			mustExec(t, bare(t, server.DSN("own")), "SET autocommit=1", "INSERT INTO websession_sessions SELECT CONCAT('x', seq), 'v', 'd', seq, NULL FROM seq_1_to_500")
			if name == "loose" { // where the statement above was not committed
				return
			}
			n, err := s.Purge(ctx, record("", "").Expires, 1000)
			require.NoError(t, err)
			require.Equal(t, 500, n)
		})
	}
	t.Run("binlog_format=STATEMENT", func(t *testing.T) {
		server := testenv.NewMariaDB(t, &servers.MariaDBOptions{Config: []string{"--log-bin=log", "--binlog-format=STATEMENT", "--server-id=1"}})
		require.ErrorContains(t, refused(t, own(t, server)), "binlog_format is STATEMENT")
		borrowed(t, bare(t, server.DSN("own"))) // as the isolation is another one
	})
}

// A pool of the application stays open, and need not be set up for sessions.
func TestBorrowedPool(t *testing.T) {
	p := place(t)
	for _, options := range []string{"", "?clientFoundRows=true", "?interpolateParams=true", "?parseTime=true&collation=utf8mb4_general_ci", "?rejectReadOnly=true&compress=true"} {
		class.BorrowedPool(t, bare(t, p.DSN+options))
	}
	_, err := websql.New(bare(t, p.DSN+"?autocommit=0"), mysql.Dialect(), nil)
	require.ErrorContains(t, err, "autocommit is off")
}

// Creating and deleting one key from all sides is what InnoDB calls a deadlock:
// it undoes one of the statements, which is then tried again.
func TestDeadlocks(t *testing.T) {
	s := open(t, place(t).Properties)
	errs := make(chan error)
	for range 8 {
		go func() {
			for range 200 {
				if _, err := s.Create(ctx, record("k", "v")); err != nil && err != driver.ErrExists {
					errs <- err
					return
				}
				if err := s.Delete(ctx, record("k", ""), ""); err != nil {
					errs <- err
					return
				}
			}
			errs <- nil
		}()
	}
	for range 8 {
		require.NoError(t, <-errs)
	}
}

func TestInfo(t *testing.T) {
	s := testenv.NewMariaDB(t, &servers.MariaDBOptions{Durable: true})
	store := open(t, own(t, s))
	info, err := store.Ping(ctx)
	require.NoError(t, err)
	require.Regexp(t, `^MariaDB \d+\.\d+\.\d+$`, info.Server)
	require.Equal(t, "InnoDB", info.Facts["engine"])
	require.Equal(t, "READ-COMMITTED", info.Facts["tx_isolation"])
	require.Equal(t, "websession_sessions", info.Facts["table"])
	require.Empty(t, info.Warnings)
	// What Ping guarantees is what the settings of this very server are for.
	const keeps = "A kill of the server loses nothing that was answered. "
	for n, want := range map[int]string{
		0: "A kill of the server may lose the writes of the last second, logouts among them. So may a power cut; the database stays whole.",
		1: keeps + "Nor does a power cut. A failover to a replica may lose the last writes.",
		2: keeps + "A power cut may lose the writes of the last second, logouts among them; the database stays whole.",
		3: keeps + "Nor does a power cut.",
	} {
		mustExec(t, bare(t, s.DSN("own")), fmt.Sprint("SET GLOBAL innodb_flush_log_at_trx_commit = ", n))
		info, err = store.Ping(ctx)
		require.NoError(t, err)
		require.Contains(t, info.Guarantee, want)
		require.Equal(t, n == 0 || n == 2, len(info.Warnings) == 1, n)
	}
	mustExec(t, bare(t, s.DSN("own")), "SET GLOBAL innodb_flush_log_at_trx_commit = 2", "ALTER TABLE websession_sessions ENGINE=Aria")
	info, err = store.Ping(ctx)
	require.NoError(t, err)
	require.Len(t, info.Warnings, 2)
	require.Contains(t, info.Warnings[0], "innodb_flush_log_at_trx_commit is 2")
	require.Contains(t, info.Warnings[1], "The table has the engine Aria")
	require.Contains(t, info.Guarantee, "the table does not lie in InnoDB")
}

// What a binary log, and a disk that is not asked, take from the guarantee.
func TestGuaranteeOfTheDisk(t *testing.T) {
	for want, config := range map[string][]string{
		"A power cut may lose the last writes, which the binary log lacks": {"--log-bin=log", "--binlog-format=ROW", "--server-id=1", "--sync-binlog=0"},
		"A power cut may damage the database.":                             {"--innodb-doublewrite=0", "--innodb-flush-method=nosync"},
	} {
		s := testenv.NewMariaDB(t, &servers.MariaDBOptions{Durable: true, Config: config})
		store, remarks := class.Warned(t, own(t, s))
		info, err := store.Ping(ctx)
		require.NoError(t, err)
		require.Contains(t, info.Guarantee, want)
		require.Equal(t, remarks, strings.Join(info.Warnings, "\n"))
		require.NotEmpty(t, remarks)
	}
}
