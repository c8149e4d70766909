package file

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/websession/websession/session/driver"
)

func indexed(key, data string, index map[string]string) driver.Record {
	rec := record(key, data)
	rec.Index = index
	return rec
}

// search answers key and data of what is found, and fails if a record is met
// twice.
func search(tb testing.TB, s *Store, field, digest string) map[string]string {
	tb.Helper()
	found := map[string]string{}
	for rec, err := range s.Search(ctx, field, digest) {
		if err != nil {
			tb.Fatal("search:", err)
		}
		if _, twice := found[rec.Key]; twice || rec.Index[field] != digest {
			tb.Fatalf("search: got %+v", rec)
		}
		found[rec.Key] = string(rec.Data)
	}
	return found
}

func TestSearchFindsExactly(t *testing.T) {
	s, _ := fresh(t)
	long := map[string]string{"a": strings.Repeat("a", searchSize), "user": "anna"} // more than is read at first
	want := map[string]string{"long": strings.Repeat("x", 10_000)}
	create(t, s, indexed("long", want["long"], long))
	for i := range 200 {
		user := []string{"anna", "bert"}[i%2]
		rec := indexed(fmt.Sprint("k", i), fmt.Sprint("data", i), map[string]string{"user": user, "role": "anna"})
		create(t, s, rec)
		if user == "anna" {
			want[rec.Key] = string(rec.Data)
		}
	}
	create(t, s, record("none", "x"))
	long["user"] = "bert"
	create(t, s, indexed("long2", "x", long))
	create(t, s, indexed("other", "anna", map[string]string{"mail": "anna"}))
	if got := search(t, s, "user", "anna"); !maps.Equal(got, want) {
		t.Fatalf("found %d, want %d", len(got), len(want))
	}
	for _, c := range [][2]string{{"user", ""}, {"user", "ann"}, {"user", "annaa"}, {"", "anna"}, {"User", "anna"}, {"user", "role"}} {
		if got := search(t, s, c[0], c[1]); len(got) > 0 {
			t.Errorf("%q: found %d", c, len(got))
		}
	}

	// Another value, none, and the end: each is seen at once, by other stores too.
	_, v, err := s.Load(ctx, "k0")
	if err == nil {
		_, err = s.Replace(ctx, indexed("k0", "x", map[string]string{"user": "bert"}), v)
	}
	if err != nil {
		t.Fatal(err)
	}
	_, v, err = s.Load(ctx, "k2")
	if err == nil {
		_, err = s.Replace(ctx, record("k2", "x"), v)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err = s.Delete(ctx, record("k4", ""), ""); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"k0", "k2", "k4"} {
		delete(want, key)
	}
	if got := search(t, newStore(t, s.directory, ""), "user", "anna"); !maps.Equal(got, want) {
		t.Fatalf("found %d, want %d", len(got), len(want))
	}
}

// A damaged record is left out, whatever its front part seems to say.
func TestSearchLeavesOutDamage(t *testing.T) {
	for damage, change := range map[string]func(b []byte) []byte{
		"digest":   func(b []byte) []byte { return bytes.Replace(b, []byte("bert"), []byte("anna"), 1) },
		"data":     func(b []byte) []byte { return bytes.Replace(b, []byte("data"), []byte("Data"), 1) },
		"cut":      func(b []byte) []byte { return b[:len(b)-1] },
		"cut head": func(b []byte) []byte { return b[:20] },
		"empty":    func([]byte) []byte { return nil },
		"huge":     func(b []byte) []byte { return append(b, make([]byte, maxFile)...) },
	} {
		dir := filepath.Join(quickDir(t), "s")
		var remarks []string
		s, err := New(dir, &Options{Durability: DurabilityNone, Warn: func(w string) { remarks = append(remarks, w) }})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		user := "anna"
		if damage == "digest" {
			user = "bert"
		}
		create(t, s, indexed("k", "data", map[string]string{"user": user}))
		create(t, s, indexed("other", "y", map[string]string{"user": "anna"}))
		path := filepath.Join(dir, placeOf("k").path)
		b, err := os.ReadFile(path)
		if err == nil {
			err = os.WriteFile(path, change(b), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		if got := search(t, s, "user", "anna"); !maps.Equal(got, map[string]string{"other": "y"}) {
			t.Errorf("%s: found %q", damage, got)
		}
		if len(remarks) != 1 {
			t.Errorf("%s: remarks %q", damage, remarks)
		}
	}
}

// Whatever ends a search, nothing of it goes on.
func TestSearchEnds(t *testing.T) {
	s, dir := fresh(t)
	for i := range 50 {
		create(t, s, indexed(fmt.Sprint("k", i), "x", map[string]string{"user": "anna"}))
	}
	open, goroutines := openFiles(t, dir), runtime.NumGoroutine()
	nothing := func(what string) {
		t.Helper()
		until(t, what+": goroutines end", func() bool { return runtime.NumGoroutine() <= goroutines })
		if n := openFiles(t, dir); n != open {
			t.Fatalf("%s: %d files are open, %d before", what, n, open)
		}
	}
	for range s.Search(ctx, "user", "anna") {
		break
	}
	nothing("break")
	func() {
		defer func() { recover() }()
		for range s.Search(ctx, "user", "anna") {
			panic("of the loop")
		}
	}()
	nothing("panic")

	ending, cancel := context.WithCancel(ctx)
	defer cancel()
	var last error
	for _, err := range s.Search(ending, "user", "anna") {
		if last != nil {
			t.Fatal("it goes on after", last)
		}
		last = err
		cancel()
	}
	mustBe(t, "search", last, context.Canceled)
	nothing("cancel")

	last = nil
	for _, err := range s.Search(ctx, "user", "anna") { // the loop may use and close the store
		if last = err; last == nil {
			soon(t, "close", func() { s.Close() })
		}
	}
	mustBe(t, "search", last, driver.ErrClosed)
	open = 0
	nothing("close")
}

// Records that stay are found while others come and go and they are written
// again themselves.
func TestSearchAmongWriters(t *testing.T) {
	t.Parallel()
	s, dir := fresh(t)
	other := newStore(t, dir, DurabilityNone)
	anna := map[string]string{"user": "anna"}
	var want []string
	for i := range 20 {
		want = append(want, fmt.Sprintf("stays%02d", i))
		create(t, s, indexed(want[i], "x", anna))
	}
	done := make(chan struct{})
	var writers sync.WaitGroup
	for w := range 2 {
		writers.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-done:
					return
				default:
				}
				key := want[(2*n+w)%len(want)] // each writer has its own
				_, v, err := other.Load(ctx, key)
				if err == nil {
					_, err = other.Replace(ctx, indexed(key, fmt.Sprint(n), anna), v)
				}
				if err == nil {
					_, err = other.Create(ctx, indexed(fmt.Sprint("goes", w), "x", anna))
				}
				if err == nil {
					err = other.Delete(ctx, record(fmt.Sprint("goes", w), ""), "")
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for range 20 {
		found := search(t, s, "user", "anna")
		delete(found, "goes0")
		delete(found, "goes1")
		if got := slices.Sorted(maps.Keys(found)); !slices.Equal(got, want) {
			t.Errorf("found %v", got)
			break
		}
	}
	close(done)
	writers.Wait()
}
