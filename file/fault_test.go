//go:build linux

package file

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"github.com/websession/websession/session/driver"
)

// syncs makes a store tell what it syncs, and fail where fail says so.
func syncs(s *Store, fail func(what string) error) *[]string {
	var list []string
	s.sync = func(f *os.File) error {
		path, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", f.Fd()))
		if err != nil {
			return err
		}
		what := "folder"
		switch {
		case path == s.directory:
			what = "root"
		case strings.Contains(path, "/"+tempFolder+"/"):
			what = "file"
		}
		list = append(list, what)
		if fail != nil {
			return fail(what)
		}
		return nil
	}
	return &list
}

// What is synced before a call is answered: see Durability. A deletion is synced
// always, even of what is not there.
func TestSyncs(t *testing.T) {
	for d, want := range map[Durability][]string{
		DurabilityNone: {"", "", "folder", "folder", "root"},
		DurabilityFile: {"file root", "file", "folder", "folder", "root"},
		DurabilityFull: {"file root folder", "file folder", "folder", "folder", "root"},
	} {
		s := newStore(t, t.TempDir(), d)
		list := syncs(s, nil)
		var v driver.Version
		var err error
		for i, step := range []func() error{
			func() error { v, err = s.Create(ctx, record("k", "x")); return err },
			func() error { _, err = s.Replace(ctx, record("k", "y"), v); return err },
			func() error { return s.Delete(ctx, record("k", ""), "") },
			func() error { return s.Delete(ctx, record("k", ""), "") },
			func() error {
				if err := os.Remove(filepath.Join(s.directory, placeOf("k").folder())); err != nil {
					return err
				}
				return s.Delete(ctx, record("k", ""), "")
			},
		} {
			*list = nil
			if err := step(); err != nil {
				t.Fatalf("%s: step %d: %v", d, i, err)
			}
			if got := strings.Join(*list, " "); got != want[i] {
				t.Errorf("%s: step %d syncs %q, want %q", d, i, got, want[i])
			}
		}
	}
}

// A file is whole when it is synced, and not yet in its place; a folder is synced
// after the rename or the removal that it is synced for.
func TestSyncsInOrder(t *testing.T) {
	s := newStore(t, t.TempDir(), DurabilityFull)
	var steps []string
	state := func() string {
		rec, _, err := s.Load(ctx, "k")
		if err == driver.ErrNotFound {
			return "nothing"
		} else if err != nil {
			t.Fatal(err)
		}
		return string(rec.Data)
	}
	syncs(s, func(what string) error {
		written := ""
		if what == "file" {
			left := names(t, filepath.Join(s.directory, tempFolder))
			b, err := os.ReadFile(filepath.Join(s.directory, tempFolder, left[0]))
			if err != nil || len(left) != 1 {
				t.Fatal(left, err)
			}
			_, rec, err := parse(b)
			if err != nil {
				t.Fatal(err)
			}
			written = " " + string(rec.Data)
		}
		steps = append(steps, what+written+" at "+state())
		return nil
	})
	v := create(t, s, record("k", "old"))
	if _, err := s.Replace(ctx, record("k", "new"), v); err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(ctx, record("k", ""), ""); err != nil {
		t.Fatal(err)
	}
	want := "file old at nothing, root at nothing, folder at old, file new at old, folder at new, folder at nothing"
	if got := strings.Join(steps, ", "); got != want {
		t.Fatalf("got  %s\nwant %s", got, want)
	}
}

// A store that found the folder of a record there does not trust that it was
// synced.
func TestFullSyncsFolderOfCrashedMaker(t *testing.T) {
	s := newStore(t, t.TempDir(), DurabilityFull)
	if err := os.Mkdir(filepath.Join(s.directory, placeOf("k").folder()), 0o700); err != nil {
		t.Fatal(err)
	}
	list := syncs(s, nil)
	create(t, s, record("k", "x"))
	if got := strings.Join(*list, " "); got != "file root folder" {
		t.Fatalf("syncs %q", got)
	}
}

