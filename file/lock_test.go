package file

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/websession/websession/session/driver"
)

// holdLock takes the lock of a key as another process would.
func holdLock(tb testing.TB, s *Store, key string) (release func()) {
	tb.Helper()
	path := filepath.Join(s.directory, lockFolder, placeOf(key).folder())
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		tb.Fatal(err)
	}
	// A process that a parallel test has just forked has the file of a lock open
	// until it runs another program.
	until(tb, "the lock is free", func() bool {
		ok, err := tryLock(f)
		if err != nil {
			tb.Fatal(err)
		}
		return ok
	})
	return func() { f.Close() }
}

func TestWaitForLockEndsWithContext(t *testing.T) {
	s, dir := fresh(t)
	v := create(t, s, record("k", "old"))
	defer holdLock(t, s, "k")()
	goroutines := runtime.NumGoroutine()
	open := openFiles(t, dir)
	short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	errs := make(chan error)
	for range 4 { // one polls, the others queue behind it
		go func() {
			_, err := s.Replace(short, record("k", "new"), v)
			errs <- err
		}()
	}
	for range 4 {
		mustNotBeApplied(t, "replace", <-errs, context.DeadlineExceeded)
	}
	mustNotBeApplied(t, "delete", s.Delete(short, record("k", ""), ""), context.DeadlineExceeded)
	mustHold(t, s, "k", "old") // Load needs no lock
	until(t, "goroutines end", func() bool { return runtime.NumGoroutine() <= goroutines })
	if n := openFiles(t, dir); n != open {
		t.Fatalf("%d files are open, %d before", n, open)
	}
	if left := names(t, filepath.Join(dir, tempFolder)); len(left) > 0 {
		t.Fatalf("left %v", left)
	}
}

func TestWaitForLockEndsWithClose(t *testing.T) {
	s, _ := fresh(t)
	v := create(t, s, record("k", "old"))
	defer holdLock(t, s, "k")()
	errs := make(chan error, 2)
	for range 2 {
		go func() {
			_, err := s.Replace(ctx, record("k", "new"), v)
			errs <- err
		}()
	}
	until(t, "both wait", func() bool { return len(names(t, filepath.Join(s.directory, tempFolder))) == 2 })
	soon(t, "close", func() { s.Close() })
	for range 2 {
		mustNotBeApplied(t, "replace", <-errs, driver.ErrClosed)
	}
}

func TestWaitForLock(t *testing.T) {
	s, _ := fresh(t)
	v := create(t, s, record("k", "old"))
	release := holdLock(t, s, "k")
	done := make(chan error)
	go func() {
		_, err := s.Replace(ctx, record("k", "new"), v)
		done <- err
	}()
	until(t, "it waits", func() bool { return len(names(t, filepath.Join(s.directory, tempFolder))) == 1 })
	mustHold(t, s, "k", "old")
	release()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	mustHold(t, s, "k", "new")
}

// Somebody emptied .locks or .tmp, or removed them: the next call makes them
// again, and nobody holds a lock of a file without a name.
func TestRemovedFolders(t *testing.T) {
	s, dir := fresh(t)
	for _, name := range []string{lockFolder, tempFolder, placeOf("k").folder()} {
		create(t, s, record("k", "x"))
		release := holdLock(t, s, "k")
		if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		release()
		if err := s.Delete(ctx, record("k", ""), ""); err != nil {
			t.Fatal(name, err)
		}
	}
	create(t, s, record("k", "x"))
	release := holdLock(t, s, "k")
	defer release()
	done := make(chan error)
	go func() { done <- s.Delete(ctx, record("k", ""), "") }()
	until(t, "it waits for the old lock", func() bool { return len(s.stripes[placeOf("k").stripe]) == 1 })
	if err := os.RemoveAll(filepath.Join(dir, lockFolder)); err != nil {
		t.Fatal(err)
	}
	release()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, lockFolder, placeOf("k").folder())); err != nil {
		t.Fatal("it used a lock file without a name:", err)
	}
}

func init() {
	children["count"] = func(args []string) error {
		n, _ := strconv.Atoi(args[1])
		return count(args[0], n)
	}
}

// count adds 1 to a counter n times, by Load and conditional Replace.
func count(dir string, n int) error {
	s, err := New(dir, &Options{Durability: DurabilityNone})
	if err != nil {
		return err
	}
	defer s.Close()
	var wg sync.WaitGroup
	errs := make(chan error, 2)
	for range 2 {
		wg.Go(func() {
			for done := 0; done < n/2; {
				rec, v, err := s.Load(ctx, "counter")
				if err != nil {
					errs <- err
					return
				}
				sum, err := strconv.Atoi(string(rec.Data))
				if err != nil {
					errs <- err
					return
				}
				rec.Data = strconv.AppendInt(nil, int64(sum+1), 10)
				_, err = s.Replace(ctx, rec, v)
				switch {
				case err == nil:
					done++
				case !errors.Is(err, driver.ErrConflict):
					errs <- err
					return
				}
			}
		})
	}
	wg.Wait()
	close(errs)
	return <-errs
}

// Processes, Stores and goroutines that count together lose nothing.
func TestProcessesCountTogether(t *testing.T) {
	t.Parallel()
	n := 2000
	if testing.Short() {
		n = 100
	}
	s, dir := fresh(t)
	create(t, s, record("counter", "0"))
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			if err := child("count", dir, fmt.Sprint(n)).run(); err != nil {
				t.Error(err)
			}
		})
		wg.Go(func() {
			if err := count(dir, n); err != nil {
				t.Error(err)
			}
		})
	}
	start := time.Now()
	wg.Wait()
	t.Logf("%d increments in %v", 4*n, time.Since(start))
	mustHold(t, s, "counter", fmt.Sprint(4*n))
}
