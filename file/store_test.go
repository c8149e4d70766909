package file

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/websession/websession/session/driver"
)

var ctx = context.Background()

func TestLife(t *testing.T) {
	for _, d := range []Durability{DurabilityNone, DurabilityFile, DurabilityFull} {
		t.Run(string(d), func(t *testing.T) {
			s := newStore(t, t.TempDir(), d)
			_, _, err := s.Load(ctx, "k")
			mustBe(t, "load", err, driver.ErrNotFound)
			_, err = s.Replace(ctx, record("k", "x"), "v")
			mustNotBeApplied(t, "replace of nothing", err, driver.ErrNotFound)
			mustNotBeApplied(t, "delete of nothing", s.Delete(ctx, record("k", ""), "v"), driver.ErrNotFound)
			if err = s.Delete(ctx, record("k", ""), ""); err != nil {
				t.Fatal("delete of nothing, without a version:", err)
			}

			v1 := create(t, s, record("k", "one"))
			if v := mustHold(t, s, "k", "one"); v != v1 {
				t.Fatalf("version %q, want %q", v, v1)
			}
			_, err = s.Create(ctx, record("k", "x"))
			mustNotBeApplied(t, "create again", err, driver.ErrExists)
			v2, err := s.Replace(ctx, record("k", "two"), v1)
			if err != nil || v2 == v1 {
				t.Fatalf("replace: %q, %v", v2, err)
			}
			_, err = s.Replace(ctx, record("k", "x"), v1)
			mustNotBeApplied(t, "replace of an old version", err, driver.ErrConflict)
			mustNotBeApplied(t, "delete of an old version", s.Delete(ctx, record("k", ""), v1), driver.ErrConflict)
			mustHold(t, s, "k", "two")

			if err = s.Delete(ctx, record("k", ""), v2); err != nil {
				t.Fatal(err)
			}
			mustNotBeApplied(t, "delete again", s.Delete(ctx, record("k", ""), v2), driver.ErrNotFound)
			_, err = s.Replace(ctx, record("k", "x"), v2)
			mustNotBeApplied(t, "replace after delete", err, driver.ErrNotFound)
			if v := create(t, s, record("k", "three")); v == v1 || v == v2 {
				t.Fatal("a version came back")
			}
			if err = s.Delete(ctx, record("k", ""), ""); err != nil {
				t.Fatal(err)
			}
			if n := len(names(t, filepath.Join(s.directory, tempFolder))); n > 0 {
				t.Fatalf("%d temporary files are left", n)
			}
		})
	}
}

func TestContextEnded(t *testing.T) {
	s, _ := fresh(t)
	v := create(t, s, record("k", "old"))
	for name, end := range map[string]func() (context.Context, context.CancelFunc){
		"canceled": func() (context.Context, context.CancelFunc) { return context.WithCancel(ctx) },
		"deadline": func() (context.Context, context.CancelFunc) { return context.WithTimeout(ctx, -1) },
	} {
		ended, cancel := end()
		cancel()
		want := ended.Err()
		eachMethod(s, ended, v, func(method string, mutation bool, err error) {
			mustBe(t, name+" "+method, err, want)
			if mutation {
				mustNotBeApplied(t, name+" "+method, err, want)
			}
		})
	}
	mustHold(t, s, "k", "old")
	if _, err := s.Replace(ctx, record("k", "new"), v); err != nil {
		t.Fatal(err)
	}
}

func eachMethod(s *Store, ctx context.Context, v driver.Version, f func(method string, mutation bool, err error)) {
	_, err := s.Create(ctx, record("new", "x"))
	f("create", true, err)
	_, err = s.Replace(ctx, record("k", "x"), v)
	f("replace", true, err)
	f("delete", true, s.Delete(ctx, record("k", ""), v))
	f("unconditional delete", true, s.Delete(ctx, record("k", ""), ""))
	_, err = s.Purge(ctx, time.UnixMilli(5e12), 10)
	f("purge", true, err)
	_, _, err = s.Load(ctx, "k")
	f("load", false, err)
	_, err = s.Ping(ctx)
	f("ping", false, err)
	for method, all := range map[string]iter.Seq2[driver.Record, error]{"scan": s.Scan(ctx), "search": s.Search(ctx, "f", "d")} {
		n := 0
		for rec, err := range all {
			n++
			if rec.Key != "" {
				err = errors.New("a record and an error")
			}
			f(method, false, err)
		}
		if n != 1 {
			f(method, false, fmt.Errorf("yields %d times", n))
		}
	}
}

