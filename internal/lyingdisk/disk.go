//go:build linux

package lyingdisk

import (
	"net/rpc"
	"os"
	"os/exec"
	"testing"
)

// Disk is a disk that is mounted for the time of a test. Its methods fail the
// test when the process that serves it does not answer.
type Disk struct {
	Dir string // where it is mounted
	tb  testing.TB
	rpc *rpc.Client
}

// Start mounts an empty disk. Where the system allows no FUSE the test is left
// out. When the test ends, nothing on the disk may be open.
func Start(tb testing.TB) *Disk {
	tb.Helper()
	d := &Disk{Dir: tb.TempDir(), tb: tb}
	self, err := os.Executable()
	d.must(err)
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), mountPoint+"="+d.Dir, "GORACE=atexit_sleep_ms=0")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	d.must(err)
	out, err := cmd.StdoutPipe()
	d.must(err)
	d.must(cmd.Start())
	d.rpc = rpc.NewClient(pipe{out, in})
	tb.Cleanup(func() {
		d.rpc.Close() // ends the process, which unmounts
		if err := cmd.Wait(); err != nil {
			tb.Error("the disk: ", err)
		}
	})
	if err := d.rpc.Call("Disk.Mount", None{}, &None{}); err != nil {
		tb.Skip("left out: needs FUSE (Linux, /dev/fuse, and root or fusermount3 of the Debian package fuse3): ", err)
	}
	return d
}

func (d *Disk) must(err error) {
	d.tb.Helper()
	if err != nil {
		d.tb.Fatal("lyingdisk: ", err)
	}
}

func call[T, R any](d *Disk, method string, arg T) (result R) {
	d.tb.Helper()
	d.must(d.rpc.Call("Disk."+method, arg, &result))
	return result
}

// Reset makes it a new disk that has what is in a folder of another file system,
// or nothing: "". No fault is armed, and no cut planned.
func (d *Disk) Reset(from string) { d.tb.Helper(); call[string, None](d, "Reset", from) }

// Fail arms a fault, which replaces the one before.
func (d *Disk) Fail(f Fault) { d.tb.Helper(); call[Fault, None](d, "Fail", f) }

// Heal ends the fault, and answers how often it struck.
func (d *Disk) Heal() int { d.tb.Helper(); return call[None, int](d, "Heal", None{}) }

// Counts answers how often each operation was asked for since Reset or the last
// Counts.
func (d *Disk) Counts() map[Op]int {
	d.tb.Helper()
	return call[None, map[Op]int](d, "Counts", None{})
}

// Lie makes it answer these syncs, Fsync or FsyncDir, without doing them.
func (d *Disk) Lie(about ...Op) { d.tb.Helper(); call[[]Op, None](d, "Lie", about) }

// CutAfter lets some more changes and syncs happen before the power is cut.
func (d *Disk) CutAfter(changes int) { d.tb.Helper(); call[int, None](d, "CutAfter", changes) }

// Cut cuts the power now, unless it was.
func (d *Disk) Cut() { d.tb.Helper(); call[None, None](d, "Cut", None{}) }

// Survive writes what the cut left into an empty folder of another file system.
// Each seed is another possible outcome of the same cut.
func (d *Disk) Survive(seed uint64, dir string) {
	d.tb.Helper()
	call[Survivors, None](d, "Survive", Survivors{seed, dir})
}
