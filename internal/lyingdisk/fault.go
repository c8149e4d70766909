//go:build linux

package lyingdisk

import (
	"slices"
	"strings"
	"syscall"
)

// Op is a kind of operation that programs ask of the disk.
type Op string

// The operations that are counted and may fail.
const (
	Lookup   Op = "lookup"
	GetAttr  Op = "getattr"
	SetAttr  Op = "setattr" // chmod, chown, truncate
	Mkdir    Op = "mkdir"
	Create   Op = "create"
	Open     Op = "open"
	Read     Op = "read"
	Write    Op = "write"
	Flush    Op = "flush" // close
	Fsync    Op = "fsync"
	Rename   Op = "rename"
	Unlink   Op = "unlink"
	Rmdir    Op = "rmdir"
	OpenDir  Op = "opendir"
	ReadDir  Op = "readdir"
	FsyncDir Op = "fsyncdir"
	StatFS   Op = "statfs"
)

// Ops are all of them.
var Ops = []Op{Lookup, GetAttr, SetAttr, Mkdir, Create, Open, Read, Write, Flush, Fsync, Rename, Unlink, Rmdir, OpenDir, ReadDir, FsyncDir, StatFS}

// changes are those that the disk refuses after a power cut.
var changes = []Op{SetAttr, Mkdir, Create, Write, Fsync, Rename, Unlink, Rmdir, FsyncDir}

// Fault makes one operation fail.
type Fault struct {
	Op    Op
	N     int           // which one from now on, from 1
	Errno syscall.Errno // of it; a write that fails with ENOSPC is done by half
	Last  bool          // it fails, and so do all that follow
	After bool          // it is done all the same
}

// mapped reports whether programs map a file into their memory, so that the
// system reads and writes it when it likes.
func mapped(name string) bool { return strings.HasSuffix(name, "-shm") }

// verdict is what becomes of an operation.
type verdict struct {
	errno syscall.Errno // 0: it is done
	after bool          // done, and then answered with errno
	half  bool          // done by half
	lose  bool          // what it was to sync is lost
}

func (v verdict) skips() bool { return v.errno != 0 && !v.after }

// judge counts an operation and says what becomes of it.
func (fs *fileSystem) judge(op Op, n *node) verdict {
	if op == Read && n != nil && mapped(n.name) {
		return verdict{}
	}
	fs.counts[op]++
	if slices.Contains(changes, op) {
		if fs.cutIn > 0 {
			fs.cutIn--
			fs.dead = fs.cutIn == 0
		}
		if fs.dead {
			return verdict{errno: syscall.EIO}
		}
	}
	f := fs.fault
	if f == nil || f.Op != op {
		return verdict{}
	}
	fs.seen++
	if fs.seen < f.N || fs.seen > f.N && !f.Last {
		return verdict{}
	}
	fs.fired++
	return verdict{
		errno: f.Errno,
		after: f.After,
		half:  op == Write && f.Errno == syscall.ENOSPC,
		lose:  op == Fsync && f.Errno == syscall.EIO && !f.After,
	}
}
