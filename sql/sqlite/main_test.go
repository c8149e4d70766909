package sqlite_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/internal/lyingdisk"
	"github.com/websession/websession/session/driver"
	websql "github.com/websession/websession/sql"
	"github.com/websession/websession/sql/sqlite"
)

// TestMain lets the test binary be its own second process: a child runs the
// function that $SQLITE_TEST_CHILD names instead of the tests.
func TestMain(m *testing.M) {
	lyingdisk.Main()
	if name := os.Getenv("SQLITE_TEST_CHILD"); name != "" {
		if err := children[name](os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// child is this test binary, started again to run one of children.
func child(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), "SQLITE_TEST_CHILD="+name,
		"GORACE=atexit_sleep_ms=0") // the race detector waits a second otherwise
	return cmd
}

var ctx = context.Background()

// folder is a folder of one test. With -short it lies in memory, where syncing
// costs nothing.
func folder(tb testing.TB) string {
	tb.Helper()
	if testing.Short() {
		return memoryFolder(tb)
	}
	return tb.TempDir()
}

// memoryFolder is a folder in memory, where there is such a place.
func memoryFolder(tb testing.TB) string {
	tb.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "sqlite-test-")
	if err != nil {
		return tb.TempDir()
	}
	tb.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// fresh is the path of a database that is not there yet.
func fresh(tb testing.TB) string { return filepath.Join(folder(tb), "sessions.db") }

func newStore(tb testing.TB, path string, o *sqlite.Options) *websql.Store {
	tb.Helper()
	if o == nil {
		o = &sqlite.Options{Indexed: []string{"user"}}
	}
	s, err := sqlite.New(path, o)
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, s.Close()) })
	return s
}

// refused opens a store that must not open, and answers why.
func refused(tb testing.TB, path string, o *sqlite.Options) error {
	tb.Helper()
	s, err := sqlite.New(path, o)
	if err == nil {
		s.Close()
		tb.Fatalf("%s was opened", path)
	}
	return err
}

// openBare opens a database as another program does.
func openBare(tb testing.TB, path string) *sql.DB {
	tb.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(5000)")
	require.NoError(tb, err)
	tb.Cleanup(func() { db.Close() })
	return db
}

func mustExec(tb testing.TB, db interface {
	ExecContext(context.Context, string, ...any) (sql.Result, error)
}, statements ...string) {
	tb.Helper()
	for _, s := range statements {
		_, err := db.ExecContext(ctx, s)
		require.NoError(tb, err, s)
	}
}

func query[T any](tb testing.TB, db *sql.DB, text string) (v T) {
	tb.Helper()
	require.NoError(tb, db.QueryRow(text).Scan(&v), text)
	return v
}

func record(key, data string) driver.Record {
	return driver.Record{Key: key, Data: []byte(data), Expires: time.UnixMilli(4e12).UTC(), Index: map[string]string{"user": "u-" + key}}
}

func create(tb testing.TB, s *websql.Store, rec driver.Record) driver.Version {
	tb.Helper()
	v, err := s.Create(ctx, rec)
	require.NoError(tb, err)
	return v
}

// mustHold fails unless the record at key has these data.
func mustHold(tb testing.TB, s *websql.Store, key, data string) driver.Version {
	tb.Helper()
	rec, v, err := s.Load(ctx, key)
	require.NoError(tb, err)
	require.Equal(tb, data, string(rec.Data))
	return v
}

// mustNotBeApplied fails unless err says that a mutation had no effect, and why.
func mustNotBeApplied(tb testing.TB, err error, why string) {
	tb.Helper()
	require.ErrorContains(tb, err, why)
	require.True(tb, driver.WasNotApplied(err), "%v does not say that it was not applied", err)
}

// until polls for a condition that another goroutine or process brings about.
func until(tb testing.TB, ok func() bool) {
	tb.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		require.True(tb, time.Now().Before(end), "waited in vain")
	}
}

// within fails if f takes longer: something hangs.
func within(tb testing.TB, d time.Duration, f func()) {
	tb.Helper()
	begin := time.Now()
	f()
	require.Less(tb, time.Since(begin), d)
}

// repeatedWithin fails if f takes longer whenever it is called: it waits for what
// it should not. A machine that has more to do makes it late now and then.
func repeatedWithin(tb testing.TB, d time.Duration, f func()) {
	tb.Helper()
	var took time.Duration
	for range 5 {
		begin := time.Now()
		f()
		if took = time.Since(begin); took < d {
			return
		}
	}
	require.Less(tb, took, d)
}

// openFiles lists the descriptors of this process that lead below dir.
func openFiles(tb testing.TB, dir string) (list []string) {
	tb.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	require.NoError(tb, err)
	for _, e := range entries {
		if target, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil && strings.HasPrefix(target, dir) {
			list = append(list, target)
		}
	}
	return list
}