func TestFailedSync(t *testing.T) {
	s := newStore(t, t.TempDir(), DurabilityFull)
	v := create(t, s, record("k", "old"))
	bad := ""
	list := syncs(s, func(what string) error {
		if what == bad {
			return &os.PathError{Op: "sync", Path: "secret", Err: syscall.EIO}
		}
		return nil
	})
	nothingLeft := func() {
		t.Helper()
		if got := names(t, filepath.Join(s.directory, tempFolder)); len(got) > 0 {
			t.Fatalf("left %v", got)
		}
	}

	// The kernel may have dropped the pages and say so only once: the file is
	// given up, and the next attempt writes another.
	bad = "file"
	_, err := s.Replace(ctx, record("k", "new"), v)
	mustNotBeApplied(t, "replace", err, syscall.EIO)
	if got := strings.Join(*list, " "); got != "file" {
		t.Fatalf("synced %q", got)
	}
	_, err = s.Create(ctx, record("other", "new"))
	mustNotBeApplied(t, "create", err, syscall.EIO)
	mustHold(t, s, "k", "old")
	nothingLeft()

	bad = "root"
	_, err = s.Create(ctx, record("other", "new"))
	mustNotBeApplied(t, "create in a new folder", err, syscall.EIO)
	if _, err = os.Stat(filepath.Join(s.directory, placeOf("other").folder())); !os.IsNotExist(err) {
		t.Fatal("the folder that was not synced is left:", err)
	}
	nothingLeft()

	bad = "folder"
	_, err = s.Replace(ctx, record("k", "new"), v)
	mustBe(t, "replace", err, driver.ErrUnknownOutcome)
	mustBe(t, "replace", err, syscall.EIO)
	if driver.WasNotApplied(err) {
		t.Fatal("after the rename nothing is certain")
	}
	if strings.Contains(err.Error(), "secret") {
		t.Fatal("a path is in", err)
	}
	mustHold(t, s, "k", "new")
	err = s.Delete(ctx, record("k", ""), "")
	mustBe(t, "delete", err, driver.ErrUnknownOutcome)
	err = s.Delete(ctx, record("k", ""), "") // absent, but for how long
	mustBe(t, "delete again", err, driver.ErrUnknownOutcome)
	bad = ""
	if err = s.Delete(ctx, record("k", ""), ""); err != nil {
		t.Fatal(err)
	}
	nothingLeft()
}

// What cannot be renamed was not applied, and is no longer there.
func TestFailedRename(t *testing.T) {
	s, dir := fresh(t)
	p := placeOf("k")
	temp, err := s.newTemp()
	if err != nil {
		t.Fatal(err)
	}
	defer temp.close()
	if err = os.MkdirAll(filepath.Join(dir, p.path), 0o700); err != nil {
		t.Fatal(err)
	}
	_, err = s.place(ctx, "create", p, temp, func(place) error { return nil }) // a folder came since
	mustNotBeApplied(t, "create", err, syscall.EEXIST)
	if got := names(t, filepath.Join(dir, tempFolder)); len(got) > 0 {
		t.Fatalf("left %v", got)
	}
}

// A file that the system refuses to remove or to rename over.
func TestImmutableRecord(t *testing.T) {
	s := newStore(t, t.TempDir(), DurabilityNone)
	v := create(t, s, expiring("k", past))
	create(t, s, expiring("other", past))
	f, err := os.Open(filepath.Join(s.directory, placeOf("k").path))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const setFlags, immutable = 0x40086602, 0x10 // FS_IOC_SETFLAGS, FS_IMMUTABLE_FL
	set := func(flags uint64) syscall.Errno {
		_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, f.Fd(), setFlags, uintptr(unsafe.Pointer(&flags)))
		return errno
	}
	if errno := set(immutable); errno != 0 {
		t.Log("no immutable files here, nothing to test: ", errno)
		return
	}
	defer set(0)
	_, err = s.Replace(ctx, record("k", "new"), v)
	mustNotBeApplied(t, "replace", err, syscall.EPERM)
	mustNotBeApplied(t, "delete", s.Delete(ctx, record("k", ""), v), syscall.EPERM)
	mustNotBeApplied(t, "delete", s.Delete(ctx, record("k", ""), ""), syscall.EPERM)
	n, err := s.Purge(ctx, now, 10)
	if n != 1 || !errors.Is(err, syscall.EPERM) {
		t.Fatalf("purged %d, %v", n, err)
	}
	mustHold(t, s, "k", "x")
	if got := names(t, filepath.Join(s.directory, tempFolder)); len(got) > 0 {
		t.Fatalf("left %v", got)
	}
	set(0)
	if n := purge(t, s, now, 10); n != 1 {
		t.Fatalf("then purged %d", n)
	}
}