func TestClosed(t *testing.T) {
	s, dir := fresh(t)
	v := create(t, s, record("k", "old"))
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	eachMethod(s, ctx, v, func(method string, _ bool, err error) { mustBe(t, method, err, driver.ErrClosed) })
	mustHold(t, newStore(t, dir, DurabilityNone), "k", "old")
}

// Calls that run while the store is closed end well or with ErrClosed, and
// nothing uses a descriptor that has become somebody else's.
func TestCloseWhileRunning(t *testing.T) {
	dir := t.TempDir()
	for range 20 {
		s := newStore(t, dir, DurabilityNone)
		var running sync.WaitGroup
		for i := range 8 {
			running.Go(func() {
				key := fmt.Sprint("k", i)
				for n := 0; ; n++ {
					err := s.Delete(ctx, record(key, ""), "")
					if err == nil {
						_, err = s.Create(ctx, record(key, "x"))
					}
					if err == nil {
						_, _, err = s.Load(ctx, key)
					}
					if err == nil && i == 0 {
						_, err = s.Purge(ctx, time.UnixMilli(1), 10)
					}
					if err != nil {
						if !errors.Is(err, driver.ErrClosed) {
							t.Error(err)
						}
						return
					}
				}
			})
		}
		if _, _, err := s.Load(ctx, "nothing"); err != driver.ErrNotFound {
			t.Error(err)
		}
		soon(t, "close", func() { s.Close() })
		running.Wait()
	}
	if n := openFiles(t, dir); n > 0 {
		t.Fatalf("%d files are open", n)
	}
}

func TestDataBelongToTheCaller(t *testing.T) {
	s, _ := fresh(t)
	rec := record("k", "data")
	rec.Index = map[string]string{"f": "d"}
	create(t, s, rec)
	rec.Data[0], rec.Index["f"] = 'X', "X"
	got, _, err := s.Load(ctx, "k")
	if err != nil || string(got.Data) != "data" || got.Index["f"] != "d" {
		t.Fatalf("got %+v, %v", got, err)
	}
	got.Data = append(got.Data, "and more"...) // must not write into what is shared
	mustHold(t, s, "k", "data")
}

func TestNothingStaysOpen(t *testing.T) {
	dir := t.TempDir()
	s := newStore(t, dir, DurabilityFull)
	open := openFiles(t, dir)
	for i := range 20 {
		key := fmt.Sprint("k", i)
		v := create(t, s, record(key, "x"))
		s.Create(ctx, record(key, "x"))
		s.Replace(ctx, record(key, "y"), "other")
		s.Replace(ctx, record(key, "y"), v)
		s.Load(ctx, key)
		s.Load(ctx, "nothing")
		s.Delete(ctx, record(key, ""), "other")
		if i%2 == 0 {
			s.Delete(ctx, record(key, ""), "")
		}
	}
	for range s.Scan(ctx) {
		break
	}
	scan(t, s)
	for range s.Search(ctx, "f", "d") {
	}
	s.Ping(ctx)
	if n := purge(t, s, time.UnixMilli(5e12), 5); n != 5 {
		t.Fatalf("purged %d", n)
	}
	purge(t, s, time.UnixMilli(5e12), 100)
	if n := openFiles(t, dir); n != open {
		t.Fatalf("%d files are open, %d after opening", n, open)
	}
	s.Close()
	if n := openFiles(t, dir); n != 0 {
		t.Fatalf("%d files are open after Close", n)
	}
}
