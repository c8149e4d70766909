package sqlite_test

import (
	"context"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/internal/lyingdisk/ledger"
	"github.com/websession/websession/session/driver"
	websql "github.com/websession/websession/sql"
	"github.com/websession/websession/sql/sqlite"
)

func init() {
	children["work"] = func(args []string) error {
		return childWork(args, func(s *websql.Store) driver.Store { return s })
	}
	children["hasty"] = func(args []string) error {
		return childWork(args, func(s *websql.Store) driver.Store { return hasty{s, make(chan func(), 1000)}.begin() })
	}
}

// childWork changes records until it is killed: path, synchronous, and what
// ledger.Run takes.
func childWork(args []string, as func(*websql.Store) driver.Store) error {
	s, err := sqlite.New(args[0], options(sqlite.Synchronous(args[1])))
	if err != nil {
		return err
	}
	return ledger.Run(as(s), args[2:])
}

// hasty answers before the database does, as a store with a queue in memory.
type hasty struct {
	*websql.Store
	queue chan func()
}

func (s hasty) begin() hasty {
	go func() {
		for f := range s.queue {
			f()
		}
	}()
	return s
}

func (s hasty) later(f func()) { s.queue <- f }

func (s hasty) Create(_ context.Context, rec driver.Record) (driver.Version, error) {
	s.later(func() { s.Store.Create(ctx, rec) })
	return "some", nil
}

func (s hasty) Replace(_ context.Context, rec driver.Record, _ driver.Version) (driver.Version, error) {
	s.later(func() {
		s.Store.Delete(ctx, rec, "")
		s.Store.Create(ctx, rec)
	})
	return "some", nil
}

func (s hasty) Delete(_ context.Context, rec driver.Record, _ driver.Version) error {
	s.later(func() { s.Store.Delete(ctx, rec, "") })
	return nil
}

// A process that writes is killed, again and again, and the next one goes on
// with the same database.
func TestKilledWhileWriting(t *testing.T) {
	if testing.Short() {
		t.Skip("left out with -short: starts many processes")
	}
	t.Parallel()
	rng := seeded(t)
	path := filepath.Join(memoryFolder(t), "sessions.db")
	l, n, lines := ledger.New(1, nil), scaled(1000), 0
	began := time.Now()
	for i := range n {
		var other *websql.Store // that has it open all the time
		if i%4 == 3 {
			other = newStore(t, path, options(sqlite.Full))
		}
		lines += workAndKill(t, "work", rng, l, path, []sqlite.Synchronous{sqlite.Full, sqlite.Normal}[i%2])
		if other != nil {
			_, err := l.Check(other, ledger.Everything)
			require.NoError(t, err, "kill %d", i)
			require.NoError(t, other.Close())
		}
		found, err := afterCrash(l, path, ledger.Everything)
		require.NoError(t, err, "kill %d", i)
		l.Settle(found)
	}
	t.Logf("figure: SQLite: sessions that were torn, lost or back after a writing process was killed: %s; %d mutations were begun or answered (%.0f s)",
		zero(n), lines, time.Since(began).Seconds())
}

// The test above finds what it looks for.
func TestKilledWhileHasty(t *testing.T) {
	if testing.Short() {
		t.Skip("left out with -short: starts many processes")
	}
	t.Parallel()
	rng := seeded(t)
	for i := range 1000 {
		path, l := filepath.Join(memoryFolder(t), "sessions.db"), ledger.New(1, nil)
		workAndKill(t, "hasty", rng, l, path, sqlite.Full)
		if _, err := afterCrash(l, path, ledger.Everything); err != nil {
			t.Logf("figure: SQLite: a variant that answers too early is caught by kill %d: %.200v", i+1, err)
			return
		}
	}
	t.Error("a variant that answers too early was not caught")
}

// workAndKill kills a process that works, and answers how many lines it printed.
func workAndKill(t *testing.T, name string, rng *rand.Rand, l *ledger.Ledger, path string, level sqlite.Synchronous) (lines int) {
	t.Helper()
	return l.Kill(t, rng, 40*time.Millisecond, func(args ...string) *exec.Cmd {
		return child(name, append([]string{path, string(level)}, args...)...)
	})
}
