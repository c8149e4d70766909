package file

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/websession/websession/internal/lyingdisk/ledger"
	"github.com/websession/websession/session/driver"
)

func init() {
	children["work"] = func(args []string) error { return work(args, func(s *Store) driver.Store { return s }) }
	children["overwrite"] = func(args []string) error { return work(args, func(s *Store) driver.Store { return overwriting{s} }) }
}

// work changes records until it is killed: folder, durability, and what
// ledger.Run takes.
func work(args []string, as func(*Store) driver.Store) error {
	s, err := New(args[0], &Options{Durability: Durability(args[1])})
	if err != nil {
		return err
	}
	return ledger.Run(as(s), args[2:])
}

// overwriting writes records where they lie, as a program does that knows
// nothing of crashes.
type overwriting struct{ *Store }

func (s overwriting) Replace(_ context.Context, rec driver.Record, _ driver.Version) (driver.Version, error) {
	b, v, err := encode(rec)
	if err == nil {
		err = os.WriteFile(filepath.Join(s.directory, placeOf(rec.Key).path), b, 0o600)
	}
	return v, err
}

// A process that writes is killed, again and again, and the next one goes on in
// the same folder.
func TestKilledWhileWriting(t *testing.T) {
	if testing.Short() {
		t.Skip("left out with -short: starts many processes")
	}
	t.Parallel()
	rng := seeded(t)
	dir := filepath.Join(memoryDir(t), "sessions")
	l, n, lines := ledger.New(1, nil), scaled(1000), 0
	durabilities := []Durability{DurabilityNone, DurabilityFile, DurabilityFull}
	began := time.Now()
	for i := range n {
		lines += workAndKill(t, "work", rng, l, dir, durabilities[i%3])
		found, err := afterCrash(l, dir, ledger.Everything)
		if err != nil {
			t.Fatalf("kill %d: %v", i, err)
		}
		l.Settle(found)
	}
	t.Logf("figure: File: sessions that were torn, lost or back after a writing process was killed: %s; %d mutations were begun or answered (%.0f s)",
		zero(n), lines, time.Since(began).Seconds())
}

// The test above finds what it looks for.
func TestKilledWhileOverwriting(t *testing.T) {
	if testing.Short() {
		t.Skip("left out with -short: starts many processes")
	}
	t.Parallel()
	rng := seeded(t)
	dir := filepath.Join(memoryDir(t), "sessions")
	for i := range 1000 {
		l := ledger.New(1, nil)
		workAndKill(t, "overwrite", rng, l, dir, DurabilityNone)
		if _, err := afterCrash(l, dir, ledger.Everything); err != nil {
			t.Logf("figure: File: a variant that overwrites records is caught by kill %d: %.200v", i+1, err)
			return
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	}
	t.Error("a variant that overwrites records was not caught")
}

// afterCrash checks what is in a folder after a crash, as the next process finds
// it, that it can be used, and that a purge leaves nothing else. It answers what
// is there.
func afterCrash(l *ledger.Ledger, dir string, p ledger.Promise) (ledger.Found, error) {
	s, err := New(dir, nil)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	found, err := l.Check(s, p)
	if err == nil {
		err = tidy(s, dir, len(found), p)
	}
	if err == nil {
		err = ledger.Usable(s)
	}
	return found, err
}

// workAndKill kills a process that works, and answers how many lines it printed.
func workAndKill(t *testing.T, name string, rng *rand.Rand, l *ledger.Ledger, dir string, d Durability) (lines int) {
	t.Helper()
	return l.Kill(t, rng, 20*time.Millisecond, func(args ...string) *exec.Cmd {
		return child(name, append([]string{dir, string(d)}, args...)...).Cmd
	})
}

// tidy purges, and reports what is left beside so many records. What is damaged
// is left, where that may be.
func tidy(s *Store, dir string, records int, p ledger.Promise) error {
	if _, err := s.Purge(ctx, now, 1e6); err != nil {
		return err
	}
	left, err := os.ReadDir(filepath.Join(dir, tempFolder))
	if err != nil {
		return err
	}
	if len(left) > 0 {
		return errors.New("the purge left " + left[0].Name())
	}
	files, err := filepath.Glob(filepath.Join(dir, "[0-9a-f][0-9a-f]", "*"))
	if err == nil && len(files) != records && p != ledger.LogoutsOnly {
		err = errors.New("there are " + strconv.Itoa(len(files)) + " files of " + strconv.Itoa(records) + " records")
	}
	return err
}
