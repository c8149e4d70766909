//go:build linux

package lyingdisk

import (
	"maps"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// fileSystem answers what the kernel asks. The kernel is told to remember only
// what is not there, so that it asks every time.
type fileSystem struct {
	fuse.RawFileSystem // what is not below is answered with ENOSYS

	mu       sync.Mutex
	nodes    map[uint64]*node
	listings map[uint64][]fuse.DirEntry // by handle
	last     uint64                     // number of a node or a handle

	counts map[Op]int
	fault  *Fault
	seen   int         // operations of its kind
	fired  int         // those that failed
	lies   map[Op]bool // syncs that are answered and not done
	cutIn  int         // changes until the power is cut; 0: none is planned
	dead   bool        // it was cut
}

func newFileSystem() *fileSystem {
	fs := &fileSystem{RawFileSystem: fuse.NewDefaultRawFileSystem()}
	fs.empty()
	return fs
}

// empty makes it a new disk. Numbers of nodes are never used twice: the kernel
// may remember the old ones.
func (fs *fileSystem) empty() {
	fs.nodes, fs.listings, fs.counts = make(map[uint64]*node), make(map[uint64][]fuse.DirEntry), make(map[Op]int)
	fs.fault, fs.seen, fs.fired, fs.lies, fs.cutIn, fs.dead = nil, 0, 0, nil, 0, false
	fs.last = max(fs.last, fuse.FUSE_ROOT_ID)
	root := fs.newNode(0o700, true)
	delete(fs.nodes, root.id)
	root.id, root.links = fuse.FUSE_ROOT_ID, 1
	fs.nodes[root.id] = root
}

func (fs *fileSystem) root() *node { return fs.nodes[fuse.FUSE_ROOT_ID] }

func (fs *fileSystem) newNode(perm uint32, folder bool) *node {
	fs.last++
	n := &node{id: fs.last, mode: perm&0o7777 | syscall.S_IFREG, changed: time.Now()}
	if folder {
		n.mode = perm&0o7777 | syscall.S_IFDIR
		n.entries, n.synced = make(map[string]*node), make(map[string]*node)
	} else {
		n.dirty = make(map[int64]bool)
	}
	fs.nodes[n.id] = n
	return n
}

// do runs f, which is an operation on a node, unless a fault says otherwise.
func (fs *fileSystem) do(op Op, id uint64, f func(n *node, v verdict) syscall.Errno) fuse.Status {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	n := fs.nodes[id]
	v := fs.judge(op, n)
	if v.skips() && !v.half && !v.lose {
		return fuse.Status(v.errno)
	}
	if n == nil { // of a disk that was emptied meanwhile
		return fuse.Status(syscall.ESTALE)
	}
	if errno := f(n, v); errno != 0 {
		return fuse.Status(errno)
	}
	return fuse.Status(v.errno)
}

func (n *node) attr(a *fuse.Attr) {
	*a = fuse.Attr{Ino: n.id, Mode: n.mode, Nlink: uint32(n.links), Size: uint64(len(n.data)), Blksize: 4096, Owner: fuse.Owner{Uid: n.uid, Gid: n.gid}}
	a.Blocks = (a.Size + 511) / 512
	if n.isFolder() && n.links > 0 {
		a.Nlink = 2
	}
	a.SetTimes(&n.changed, &n.changed, &n.changed)
}

func (n *node) entry(e *fuse.EntryOut) {
	*e = fuse.EntryOut{NodeId: n.id}
	n.attr(&e.Attr)
}

func (fs *fileSystem) Lookup(_ <-chan struct{}, h *fuse.InHeader, name string, out *fuse.EntryOut) fuse.Status {
	return fs.do(Lookup, h.NodeId, func(n *node, _ verdict) syscall.Errno {
		child := n.entries[name]
		if child != nil {
			child.entry(out)
			return 0
		}
		if n == fs.root() || fs.fault != nil && fs.fault.After { // it may come without the kernel's knowing
			return syscall.ENOENT
		}
		*out = fuse.EntryOut{EntryValid: 3600} // the kernel remembers what is not there
		return 0
	})
}

func (fs *fileSystem) GetAttr(_ <-chan struct{}, in *fuse.GetAttrIn, out *fuse.AttrOut) fuse.Status {
	return fs.do(GetAttr, in.NodeId, func(n *node, _ verdict) syscall.Errno {
		n.attr(&out.Attr)
		return 0
	})
}

func (fs *fileSystem) SetAttr(_ <-chan struct{}, in *fuse.SetAttrIn, out *fuse.AttrOut) fuse.Status {
	return fs.do(SetAttr, in.NodeId, func(n *node, _ verdict) syscall.Errno {
		if mode, ok := in.GetMode(); ok {
			n.mode = n.mode&syscall.S_IFMT | mode
		}
		if uid, ok := in.GetUID(); ok {
			n.uid = uid
		}
		if gid, ok := in.GetGID(); ok {
			n.gid = gid
		}
		if size, ok := in.GetSize(); ok && !n.isFolder() {
			n.truncate(int64(size))
		}
		n.attr(&out.Attr)
		return 0
	})
}

// create makes a file or a folder in n.
func (fs *fileSystem) create(n *node, name string, perm uint32, folder bool, h *fuse.InHeader) (*node, syscall.Errno) {
	switch {
	case n.links == 0:
		return nil, syscall.ENOENT
	case n.entries[name] != nil:
		return nil, syscall.EEXIST
	}
	child := fs.newNode(perm, folder)
	child.uid, child.gid = h.Uid, h.Gid
	n.set(name, child)
	return child, 0
}

func (fs *fileSystem) Mkdir(_ <-chan struct{}, in *fuse.MkdirIn, name string, out *fuse.EntryOut) fuse.Status {
	return fs.do(Mkdir, in.NodeId, func(n *node, _ verdict) syscall.Errno {
		child, errno := fs.create(n, name, in.Mode, true, &in.InHeader)
		if errno == 0 {
			child.entry(out)
		}
		return errno
	})
}

func (fs *fileSystem) Create(_ <-chan struct{}, in *fuse.CreateIn, name string, out *fuse.CreateOut) fuse.Status {
	return fs.do(Create, in.NodeId, func(n *node, _ verdict) syscall.Errno {
		child, errno := fs.create(n, name, in.Mode, false, &in.InHeader)
		if errno != 0 {
			return errno
		}
		child.entry(&out.EntryOut)
		out.OpenFlags = caching(child)
		return 0
	})
}

// caching says that the kernel keeps pages of files that are mapped, and no
// others.
func caching(n *node) uint32 {
	if mapped(n.name) {
		return fuse.FOPEN_KEEP_CACHE
	}
	return fuse.FOPEN_DIRECT_IO
}

func (fs *fileSystem) Open(_ <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	return fs.do(Open, in.NodeId, func(n *node, _ verdict) syscall.Errno {
		if in.Flags&syscall.O_TRUNC != 0 && !n.isFolder() {
			n.truncate(0)
		}
		out.OpenFlags = caching(n)
		return 0
	})
}

func (fs *fileSystem) Read(_ <-chan struct{}, in *fuse.ReadIn, buf []byte) (result fuse.ReadResult, status fuse.Status) {
	status = fs.do(Read, in.NodeId, func(n *node, _ verdict) syscall.Errno {
		got := 0
		if in.Offset < uint64(len(n.data)) {
			got = copy(buf, n.data[in.Offset:])
		}
		result = fuse.ReadResultData(buf[:got])
		return 0
	})
	return result, status
}

func (fs *fileSystem) Write(_ <-chan struct{}, in *fuse.WriteIn, b []byte) (uint32, fuse.Status) {
	if in.WriteFlags&fuse.WRITE_CACHE != 0 { // the kernel writes what was mapped
		fs.mu.Lock()
		defer fs.mu.Unlock()
		if n := fs.nodes[in.NodeId]; n != nil {
			n.write(b, int64(in.Offset))
		}
		return uint32(len(b)), fuse.OK
	}
	return uint32(len(b)), fs.do(Write, in.NodeId, func(n *node, v verdict) syscall.Errno {
		if v.half {
			b = b[:len(b)/2]
		}
		n.write(b, int64(in.Offset))
		return 0
	})
}

func (fs *fileSystem) Flush(_ <-chan struct{}, in *fuse.FlushIn) fuse.Status {
	return fs.do(Flush, in.NodeId, func(*node, verdict) syscall.Errno { return 0 })
}

func (fs *fileSystem) Fsync(_ <-chan struct{}, in *fuse.FsyncIn) fuse.Status {
	return fs.do(Fsync, in.NodeId, func(n *node, v verdict) syscall.Errno {
		switch {
		case v.lose:
			n.lose()
		case !v.skips() && !fs.lies[Fsync]:
			n.sync()
		}
		return 0
	})
}

func (fs *fileSystem) FsyncDir(_ <-chan struct{}, in *fuse.FsyncIn) fuse.Status {
	return fs.do(FsyncDir, in.NodeId, func(n *node, _ verdict) syscall.Errno {
		if !fs.lies[FsyncDir] {
			n.sync()
		}
		return 0
	})
}

func (fs *fileSystem) Unlink(_ <-chan struct{}, h *fuse.InHeader, name string) fuse.Status {
	return fs.do(Unlink, h.NodeId, func(n *node, _ verdict) syscall.Errno { return n.remove(name) })
}

func (fs *fileSystem) Rmdir(_ <-chan struct{}, h *fuse.InHeader, name string) fuse.Status {
	return fs.do(Rmdir, h.NodeId, func(n *node, _ verdict) syscall.Errno { return n.remove(name) })
}

// remove takes a name away. The kernel has looked what has it.
func (n *node) remove(name string) syscall.Errno {
	child := n.entries[name]
	switch {
	case child == nil:
		return syscall.ENOENT
	case len(child.entries) > 0:
		return syscall.ENOTEMPTY
	}
	n.set(name, nil)
	return 0
}

func (fs *fileSystem) Rename(_ <-chan struct{}, in *fuse.RenameIn, oldName, newName string) fuse.Status {
	return fs.do(Rename, in.NodeId, func(from *node, _ verdict) syscall.Errno {
		to := fs.nodes[in.Newdir]
		if to == nil || to.links == 0 {
			return syscall.ENOENT
		}
		child, there := from.entries[oldName], to.entries[newName]
		switch {
		case in.Flags != 0:
			return syscall.EINVAL
		case child == nil:
			return syscall.ENOENT
		case there != nil && len(there.entries) > 0:
			return syscall.ENOTEMPTY
		}
		to.set(newName, child)
		from.set(oldName, nil)
		child.name = newName
		return 0
	})
}

func (fs *fileSystem) OpenDir(_ <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	return fs.do(OpenDir, in.NodeId, func(*node, verdict) syscall.Errno {
		fs.last++
		out.Fh = fs.last
		return 0
	})
}

func (fs *fileSystem) ReadDir(_ <-chan struct{}, in *fuse.ReadIn, out *fuse.DirEntryList) fuse.Status {
	return fs.do(ReadDir, in.NodeId, func(n *node, _ verdict) syscall.Errno {
		if in.Offset == 0 {
			fs.listings[in.Fh] = n.list()
		}
		list := fs.listings[in.Fh]
		for _, e := range list[min(in.Offset, uint64(len(list))):] {
			if !out.AddDirEntry(e) {
				break
			}
		}
		return 0
	})
}

func (n *node) list() []fuse.DirEntry {
	list := []fuse.DirEntry{{Name: ".", Ino: n.id, Mode: syscall.S_IFDIR, Off: 1}, {Name: "..", Ino: n.id, Mode: syscall.S_IFDIR, Off: 2}}
	for _, name := range slices.Sorted(maps.Keys(n.entries)) {
		child := n.entries[name]
		list = append(list, fuse.DirEntry{Name: name, Ino: child.id, Mode: child.mode, Off: uint64(len(list) + 1)})
	}
	return list
}

func (fs *fileSystem) ReleaseDir(in *fuse.ReleaseIn) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	delete(fs.listings, in.Fh)
}

func (fs *fileSystem) StatFs(_ <-chan struct{}, in *fuse.InHeader, out *fuse.StatfsOut) fuse.Status {
	return fs.do(StatFS, in.NodeId, func(*node, verdict) syscall.Errno {
		*out = fuse.StatfsOut{Blocks: 1 << 30, Bfree: 1 << 29, Bavail: 1 << 29, Files: 1 << 30, Ffree: 1 << 29, Bsize: 4096, Frsize: 4096, NameLen: 255}
		return 0
	})
}
