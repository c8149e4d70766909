//go:build linux

package file

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/websession/websession/session/driver"
)

func init() {
	children["full disk"] = func(args []string) error { return fullDisk(args[0]) }
	children["read-only disk"] = func(args []string) error { return readOnlyDisk(args[0]) }
	children["file size"] = func(args []string) error { return fileSize(args[0]) }
}

const refused = "mount refused: "

// A full disk, and one that has become read-only, as disks do that fail.
func TestFullDisk(t *testing.T)     { t.Parallel(); onSmallDisk(t, "full disk") }
func TestReadOnlyDisk(t *testing.T) { t.Parallel(); onSmallDisk(t, "read-only disk") }

// onSmallDisk runs a child that may mount a small file system that nobody else
// sees.
func onSmallDisk(t *testing.T, name string) {
	p := child(name, t.TempDir())
	p.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if uid := os.Geteuid(); uid != 0 {
		p.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		p.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: uid, Size: 1}}
		p.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getegid(), Size: 1}}
	}
	err := p.run()
	if err != nil && (errors.Is(err, syscall.EPERM) || strings.Contains(err.Error(), refused)) {
		t.Skip("this system lets nobody mount a small file system; TestFileSizeLimit covers the rest: ", err)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func mountSmallDisk(dir string) error {
	err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, "")
	if err == nil {
		err = syscall.Mount("none", dir, "tmpfs", 0, "size=256k")
	}
	if err != nil {
		return errors.New(refused + err.Error())
	}
	return nil
}

func fullDisk(dir string) error {
	if err := mountSmallDisk(dir); err != nil {
		return err
	}
	s, err := New(dir, &Options{Durability: DurabilityFull})
	if err != nil {
		return err
	}
	v, err := s.Create(ctx, record("k", "old"))
	if err != nil {
		return err
	}
	filler, err := os.Create(dir + "/filler")
	if err != nil {
		return err
	}
	for err == nil {
		_, err = filler.Write(make([]byte, 4096))
	}
	big := record("k", strings.Repeat("new", 3000))
	if err = keptOut(s, big, v, syscall.ENOSPC); err != nil {
		return err
	}
	if err = filler.Truncate(0); err != nil {
		return err
	}
	if v, err = s.Replace(ctx, big, v); err != nil {
		return err
	}
	for err == nil {
		_, err = filler.Write(make([]byte, 4096))
	}
	if err = s.Delete(ctx, big, v); err != nil { // logging out needs no room
		return err
	}
	_, err = New(dir, nil) // nor does opening
	return err
}

// keptOut checks that a write fails with want and leaves no trace.
func keptOut(s *Store, rec driver.Record, v driver.Version, want error) error {
	for _, call := range []func() (driver.Version, error){
		func() (driver.Version, error) { return s.Replace(ctx, rec, v) },
		func() (driver.Version, error) { other := rec; other.Key = "other"; return s.Create(ctx, other) },
	} {
		if _, err := call(); !errors.Is(err, want) || !driver.WasNotApplied(err) {
			return fmt.Errorf("got %v, want %v, not applied", err, want)
		}
	}
	left, err := os.ReadDir(filepath.Join(s.directory, tempFolder))
	if err != nil || len(left) > 0 {
		return fmt.Errorf("left %v, %v", left, err)
	}
	got, v2, err := s.Load(ctx, rec.Key)
	if err != nil || string(got.Data) != "old" || v2 != v {
		return fmt.Errorf("the old record: %q, %v", got.Data, err)
	}
	if _, _, err = s.Load(ctx, "other"); err != driver.ErrNotFound {
		return fmt.Errorf("load: %v", err)
	}
	return nil
}

func readOnlyDisk(dir string) error {
	if err := mountSmallDisk(dir); err != nil {
		return err
	}
	remount := func(flags uintptr) error {
		return syscall.Mount("none", dir, "", syscall.MS_REMOUNT|flags, "")
	}
	s, err := New(dir, &Options{Durability: DurabilityFull})
	if err != nil {
		return err
	}
	old := expiring("k", past)
	old.Data = []byte("old")
	v, err := s.Create(ctx, old)
	if err != nil {
		return err
	}
	if err = remount(syscall.MS_RDONLY); err != nil {
		return errors.New(refused + err.Error())
	}
	if err = keptOut(s, record("k", "new"), v, syscall.EROFS); err != nil {
		return err
	}
	for _, version := range []driver.Version{v, ""} { // nobody is logged out, and the answer says so
		if err = s.Delete(ctx, old, version); !errors.Is(err, syscall.EROFS) || !driver.WasNotApplied(err) {
			return fmt.Errorf("delete: %v", err)
		}
	}
	if n, err := s.Purge(ctx, now, 10); n != 0 || !errors.Is(err, syscall.EROFS) {
		return fmt.Errorf("purge: %d, %v", n, err)
	}
	n := 0
	for _, err := range s.Scan(ctx) {
		if n++; err != nil {
			return err
		}
	}
	if _, err = s.Ping(ctx); err != nil || n != 1 {
		return fmt.Errorf("ping: %v; scanned %d", err, n)
	}
	for _, folder := range []string{dir, dir + "/new"} {
		_, err = New(folder, nil)
		if !errors.Is(err, syscall.EROFS) || !strings.Contains(err.Error(), "read-only file system") || !strings.Contains(err.Error(), folder) {
			return fmt.Errorf("open of %s: %v", folder, err)
		}
	}
	if err = remount(0); err != nil {
		return err
	}
	if v, err = s.Replace(ctx, record("k", "new"), v); err != nil { // as if nothing had been
		return err
	}
	return s.Delete(ctx, old, v)
}

// A write that ends in the middle, which needs no right to mount.
func TestFileSizeLimit(t *testing.T) {
	t.Parallel()
	if err := child("file size", t.TempDir()).run(); err != nil {
		t.Fatal(err)
	}
}

func fileSize(dir string) error {
	signal.Ignore(syscall.SIGXFSZ)
	s, err := New(dir, nil)
	if err != nil {
		return err
	}
	v, err := s.Create(ctx, record("k", "old"))
	if err != nil {
		return err
	}
	limit := syscall.Rlimit{Cur: 1000, Max: 1000}
	if err = syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	if err = keptOut(s, record("k", strings.Repeat("new", 3000)), v, syscall.EFBIG); err != nil {
		return err
	}
	_, err = s.Replace(ctx, record("k", "short"), v)
	return err
}
