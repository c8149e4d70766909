package sqlite_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/session/driver"
	"github.com/websession/websession/sql/sqlite"
)

func TestWhatIsNoDatabase(t *testing.T) {
	dir := folder(t)
	path := func(name string) string { return filepath.Join(dir, name) }
	require.NoError(t, os.WriteFile(path("text"), bytes.Repeat([]byte("no database\n"), 1000), 0o600))
	require.NoError(t, os.WriteFile(path("short"), []byte("x"), 0o600))
	require.NoError(t, os.Mkdir(path("folder"), 0o700))
	require.NoError(t, os.Symlink(path("elsewhere"), path("link")))
	require.NoError(t, syscall.Mkfifo(path("pipe"), 0o600))
	newStore(t, path("good"), nil)
	require.NoError(t, os.Symlink(path("good"), path("goodlink")))
	for name, want := range map[string]string{
		"text":          "it is no database of SQLite",
		"short":         "it is no database of SQLite",
		"folder":        "it is no regular file",
		"link":          "it is a symbolic link",
		"goodlink":      "it is a symbolic link",
		"pipe":          "it is no regular file",
		"missing/x":     "its folder does not exist",
		"text/x":        "not a directory",
		"/dev/null":     "it is no regular file",
		"/proc/version": "it cannot be opened: check the permissions",
	} {
		file := name
		if !filepath.IsAbs(name) {
			file = path(name)
		}
		within(t, 5*time.Second, func() {
			err := refused(t, file, nil)
			require.ErrorContains(t, err, "sqlite: open: ", name)
			require.ErrorContains(t, err, fmt.Sprintf("database %q: ", file), name)
			require.ErrorContains(t, err, want, name)
		})
	}
	_, err := os.Lstat(path("elsewhere"))
	require.ErrorIs(t, err, os.ErrNotExist)
	text, err := os.ReadFile(path("text"))
	require.NoError(t, err)
	require.Len(t, text, 12000)

	require.NoError(t, os.WriteFile(path("empty"), nil, 0o640))
	create(t, newStore(t, path("empty"), nil), record("k", "v"))
}

// A database that was cut, or whose pages were overwritten, is reported.
func TestDamagedDatabase(t *testing.T) {
	path := fresh(t)
	s, err := sqlite.New(path, nil)
	require.NoError(t, err)
	for i := range 100 {
		create(t, s, record(fmt.Sprint("k", i), "v"))
	}
	require.NoError(t, s.Close())
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	for i := 4096; i < len(whole); i++ {
		whole[i] ^= 0xff
	}
	require.NoError(t, os.WriteFile(path, whole, 0o600))
	s, err = sqlite.New(path, nil)
	if err == nil {
		defer s.Close()
		_, _, err = s.Load(ctx, "k1")
	}
	require.ErrorContains(t, err, "it is damaged: restore it from a backup, or move it away")
}

func TestModeIsRemarked(t *testing.T) {
	path := fresh(t)
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	require.NoError(t, os.Chmod(path, 0o644))
	var remarks []string
	newStore(t, path, &sqlite.Options{Warn: func(r string) { remarks = append(remarks, r) }})
	require.Len(t, remarks, 1)
	require.Contains(t, remarks[0], "is 0644: it should be 0600")
}

// What root makes in the folder of another user is for that user.
func TestOwnerIsThatOfTheFolder(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("left out: changes an owner, which only root may do")
	}
	dir := folder(t)
	require.NoError(t, os.Chown(dir, 12345, 54321))
	path := filepath.Join(dir, "sessions.db")
	create(t, newStore(t, path, nil), record("k", "v"))
	for _, suffix := range []string{"", "-wal", "-shm"} {
		info, err := os.Lstat(path + suffix)
		require.NoError(t, err)
		st := info.Sys().(*syscall.Stat_t)
		require.EqualValues(t, []uint32{12345, 54321}, []uint32{st.Uid, st.Gid}, suffix)
	}
}

