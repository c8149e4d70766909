//go:build linux

package sqlite_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/websession/websession/internal/lyingdisk"
	"github.com/websession/websession/internal/lyingdisk/ledger"
	websql "github.com/websession/websession/sql"
	"github.com/websession/websession/sql/sqlite"
)

// Each call of each operation of the disk fails, in every way; not in full it is
// a few of them. Only reading the -shm file never fails: see package lyingdisk.
func TestEveryDiskFault(t *testing.T) {
	if testing.Short() {
		t.Skip("left out with -short: thousands of faults")
	}
	rng, disk := seeded(t), lyingdisk.Start(t)
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	began, tried, calls := time.Now(), 0, 0
	if err := underFault(t, disk, nil); err != nil {
		t.Fatal("without any fault: ", err)
	}
	counts := disk.Counts()
	for _, n := range counts {
		calls += n
	}
	for _, f := range lyingdisk.Sweep(counts) {
		if !full && rng.IntN(40) > 0 {
			continue
		}
		disk.Reset("")
		if err := underFault(t, disk, &f); err != nil {
			t.Errorf("%v: %v", f, err)
		}
		tried++
	}
	if t.Failed() {
		return
	}
	t.Logf("figure: SQLite: promises that were broken, panics, leaks when one of %d calls of the file system failed: %s (%.0f s)", calls, zero(tried), time.Since(began).Seconds())
}

// underFault runs the story while a fault is armed, and then what a store that
// works again does. At the end the power is cut.
func underFault(t *testing.T, disk *lyingdisk.Disk, f *lyingdisk.Fault) (err error) {
	t.Helper()
	path, l := filepath.Join(disk.Dir, "sessions.db"), ledger.New(1, nil)
	o := options(sqlite.Full)
	o.BusyTimeout = time.Second
	if f != nil {
		disk.Fail(*f)
	}
	var s *websql.Store
	within(t, 20*time.Second, func() {
		if s, err = sqlite.New(path, o); err == nil {
			err = l.Story(s)
		}
	})
	if f != nil {
		disk.Heal()
	} else if err != nil {
		return err
	}
	if s == nil { // it did not open, and will now
		s, err = sqlite.New(path, o)
		if err == nil {
			err = s.Close()
		}
		return err
	}
	errs := []error{err}
	if f != nil {
		if _, err := l.Check(s, ledger.Everything); err != nil {
			errs = append(errs, fmt.Errorf("the store: %w", err))
		}
		if err := l.Work(s, ledger.Worker(9), rand.New(rand.NewPCG(1, 1)), 8); err != nil {
			errs = append(errs, fmt.Errorf("it does not work again: %w", err))
		}
	}
	if f != nil {
		disk.Cut()
		image := memoryFolder(t)
		disk.Survive(rand.Uint64(), image)
		if _, err := afterCrash(l, filepath.Join(image, "sessions.db"), ledger.Everything); err != nil {
			errs = append(errs, fmt.Errorf("after a power cut: %w", err))
		}
	}
	s.Close() // which may report the cut
	if list := openFiles(t, disk.Dir); len(list) > 0 {
		errs = append(errs, fmt.Errorf("open files: %v", list))
	}
	return errors.Join(errs...)
}
