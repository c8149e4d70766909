package benchpeers

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alexedwards/scs/sqlite3store"
	_ "modernc.org/sqlite"

	"github.com/websession/websession/session"
	_ "github.com/websession/websession/sql/sqlite"
)

// visitors is how many goroutines send requests, each for a session of its own.
const visitors = 50

// oursInSQLite uses the class SQLite with its default properties: WAL,
// synchronous full, a busy time-out of 5 s.
func oursInSQLite(tb testing.TB) peer {
	m, err := session.Open(tb.Context(), "SQLite", map[string]any{"file": filepath.Join(tb.TempDir(), "ours.db")}, nil)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { m.Close() })
	return ours(m)
}

// theirsInSQLite uses sqlite3store with the table of its README, the same
// database driver and the same pragmas, through a pool of some connections.
func theirsInSQLite(tb testing.TB, connections int) peer {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(tb.TempDir(), "theirs.db")+
		"?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { db.Close() })
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	for _, statement := range []string{
		"CREATE TABLE sessions (token TEXT PRIMARY KEY, data BLOB NOT NULL, expiry REAL NOT NULL)",
		"CREATE INDEX sessions_expiry_idx ON sessions(expiry)",
	} {
		if _, err := db.Exec(statement); err != nil {
			tb.Fatal(err)
		}
	}
	return theirs(sqlite3store.NewWithCleanupInterval(db, 0))
}

// BenchmarkSQLiteModify compares with several sizes of the peer's pool, since
// that makes a difference: the best for the peer is the one that counts.
func BenchmarkSQLiteModify(b *testing.B) {
	for _, connections := range []int{1, 4, visitors} {
		b.Run(fmt.Sprintf("against%dConnections", connections), func(b *testing.B) {
			one, other := newCrowd(b, oursInSQLite(b)), newCrowd(b, theirsInSQLite(b, connections))
			compare(b, 250*time.Millisecond, one.serve, other.serve)
			one.check(b)
			other.check(b)
		})
	}
}

func TestApplicationsDoTheSameInSQLite(t *testing.T) {
	for _, p := range []peer{oursInSQLite(t), theirsInSQLite(t, 1)} {
		c := newCrowd(t, p)
		c.serve(time.Now().Add(100 * time.Millisecond))
		c.check(t)
	}
}

// crowd is visitors that modify their sessions at the same time.
type crowd []*loop

func newCrowd(tb testing.TB, p peer) crowd {
	c := make(crowd, visitors)
	for i := range c {
		c[i] = newLoop(p.wrap(p.modify), p.visit(tb, 3, someValue))
	}
	return c
}

func (c crowd) serve(until time.Time) int {
	var wg sync.WaitGroup
	var requests atomic.Int64
	for _, l := range c {
		wg.Go(func() {
			for time.Now().Before(until) {
				requests.Add(int64(l.send(1)))
			}
		})
	}
	wg.Wait()
	return int(requests.Load())
}

func (c crowd) check(tb testing.TB) {
	tb.Helper()
	for _, l := range c {
		l.check(tb, true)
	}
}