// A lock of another program is waited for as long as busy_timeout says, and no
// longer; then nothing was applied.
func TestLockedByAnotherProgram(t *testing.T) {
	const wait = 300 * time.Millisecond
	path := fresh(t)
	s := newStore(t, path, &sqlite.Options{BusyTimeout: wait, Indexed: []string{"user"}})
	v := create(t, s, record("k", "v"))
	conn, err := openBare(t, path).Conn(ctx)
	require.NoError(t, err)
	defer conn.Close()
	mustExec(t, conn, "BEGIN IMMEDIATE")
	locked := fmt.Sprintf("database %q: it is locked by another program for longer than busy_timeout 300ms", path)
	for range 3 {
		repeatedWithin(t, wait+time.Second, func() {
			_, err := s.Replace(ctx, record("k", "w"), v)
			mustNotBeApplied(t, err, locked)
		})
		mustHold(t, s, "k", "v") // reading does not wait
	}
	repeatedWithin(t, wait+time.Second, func() {
		_, err := s.Purge(ctx, time.UnixMilli(5e12), 10)
		mustNotBeApplied(t, err, locked)
	})
	newStore(t, path, nil) // a table that is there needs no lock
	repeatedWithin(t, wait+2*time.Second, func() {
		require.ErrorContains(t, refused(t, path, &sqlite.Options{Table: "another", BusyTimeout: wait}), locked)
	})
	mustExec(t, conn, "COMMIT")
	v, err = s.Replace(ctx, record("k", "w"), v)
	require.NoError(t, err)

	// One that goes away in time costs time only.
	patient := newStore(t, path, &sqlite.Options{BusyTimeout: time.Minute, Indexed: []string{"user"}})
	mustExec(t, conn, "BEGIN IMMEDIATE")
	done := make(chan error)
	go func() {
		_, err := patient.Replace(ctx, record("k", "x"), v)
		done <- err
	}()
	select {
	case err := <-done:
		t.Fatal("it did not wait:", err)
	case <-time.After(wait / 3):
	}
	mustExec(t, conn, "COMMIT")
	require.NoError(t, <-done)
}

// A program that has the database for itself cannot be shared with.
func TestLockedExclusively(t *testing.T) {
	const wait = 200 * time.Millisecond
	path := fresh(t)
	db := openBare(t, path)
	conn, err := db.Conn(ctx)
	require.NoError(t, err)
	mustExec(t, conn, "PRAGMA locking_mode = EXCLUSIVE", "CREATE TABLE theirs (a)")
	repeatedWithin(t, 2*time.Second, func() {
		require.ErrorContains(t, refused(t, path, &sqlite.Options{BusyTimeout: wait}), "it is locked by another program for longer than busy_timeout 200ms")
	})
	repeatedWithin(t, 2*time.Second, func() {
		require.ErrorContains(t, refused(t, path, &sqlite.Options{BusyTimeout: -1}), "longer than busy_timeout 0s")
	})
}

// Who removes the file of a running application, its journal, or both, is told
// so, and nothing is written where nobody will look.
func TestDeletedWhileOpen(t *testing.T) {
	for name, remove := range map[string]func(t *testing.T, path string){
		"database": func(t *testing.T, path string) { require.NoError(t, os.Remove(path)) },
		"journal":  func(t *testing.T, path string) { require.NoError(t, os.Remove(path+"-wal")) },
		"all": func(t *testing.T, path string) {
			for _, suffix := range []string{"", "-wal", "-shm"} {
				require.NoError(t, os.Remove(path+suffix))
			}
		},
		"moved": func(t *testing.T, path string) { require.NoError(t, os.Rename(path, path+".old")) },
		"replaced": func(t *testing.T, path string) {
			require.NoError(t, os.Rename(path, path+".old"))
			require.NoError(t, os.Rename(path+"-wal", path+".old-wal"))
			require.NoError(t, os.Rename(path+"-shm", path+".old-shm"))
			newStore(t, path, nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := fresh(t)
			s := newStore(t, path, nil)
			v := create(t, s, record("k", "v"))
			remove(t, path)
			const want = "it was deleted or replaced while it was open: restart the application"
			_, err := s.Replace(ctx, record("k", "w"), v)
			mustNotBeApplied(t, err, want)
			_, err = s.Create(ctx, record("new", "w"))
			mustNotBeApplied(t, err, want)
			mustNotBeApplied(t, s.Delete(ctx, record("k", ""), ""), want)
			until(t, func() bool { // reading looks now and then
				_, _, err := s.Load(ctx, "k")
				return err != nil
			})
			_, _, err = s.Load(ctx, "k")
			require.ErrorContains(t, err, want)
			require.ErrorContains(t, err, path)
			_, err = s.Ping(ctx)
			require.ErrorContains(t, err, want)
			for _, err := range s.Scan(ctx) {
				require.ErrorContains(t, err, want)
			}
			if name == "replaced" {
				_, _, err := newStore(t, path, nil).Load(ctx, "k")
				require.ErrorIs(t, err, driver.ErrNotFound)
			}
		})
	}
}

