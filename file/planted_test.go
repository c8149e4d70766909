//go:build linux

package file

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/websession/websession/session/driver"
)

// plants are things that somebody may leave where a file of the store belongs.
// They are made at a path; target is a whole record, or a folder that holds one.
var plants = map[string]func(path, target string) error{
	"symbolic link":          func(path, target string) error { return os.Symlink(target, path) },
	"relative symbolic link": relativeLink,
	"dangling symbolic link": func(path, _ string) error { return os.Symlink("nothing", path) },
	"looping symbolic link":  func(path, _ string) error { return os.Symlink(path, path) },
	"pipe":                   func(path, _ string) error { return syscall.Mkfifo(path, 0o600) },
	"folder":                 func(path, _ string) error { return os.Mkdir(path, 0o700) },
	"socket":                 func(path, _ string) error { return syscall.Mknod(path, syscall.S_IFSOCK|0o600, 0) },
	"device":                 device,
}

func relativeLink(path, target string) error {
	to, err := filepath.Rel(filepath.Dir(path), target)
	if err != nil {
		return err
	}
	return os.Symlink(to, path)
}

func device(path, _ string) error {
	err := syscall.Mknod(path, syscall.S_IFCHR|0o600, 1<<8|5) // /dev/zero
	if errors.Is(err, fs.ErrPermission) {
		return os.Symlink("/dev/zero", path)
	}
	return err
}

// still fails unless path is what it was.
func still(t *testing.T, path string, before fs.FileInfo) {
	t.Helper()
	after, err := os.Lstat(path)
	if err != nil || after.Mode() != before.Mode() || !os.SameFile(before, after) {
		t.Fatalf("the planted thing was touched: %v", err)
	}
}

