//go:build linux

package lyingdisk

import (
	"errors"
	"io"
	"math/rand/v2"
	"net/rpc"
	"os"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// mountPoint is the variable that makes a process serve a disk.
const mountPoint = "WEBSESSION_LYING_DISK"

// Main serves a disk, and does not return, in a process that [Start] started. A
// test binary calls it first in TestMain.
//
// The disk has a process of its own since a thread that waits for a page of a
// mapped file does not stop for the garbage collector of the process that is to
// deliver it.
func Main() {
	dir := os.Getenv(mountPoint)
	if dir == "" {
		return
	}
	s := rpc.NewServer()
	if err := s.RegisterName("Disk", &control{dir: dir, fs: newFileSystem()}); err != nil {
		panic(err)
	}
	s.ServeConn(pipe{os.Stdin, os.Stdout}) // until the test ends, however it does
	syscall.Unmount(dir, syscall.MNT_DETACH)
	os.Exit(0)
}

// pipe is how the test and the process of its disk talk.
type pipe struct {
	io.Reader
	io.WriteCloser
}

// control does what the test asks for, beside the mount.
type control struct {
	dir string
	fs  *fileSystem
}

// None is for methods that take, or answer, nothing.
type None struct{}

// Mount mounts the disk.
func (c *control) Mount(None, *None) error {
	if _, err := os.Stat("/dev/fuse"); err != nil {
		return err
	}
	s, err := fuse.NewServer(c.fs, c.dir, &fuse.MountOptions{
		DirectMount:              true,
		DisableReadDirPlus:       true,
		ExplicitDataCacheControl: true,
		Name:                     "lyingdisk",
		FsName:                   "lyingdisk",
	})
	if err != nil {
		return err
	}
	go s.Serve()
	return s.WaitMount()
}

// Reset makes it a new disk with what is in a folder of another file system.
func (c *control) Reset(from string, _ *None) error {
	c.fs.mu.Lock()
	defer c.fs.mu.Unlock()
	c.fs.empty()
	if from != "" {
		if err := c.fs.readFrom(c.fs.root(), from); err != nil {
			return err
		}
	}
	c.fs.root().settle()
	return nil
}

// Fail arms a fault.
func (c *control) Fail(f Fault, _ *None) error {
	c.fs.mu.Lock()
	defer c.fs.mu.Unlock()
	c.fs.fault, c.fs.seen, c.fs.fired = &f, 0, 0
	return nil
}

// Heal ends the fault, and answers how often it struck.
func (c *control) Heal(_ None, fired *int) error {
	c.fs.mu.Lock()
	defer c.fs.mu.Unlock()
	*fired, c.fs.fault = c.fs.fired, nil
	return nil
}

// Counts answers how often each operation was asked for.
func (c *control) Counts(_ None, counts *map[Op]int) error {
	c.fs.mu.Lock()
	defer c.fs.mu.Unlock()
	*counts = c.fs.counts
	c.fs.counts = make(map[Op]int)
	return nil
}

// Lie makes it answer some syncs without doing them.
func (c *control) Lie(about []Op, _ *None) error {
	c.fs.mu.Lock()
	defer c.fs.mu.Unlock()
	c.fs.lies = make(map[Op]bool)
	for _, op := range about {
		c.fs.lies[op] = true
	}
	return nil
}

// CutAfter plans the cut.
func (c *control) CutAfter(changes int, _ *None) error {
	c.fs.mu.Lock()
	defer c.fs.mu.Unlock()
	c.fs.cutIn = changes + 1
	return nil
}

// Survivors are what a cut leaves.
type Survivors struct {
	Seed uint64
	Dir  string // where they go
}

// Survive writes into a folder what a cut leaves. The seed chooses among all
// that it may leave.
func (c *control) Survive(s Survivors, _ *None) error {
	c.fs.mu.Lock()
	defer c.fs.mu.Unlock()
	if !c.fs.dead {
		return errors.New("the power was not cut")
	}
	return c.fs.root().writeTo(s.Dir, rand.New(rand.NewPCG(s.Seed, 0)), make(map[*node]string))
}

// Cut cuts the power now.
func (c *control) Cut(_, _ *None) error {
	c.fs.mu.Lock()
	defer c.fs.mu.Unlock()
	c.fs.dead = true
	return nil
}
