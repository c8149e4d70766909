package file

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/websession/websession/session/driver"
)

var (
	past   = time.UnixMilli(1e12).UTC()
	future = time.UnixMilli(4e12).UTC()
	now    = time.UnixMilli(2e12).UTC() // between them
)

func expiring(key string, at time.Time) driver.Record {
	return driver.Record{Key: key, Data: []byte("x"), Expires: at}
}

func TestPurgeTakesWhatExpired(t *testing.T) {
	s, _ := fresh(t)
	create(t, s, expiring("past", past))
	create(t, s, expiring("now", now))
	create(t, s, expiring("a millisecond ago", now.Add(-time.Millisecond)))
	create(t, s, expiring("future", future))
	create(t, s, expiring("never", time.Time{}))
	if n := purge(t, s, now, 0); n != 0 {
		t.Fatalf("limit 0: purged %d", n)
	}
	if n := purge(t, s, now, 10); n != 2 {
		t.Fatalf("purged %d", n)
	}
	found := scan(t, s)
	if len(found) != 3 || found["now"] == "" || found["future"] == "" || found["never"] == "" {
		t.Fatalf("left %v", found)
	}
}

// Repeated calls delete all, each its limit, and look at each record that stays
// about twice rather than once a call.
func TestPurgeGoesOn(t *testing.T) {
	t.Parallel()
	const dead, alive, limit = 300, 100, 10
	s, dir := fresh(t)
	for i := range dead {
		create(t, s, expiring(fmt.Sprint("dead", i), past))
	}
	for i := range alive {
		create(t, s, expiring(fmt.Sprint("alive", i), future))
	}
	total, visited := 0, 0
	for calls := 1; ; calls++ {
		at := s.cursor.folder
		n := purge(t, s, now, limit)
		total += n
		if n > limit {
			t.Fatalf("purged %d", n)
		}
		if n < limit {
			break
		}
		visited += (s.cursor.folder - at + folders) % folders
		if calls > dead/limit {
			t.Fatal("it does not end")
		}
	}
	if total != dead || len(scan(t, s)) != alive {
		t.Fatalf("purged %d", total)
	}
	if visited > folders {
		t.Fatalf("went through %d folders, of %d", visited, folders)
	}
	if n := openFiles(t, dir); n != 1 && n != 2 {
		t.Fatalf("%d files are open after a whole round", n)
	}
}

// A call that answers less than its limit has seen every folder, wherever it
// began.
func TestPurgeMakesWholeRound(t *testing.T) {
	t.Parallel()
	s, _ := fresh(t)
	for i := range 100 {
		create(t, s, expiring(fmt.Sprint("a", i), past))
	}
	if n := purge(t, s, now, 50); n != 50 { // stops in the middle
		t.Fatalf("purged %d", n)
	}
	for i := range 100 {
		create(t, s, expiring(fmt.Sprint("b", i), past))
	}
	if n := purge(t, s, now, 1000); n != 150 {
		t.Fatalf("purged %d", n)
	}
}

// A folder that is removed and made again can come back after a power cut as it
// was before, with records that had been deleted.
func TestPurgeLeavesFolders(t *testing.T) {
	s, dir := fresh(t)
	folder := filepath.Join(dir, placeOf("k").folder())
	if err := s.Delete(ctx, record("k", ""), create(t, s, record("k", "x"))); err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(folder)
	if err != nil {
		t.Fatal(err)
	}
	purge(t, s, now, 10)
	create(t, s, record("k", "x"))
	after, err := os.Stat(folder)
	if err != nil || !os.SameFile(before, after) || after.Mode() != fs.ModeDir|0o700 {
		t.Fatal(after.Mode(), err)
	}
}

// Two purgers and writers.
func TestPurgeAmongWriters(t *testing.T) {
	a, dir := fresh(t)
	b := newStore(t, dir, DurabilityFull)
	b.sync = func(*os.File) error { return nil } // what is synced is not the point
	deadline := time.Now().Add(300 * time.Millisecond)
	var wg sync.WaitGroup
	for i, s := range []*Store{a, b, a, b} {
		key := fmt.Sprint("k", i)
		wg.Go(func() {
			for time.Now().Before(deadline) {
				v, err := s.Create(ctx, expiring(key, future))
				if err != nil {
					t.Error("create:", err)
					return
				}
				if err = s.Delete(ctx, record(key, ""), v); err != nil {
					t.Error("delete:", err)
					return
				}
			}
		})
	}
	for _, s := range []*Store{a, b} {
		wg.Go(func() {
			for time.Now().Before(deadline) {
				if n, err := s.Purge(ctx, now, 10); n != 0 || err != nil {
					t.Error("purge:", n, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// Either the purge takes the old record, or the writer keeps the new one.
func TestPurgeSparesWhatWasTouched(t *testing.T) {
	t.Parallel()
	a, dir := fresh(t)
	b := newStore(t, dir, DurabilityNone)
	kept, tries := 0, 1000
	if testing.Short() {
		tries = 100
	}
	for i := range tries {
		key := fmt.Sprint("k", i)
		v := create(t, a, expiring(key, past))
		touched := make(chan error)
		go func() {
			_, err := a.Replace(ctx, expiring(key, future), v)
			touched <- err
		}()
		n := purge(t, b, now, 10)
		err := <-touched
		switch {
		case err == nil && n == 0:
			kept++
			mustHold(t, a, key, "x")
			if err = a.Delete(ctx, record(key, ""), ""); err != nil {
				t.Fatal(err)
			}
		case errors.Is(err, driver.ErrNotFound) && n == 1:
		default:
			t.Fatalf("replace: %v, purged %d", err, n)
		}
	}
	t.Logf("the writer won %d of %d", kept, tries)
}

// A lock that a stopped process holds keeps the records of one folder, no others.
func TestPurgePassesLockedFolder(t *testing.T) {
	t.Parallel()
	s, _ := fresh(t)
	for i := range 100 {
		create(t, s, expiring(fmt.Sprint("k", i), past))
	}
	held := 0
	for i := range 100 {
		if placeOf(fmt.Sprint("k", i)).stripe == placeOf("k0").stripe {
			held++
		}
	}
	release := holdLock(t, s, "k0")
	n, err := s.Purge(ctx, now, 1000)
	if n != 100-held || err == nil || errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("purged %d, %v", n, err)
	}
	release()
	if n := purge(t, s, now, 1000); n != held {
		t.Fatalf("then purged %d", n)
	}
}

func TestPurgeEnds(t *testing.T) {
	s, _ := fresh(t)
	for i := range 50 {
		create(t, s, expiring(fmt.Sprint("k", i), past))
	}
	release := holdLock(t, s, "k0")
	defer release()
	short, cancel := context.WithTimeout(ctx, 30*time.Millisecond)
	defer cancel()
	n, err := s.Purge(short, now, 1000)
	mustBe(t, "purge", err, context.DeadlineExceeded)
	if n >= 50 {
		t.Fatalf("purged %d", n)
	}
	result := make(chan error)
	go func() {
		_, err := s.Purge(ctx, now, 1000)
		result <- err
	}()
	until(t, "the purge waits for the lock", func() bool { return len(s.stripes[placeOf("k0").stripe]) == 1 })
	second, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
	defer cancel()
	_, err = s.Purge(second, now, 1000)
	mustNotBeApplied(t, "a second purge", err, context.DeadlineExceeded)
	soon(t, "close", func() { s.Close() })
	mustBe(t, "purge while closing", <-result, driver.ErrClosed)
}