func plant(t *testing.T, kind, path, target string) fs.FileInfo {
	t.Helper()
	if err := plants[kind](path, target); err != nil {
		t.Fatal(err)
	}
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

func TestPlantedRecord(t *testing.T) {
	for kind := range plants {
		t.Run(strings.ReplaceAll(kind, " ", "_"), func(t *testing.T) {
			s, dir := fresh(t)
			anna := map[string]string{"user": "anna"}
			v := create(t, s, indexed("k", "x", anna))
			create(t, s, indexed("other", "y", anna))
			path := filepath.Join(dir, placeOf("k").path)
			target := filepath.Join(dir, placeOf("k").folder(), "moved") // inside, where os.Root would follow
			if err := os.Rename(path, target); err != nil {
				t.Fatal(err)
			}
			before := plant(t, kind, path, target)
			soon(t, kind, func() {
				mustBeDamaged(t, s, "k", v)
				mustNotBeApplied(t, "delete", s.Delete(ctx, record("k", ""), ""), driver.ErrCorrupt)
				if found := scan(t, s); len(found) != 1 || found["other"] != "y" {
					t.Errorf("scan: %v", found)
				}
				if found := search(t, s, "user", "anna"); len(found) != 1 || found["other"] != "y" {
					t.Errorf("search: %v", found)
				}
				if n := purge(t, s, time.UnixMilli(5e12), 10); n != 1 {
					t.Errorf("purged %d", n)
				}
			})
			still(t, path, before)
			if b, err := os.ReadFile(target); err != nil || len(b) == 0 {
				t.Fatal("the target was touched", err)
			}
			if n := openFiles(t, dir); n != 1 && n != 2 { // the root, twice
				t.Fatalf("%d files are open", n)
			}
		})
	}
}

func TestPlantedFolder(t *testing.T) {
	for kind := range plants {
		if kind == "folder" {
			continue
		}
		t.Run(strings.ReplaceAll(kind, " ", "_"), func(t *testing.T) {
			s, dir := fresh(t)
			v := create(t, s, record("k", "x"))
			path := filepath.Join(dir, placeOf("k").folder())
			for _, target := range []string{filepath.Join(dir, "moved"), filepath.Join(filepath.Dir(dir), "outside")} {
				if err := os.Rename(path, target); err != nil {
					t.Fatal(err)
				}
				before := plant(t, kind, path, target)
				soon(t, kind, func() {
					_, _, err := s.Load(ctx, "k")
					mustBe(t, "load", err, errNotFolder)
					_, err = s.Create(ctx, record("k", "x"))
					mustNotBeApplied(t, "create", err, errNotFolder)
					_, err = s.Replace(ctx, record("k", "x"), v)
					mustNotBeApplied(t, "replace", err, errNotFolder)
					mustNotBeApplied(t, "delete", s.Delete(ctx, record("k", ""), v), errNotFolder)
					mustNotBeApplied(t, "delete", s.Delete(ctx, record("k", ""), ""), errNotFolder)
					if found := scan(t, s); len(found) > 0 {
						t.Errorf("scan: %v", found)
					}
					if n := purge(t, s, time.UnixMilli(5e12), 10); n != 0 {
						t.Errorf("purged %d", n)
					}
				})
				still(t, path, before)
				if got := names(t, target); len(got) != 1 || got[0] != placeOf("k").name() {
					t.Fatalf("the target holds %v", got)
				}
				os.Remove(path)
				if err := os.Rename(target, path); err != nil {
					t.Fatal(err)
				}
				mustHold(t, s, "k", "x")
			}
		})
	}
}

func TestPlantedLock(t *testing.T) {
	for kind := range plants {
		t.Run(strings.ReplaceAll(kind, " ", "_"), func(t *testing.T) {
			s, dir := fresh(t)
			v := create(t, s, record("k", "x"))
			path := filepath.Join(dir, lockFolder, placeOf("k").folder())
			if err := os.Rename(path, dir+"/lock"); err != nil {
				t.Fatal(err)
			}
			before := plant(t, kind, path, dir+"/lock")
			soon(t, kind, func() {
				_, err := s.Replace(ctx, record("k", "y"), v)
				mustNotBeApplied(t, "replace", err, errNotFile)
				mustNotBeApplied(t, "delete", s.Delete(ctx, record("k", ""), ""), errNotFile)
				if n, err := s.Purge(ctx, time.UnixMilli(5e12), 10); n != 0 || !errors.Is(err, errNotFile) {
					t.Errorf("purge: %d, %v", n, err)
				}
				mustHold(t, s, "k", "x")
			})
			still(t, path, before)
		})
	}
}

func TestPlantedLockFolderAndTempFolder(t *testing.T) {
	for _, name := range []string{lockFolder, tempFolder} {
		for kind := range plants {
			if kind == "folder" {
				continue
			}
			s, dir := fresh(t)
			v := create(t, s, record("k", "x"))
			path, target := filepath.Join(dir, name), filepath.Join(dir, placeOf("k").folder())
			if err := os.RemoveAll(path); err != nil {
				t.Fatal(err)
			}
			before := plant(t, kind, path, target)
			soon(t, kind, func() {
				_, err := s.Replace(ctx, record("k", "y"), v)
				mustNotBeApplied(t, "replace", err, errNotFolder)
				s.Purge(ctx, time.UnixMilli(1), 10)
				mustHold(t, s, "k", "x")
				_, err = New(dir, nil)
				mustBe(t, "open", err, errNotFolder)
			})
			still(t, path, before)
			if got := names(t, target); len(got) != 1 {
				t.Fatalf("%s as a %s: the folder of records holds %v", name, kind, got)
			}
		}
	}
}

// Foreign things beside the records, in every folder.
func TestForeignFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "s")
	var remarks []string
	s, err := New(dir, &Options{Durability: DurabilityNone, Warn: func(w string) { remarks = append(remarks, w) }})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	create(t, s, record("k", "x"))
	folder := placeOf("k").folder()
	before := map[string]fs.FileInfo{}
	for _, in := range []string{".", folder, lockFolder, tempFolder} {
		for kind := range plants {
			path := filepath.Join(dir, in, "foreign "+kind)
			before[path] = plant(t, kind, path, dir)
		}
		path := filepath.Join(dir, in, strings.Repeat("A", 26)+"~")
		if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
			t.Fatal(err)
		}
		before[path], _ = os.Lstat(path)
	}
	path := filepath.Join(dir, folder, strings.ToUpper(placeOf("k").name()))
	if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	before[path], _ = os.Lstat(path)
	soon(t, "scan and purge", func() {
		for range 3 {
			if found := scan(t, s); len(found) != 1 {
				t.Errorf("scan: %v", found)
			}
			purge(t, s, time.UnixMilli(1), 10)
		}
		if n := purge(t, s, time.UnixMilli(5e12), 10); n != 1 {
			t.Errorf("purged %d", n)
		}
	})
	for path, info := range before {
		still(t, path, info)
	}
	if len(remarks) != 1 || !strings.Contains(remarks[0], dir) {
		t.Errorf("remarks: %q", remarks)
	}
}
