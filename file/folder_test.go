//go:build linux

package file

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/websession/websession/session/driver"
)

// Tests that set the umask or count syncs do not run in parallel: nothing here
// does.

func TestLayout(t *testing.T) {
	s, dir := fresh(t)
	// printf session-key | sha256sum
	const sum = "1add55581aaea687f8c5e7919f217cb6640cba7d2c14e7e4d6d4df21460642cf"
	create(t, s, record("session-key", "x"))
	for folder, want := range map[string][]string{
		".":        {".locks", ".tmp", sum[:2]},
		sum[:2]:    {sum[2:]},
		lockFolder: {sum[:2]},
		tempFolder: nil,
	} {
		if got := names(t, filepath.Join(dir, folder)); !slices.Equal(got, want) {
			t.Errorf("%s holds %v, want %v", folder, got, want)
		}
	}
}

// Whatever the umask takes away or leaves, only the owner gets in.
func TestModes(t *testing.T) {
	for _, umask := range []int{0, 0o777} {
		func() {
			old := syscall.Umask(umask)
			defer syscall.Umask(old)
			dir := filepath.Join(t.TempDir(), "s")
			if umask == 0o777 { // TempDir could not make its own
				os.Chmod(filepath.Dir(dir), 0o700)
			}
			s := newStore(t, dir, DurabilityFile)
			v := create(t, s, record("k", "x"))
			if _, err := s.Replace(ctx, record("k", "y"), v); err != nil {
				t.Fatal(err)
			}
			temp, err := s.newTemp()
			if err != nil {
				t.Fatal(err)
			}
			defer temp.close()
			n := 0
			err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
				if err != nil {
					return err
				}
				info, err := e.Info()
				if err != nil {
					return err
				}
				n++
				if want := fs.FileMode(0o600); e.Type().IsRegular() && info.Mode() != want {
					t.Errorf("umask %04o: file %s has mode %v", umask, path, info.Mode())
				}
				if want := fs.ModeDir | 0o700; e.IsDir() && info.Mode() != want {
					t.Errorf("umask %04o: folder %s has mode %v", umask, path, info.Mode())
				}
				return nil
			})
			if err != nil || n != 7 { // the folder, .locks, a lock, .tmp, a temporary file, a folder, a record
				t.Errorf("umask %04o: met %d, %v", umask, n, err)
			}
		}()
	}
}

func TestOpenRefuses(t *testing.T) {
	base := t.TempDir()
	in := func(name string) string { return filepath.Join(base, name) }
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.WriteFile(in("file"), nil, 0o600))
	must(os.Symlink(in("nothing"), in("dangling")))
	must(os.Symlink(in("loop"), in("loop")))
	must(syscall.Mkfifo(in("pipe"), 0o600))
	for _, name := range []string{tempFolder, lockFolder} {
		must(os.MkdirAll(in("linked"+name), 0o700))
		must(os.Symlink(t.TempDir(), in("linked"+name+"/"+name)))
		must(os.MkdirAll(in("filed"+name), 0o700))
		must(os.WriteFile(in("filed"+name+"/"+name), nil, 0o600))
	}
	for name, want := range map[string]string{
		"no/where":            "parent folder: no such file",
		"file":                "no folder",
		"file/below":          "not a directory",
		"dangling":            "a symbolic link to nothing",
		"loop":                "too many levels",
		"pipe":                "no folder",
		"linked" + tempFolder: ".tmp: it is no folder, or a symbolic link",
		"linked" + lockFolder: ".locks: it is no folder, or a symbolic link",
		"filed" + tempFolder:  ".tmp: it is no folder, or a symbolic link",
		"filed" + lockFolder:  ".locks: it is no folder, or a symbolic link",
	} {
		soon(t, "open of "+name, func() {
			s, err := New(in(name), nil)
			if err == nil {
				s.Close()
			}
			if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), in(name)) {
				t.Errorf("%s: got %v, want %q", name, err, want)
			}
		})
	}
	if _, err := New("", nil); err == nil {
		t.Error("no folder: opened")
	}
	if _, err := New(in("x"), &Options{Durability: "some"}); err == nil {
		t.Error("unknown durability: opened")
	}
	if got := names(t, in("linked"+lockFolder)); !slices.Equal(got, []string{lockFolder}) {
		t.Errorf("a failed open left %v", got)
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	_, err := connector{in("new"), DurabilityNone}.Open(ended, driver.OpenOptions{})
	mustBe(t, "open with a context that has ended", err, context.Canceled)
	if _, err = os.Lstat(in("new")); !os.IsNotExist(err) {
		t.Error("a failed open left its folder")
	}
	if n := openFiles(t, base); n > 0 {
		t.Errorf("%d files are open", n)
	}
}

