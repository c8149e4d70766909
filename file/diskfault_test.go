//go:build linux

package file

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/websession/websession/internal/lyingdisk"
	"github.com/websession/websession/internal/lyingdisk/ledger"
)

// Each call of each operation of the disk fails, in every way: all of them with
// durability full, which makes every call that there is, and some of them with
// the others. Not in full it is a few of each.
func TestEveryDiskFault(t *testing.T) {
	if testing.Short() {
		t.Skip("left out with -short: thousands of faults")
	}
	rng, disk := seeded(t), lyingdisk.Start(t)
	began, tried, calls := time.Now(), 0, 0
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	for _, d := range []Durability{DurabilityFull, DurabilityFile, DurabilityNone} {
		disk.Reset("")
		if err := underFault(t, rng, disk, d, nil); err != nil {
			t.Fatal("without any fault: ", err)
		}
		counts := disk.Counts()
		for _, n := range counts {
			calls += n
		}
		for _, f := range lyingdisk.Sweep(counts) {
			if share := rng.Float64(); d == DurabilityFull && !full && share > 0.01 ||
				d != DurabilityFull && (full && share > 0.1 || !full && share > 0.002) {
				continue
			}
			disk.Reset("")
			if err := underFault(t, rng, disk, d, &f); err != nil {
				t.Errorf("durability %s: %v: %v", d, f, err)
			}
			tried++
		}
	}
	if t.Failed() {
		return
	}
	t.Logf("figure: File: promises that were broken, panics, leaks when one of %d calls of the file system failed: %s (%.0f s)", calls, zero(tried), time.Since(began).Seconds())
}

// A store that opens although a folder cannot be read keeps what it says all the
// same: one that made its own folder has synced the name of it.
func TestFolderThatCannotBeRead(t *testing.T) {
	disk := lyingdisk.Start(t)
	dir := filepath.Join(disk.Dir, "sessions")
	disk.Reset("")
	s, err := New(dir, &Options{Durability: DurabilityFull})
	mustBe(t, "open", err, nil)
	mustBe(t, "close", s.Close(), nil)
	for n := range disk.Counts()[lyingdisk.OpenDir] {
		disk.Reset("")
		disk.Fail(lyingdisk.Fault{Op: lyingdisk.OpenDir, N: n + 1, Errno: syscall.EACCES})
		s, err := New(dir, &Options{Durability: DurabilityFull})
		disk.Heal()
		if err != nil {
			if _, err := os.Lstat(dir); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("opendir %d: an open that failed left its folder: %v", n+1, err)
			}
			continue
		}
		_, err = s.Create(ctx, record("k", "data"))
		mustBe(t, "create", errors.Join(err, s.Close()), nil)
		disk.Cut()
		for seed := range uint64(20) {
			image := filepath.Join(memoryDir(t), "disk")
			mustBe(t, "mkdir", os.Mkdir(image, 0o700), nil)
			disk.Survive(seed, image)
			again, err := New(filepath.Join(image, "sessions"), nil)
			mustBe(t, "open again", err, nil)
			if _, _, err := again.Load(ctx, "k"); err != nil {
				t.Errorf("opendir %d failed, and after a power cut (seed %d): %v", n+1, seed, err)
			}
			mustBe(t, "close", again.Close(), nil)
		}
	}
}

// underFault runs the story while a fault is armed, and then what a store that
// works again does.
func underFault(t *testing.T, rng *rand.Rand, disk *lyingdisk.Disk, d Durability, f *lyingdisk.Fault) (err error) {
	t.Helper()
	dir, l := filepath.Join(disk.Dir, "sessions"), ledger.New(1, nil)
	if f != nil {
		disk.Fail(*f)
	}
	var s *Store
	soon(t, fmt.Sprint("with ", f, " something"), func() {
		if s, err = New(dir, &Options{Durability: d}); err == nil {
			err = l.Story(s)
		}
	})
	if f != nil {
		disk.Heal()
	} else if err != nil {
		return err
	}
	if s == nil { // it did not open, and will now
		err = nil
		if _, there := os.Lstat(dir); there == nil && !f.Last && !f.After {
			err = errors.New("an open that failed left its folder")
		}
		s, there := New(dir, &Options{Durability: d})
		if there != nil {
			return errors.Join(err, there)
		}
		return errors.Join(err, s.Close())
	}
	errs := []error{err}
	if f != nil {
		errs = append(errs, afterFault(l, s, dir))
	}
	errs = append(errs, s.Close())
	if n := openFiles(t, dir); n > 0 {
		errs = append(errs, fmt.Errorf("%d files are open", n))
	}
	if d == DurabilityFull && f != nil {
		disk.Cut()
		image := filepath.Join(memoryDir(t), "disk")
		if err := os.Mkdir(image, 0o700); err != nil {
			t.Fatal(err)
		}
		disk.Survive(rng.Uint64(), image)
		_, err := afterCrash(l, filepath.Join(image, "sessions"), ledger.Everything)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// afterFault checks that a store kept its promises, and works again.
func afterFault(l *ledger.Ledger, s *Store, dir string) error {
	var errs []error
	_, err := l.Check(s, ledger.Everything)
	errs = append(errs, err)
	if err := l.Work(s, ledger.Worker(9), rand.New(rand.NewPCG(1, 1)), 8); err != nil {
		errs = append(errs, fmt.Errorf("it does not work again: %w", err))
	}
	again, err := New(dir, nil)
	if err != nil {
		return errors.Join(append(errs, err)...)
	}
	found, err := l.Check(again, ledger.Everything)
	if err == nil {
		err = tidy(again, dir, len(found), ledger.Everything)
	}
	return errors.Join(append(errs, err, again.Close())...)
}