// A file that comes back is the database again.
func TestMovedAndBack(t *testing.T) {
	path := fresh(t)
	s := newStore(t, path, nil)
	v := create(t, s, record("k", "v"))
	require.NoError(t, os.Rename(path, path+".old"))
	_, err := s.Replace(ctx, record("k", "w"), v)
	mustNotBeApplied(t, err, "deleted or replaced")
	require.NoError(t, os.Rename(path+".old", path))
	_, err = s.Replace(ctx, record("k", "w"), v)
	require.NoError(t, err)
	mustHold(t, s, "k", "w")
}

// mounted is a file system in memory of its own.
func mounted(t *testing.T, options string) string {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("left out: mounts a file system, which needs Linux")
	}
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, options); err != nil {
		t.Skipf("left out: mounts a file system, which this system refuses: %v", err)
	}
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(dir, 0)) })
	return dir
}

func TestReadOnly(t *testing.T) {
	dir := mounted(t, "size=4m")
	path := filepath.Join(dir, "sessions.db")
	s, err := sqlite.New(path, nil)
	require.NoError(t, err)
	create(t, s, record("k", "v"))
	require.NoError(t, s.Close())
	require.NoError(t, syscall.Mount("", dir, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""))
	for _, file := range []string{path, filepath.Join(dir, "new.db")} {
		err := refused(t, file, nil)
		require.ErrorContains(t, err, file)
		require.ErrorContains(t, err, "read-only")
	}
	require.NoError(t, syscall.Mount("", dir, "", syscall.MS_REMOUNT, ""))
	s, err = sqlite.New(path, nil)
	require.NoError(t, err)
	mustHold(t, s, "k", "v")
	require.NoError(t, s.Close())
}

// On a full disk writes fail, say why, and take nothing with them.
func TestFullDisk(t *testing.T) {
	dir := mounted(t, "size=2m")
	ballast := filepath.Join(dir, "ballast")
	require.NoError(t, os.WriteFile(ballast, make([]byte, 1<<20), 0o600))
	s, err := sqlite.New(filepath.Join(dir, "sessions.db"), &sqlite.Options{Indexed: []string{"user"}})
	require.NoError(t, err)
	defer s.Close()
	data := string(bytes.Repeat([]byte("x"), 20_000))
	var stored []string
	var full error
	for i := 0; full == nil; i++ {
		key := fmt.Sprint("k", i)
		if _, full = s.Create(ctx, record(key, data)); full == nil {
			stored = append(stored, key)
		}
		require.Less(t, i, 1000)
	}
	require.NotEmpty(t, stored)
	mustNotBeApplied(t, full, "its disk is full")
	holds := func() {
		t.Helper()
		for _, key := range stored {
			mustHold(t, s, key, data)
		}
		n := 0
		for _, err := range s.Scan(ctx) {
			require.NoError(t, err)
			n++
		}
		require.Equal(t, len(stored), n)
	}
	holds()
	for range 5 {
		_, err := s.Create(ctx, record("another", data))
		if err == nil {
			t.Fatal("the disk is not full")
		}
		require.False(t, errors.Is(err, driver.ErrUnknownOutcome), err)
	}
	holds()
	require.NoError(t, os.Remove(ballast))
	create(t, s, record("another", data))
	stored = append(stored, "another")
	holds()
}