func TestOpenThroughLink(t *testing.T) {
	base := t.TempDir()
	if err := os.Mkdir(base+"/real", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("real", base+"/link"); err != nil {
		t.Fatal(err)
	}
	create(t, newStore(t, base+"/link", ""), record("k", "x"))
	mustHold(t, newStore(t, base+"/real", ""), "k", "x")
	t.Chdir(base)
	mustHold(t, newStore(t, "real", ""), "k", "x")
}

func TestWarnsOfOpenFolder(t *testing.T) {
	dir := t.TempDir()
	for i, mode := range []fs.FileMode{0o700, 0o500, 0o750, 0o701, 0o777, 0o700} {
		want := []int{0, 0, 1, 1, 1, 0}[i]
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		var got []string
		s, err := New(dir, &Options{Warn: func(w string) { got = append(got, w) }})
		if err != nil {
			t.Fatal(err)
		}
		info, err := s.Ping(ctx)
		s.Close()
		if err != nil || len(got) != want || !slices.Equal(got, info.Warnings) {
			t.Errorf("mode %04o: warned %q, ping %q, %v", mode, got, info.Warnings, err)
		}
	}
}

// Root that looks after the sessions of an application leaves nothing that the
// application cannot use.
func TestRootMakesFilesForOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Log("not root: nothing to test")
		return
	}
	dir := t.TempDir()
	if err := os.Chown(dir, 12345, 23456); err != nil {
		t.Fatal(err)
	}
	s := newStore(t, dir, DurabilityNone)
	create(t, s, record("k", "x"))
	n := 0
	filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			t.Fatal(err)
		}
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		if st := info.Sys().(*syscall.Stat_t); st.Uid != 12345 || st.Gid != 23456 {
			t.Errorf("%s belongs to %d:%d", path, st.Uid, st.Gid)
		}
		n++
		return nil
	})
	if n != 6 {
		t.Errorf("met %d", n)
	}
}

func TestPingFindsMovedFolder(t *testing.T) {
	s, dir := fresh(t)
	if _, err := s.Ping(ctx); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(dir, dir+"2"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Ping(ctx); err == nil || !strings.Contains(err.Error(), dir) {
		t.Fatalf("renamed: %v", err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Ping(ctx); err == nil {
		t.Fatal("replaced: no error")
	}
	if err := os.RemoveAll(dir + "2"); err != nil {
		t.Fatal(err)
	}
	// What is left of the store fails, and makes nothing anywhere.
	_, err := s.Create(ctx, record("k", "x"))
	mustNotBeApplied(t, "create in a removed folder", err, fs.ErrNotExist)
	_, _, err = s.Load(ctx, "k")
	mustBe(t, "load", err, driver.ErrNotFound)
	purge(t, s, time.Now(), 10)
	scan(t, s)
}

func TestManyOpensAtOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "s")
	errs := make(chan error)
	for range 16 {
		go func() {
			s, err := New(dir, &Options{Durability: DurabilityNone})
			if err == nil {
				defer s.Close()
				var v driver.Version
				if v, err = s.Create(ctx, record("k", "x")); err == nil {
					err = s.Delete(ctx, record("k", ""), v)
				} else if err == driver.ErrExists {
					err = nil
				}
			}
			errs <- err
		}()
	}
	for range 16 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}
