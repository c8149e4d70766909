package file

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/websession/websession/internal/lyingdisk"
	"github.com/websession/websession/session/driver"
)

// TestMain lets the test binary be its own second process: a child runs the
// function that $FILE_TEST_CHILD names instead of the tests.
func TestMain(m *testing.M) {
	lyingdisk.Main()
	if name := os.Getenv("FILE_TEST_CHILD"); name != "" {
		if err := children[name](os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

var children = map[string]func(args []string) error{}

func newStore(tb testing.TB, dir string, d Durability) *Store {
	tb.Helper()
	s, err := New(dir, &Options{Durability: d})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { s.Close() })
	return s
}

// fresh is a store in a folder of its own.
func fresh(tb testing.TB) (*Store, string) {
	tb.Helper()
	dir := filepath.Join(quickDir(tb), "sessions")
	return newStore(tb, dir, DurabilityNone), dir
}

func record(key, data string) driver.Record {
	return driver.Record{Key: key, Data: []byte(data), Expires: time.UnixMilli(4e12).UTC()}
}

func create(tb testing.TB, s *Store, rec driver.Record) driver.Version {
	tb.Helper()
	v, err := s.Create(context.Background(), rec)
	if err != nil {
		tb.Fatal("create:", err)
	}
	return v
}

// mustHold fails unless the record at key has these data.
func mustHold(tb testing.TB, s *Store, key, data string) driver.Version {
	tb.Helper()
	rec, v, err := s.Load(context.Background(), key)
	if err != nil {
		tb.Fatal("load:", err)
	}
	if rec.Key != key || !bytes.Equal(rec.Data, []byte(data)) {
		tb.Fatalf("load: got %q %.40q, want %q %.40q", rec.Key, rec.Data, key, data)
	}
	return v
}

func mustBe(tb testing.TB, what string, err, want error) {
	tb.Helper()
	if !errors.Is(err, want) {
		tb.Fatalf("%s: got %v, want %v", what, err, want)
	}
}

// mustNotBeApplied fails unless err says that a mutation had no effect.
func mustNotBeApplied(tb testing.TB, what string, err error, want error) {
	tb.Helper()
	mustBe(tb, what, err, want)
	if !driver.WasNotApplied(err) {
		tb.Fatalf("%s: %v does not say that it was not applied", what, err)
	}
}

// soon runs f and fails if it does not return: something waits for a pipe or a
// lock that nobody will serve.
func soon(tb testing.TB, what string, f func()) {
	tb.Helper()
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		tb.Fatal(what + " hangs")
	}
}

// until polls for a condition that another goroutine or process brings about.
func until(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			tb.Fatal("waited in vain: " + what)
		}
	}
}

// names lists what lies in a folder.
func names(tb testing.TB, dir string) []string {
	tb.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		tb.Fatal(err)
	}
	var list []string
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

// openFiles counts the descriptors of this process that lead below dir. Only
// Linux can tell.
func openFiles(tb testing.TB, dir string) int {
	tb.Helper()
	if runtime.GOOS != "linux" {
		tb.Skip("no /proc to count open files with: the rest of this test is left out")
	}
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		tb.Fatal(err)
	}
	n := 0
	for _, e := range entries {
		if target, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil && strings.HasPrefix(target, dir) {
			n++
		}
	}
	return n
}

func scan(tb testing.TB, s *Store) map[string]string {
	tb.Helper()
	found := map[string]string{}
	for rec, err := range s.Scan(context.Background()) {
		if err != nil {
			tb.Fatal("scan:", err)
		}
		found[rec.Key] = string(rec.Data)
	}
	return found
}

func purge(tb testing.TB, s *Store, before time.Time, limit int) int {
	tb.Helper()
	n, err := s.Purge(context.Background(), before, limit)
	if err != nil {
		tb.Fatal("purge:", err)
	}
	return n
}

// quickDir answers an empty folder: on the disk, or, in short tests, in memory,
// where there is such a place, because that is many times faster.
func quickDir(tb testing.TB) string {
	if testing.Short() {
		if dir, err := os.MkdirTemp("/dev/shm", "file-test-"); err == nil {
			tb.Cleanup(func() { os.RemoveAll(dir) })
			return dir
		}
	}
	return tb.TempDir()
}
