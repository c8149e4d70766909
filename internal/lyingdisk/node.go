//go:build linux

package lyingdisk

import (
	"maps"
	"syscall"
	"time"
)

// sector is how many bytes a disk writes at once.
const sector = 512

// node is a file or a folder: as programs see it, and as it is on the disk.
type node struct {
	id       uint64
	name     string // the last one
	mode     uint32
	uid, gid uint32
	changed  time.Time
	links    int // names

	// Of a folder.
	entries map[string]*node
	pending []change         // since it was synced
	synced  map[string]*node // on the disk

	// Of a file.
	data  []byte
	dirty map[int64]bool // sectors, since it was synced
	disk  []byte         // on the disk
}

// change is a name that was given to a node, or taken away: nil.
type change struct {
	name string
	node *node
}

func (n *node) isFolder() bool { return n.mode&syscall.S_IFMT == syscall.S_IFDIR }

// set gives a name in a folder to child, or takes it away: nil.
func (n *node) set(name string, child *node) {
	if old := n.entries[name]; old != nil {
		old.links--
	}
	if child == nil {
		delete(n.entries, name)
	} else {
		n.entries[name], child.name = child, name
		child.links++
	}
	n.pending = append(n.pending, change{name, child})
	n.changed = time.Now()
}

func apply(names map[string]*node, c change) {
	if c.node == nil {
		delete(names, c.name)
	} else {
		names[c.name] = c.node
	}
}

// sync puts on the disk what programs see.
func (n *node) sync() {
	if n.isFolder() {
		for _, c := range n.pending {
			apply(n.synced, c)
		}
		n.pending = nil
		return
	}
	n.disk = resized(n.disk, len(n.data))
	for s := range n.dirty {
		n.copySector(n.disk, s)
	}
	clear(n.dirty)
}

// lose forgets what was to be synced, so that no later sync finds it.
func (n *node) lose() {
	if !n.isFolder() {
		clear(n.dirty)
	}
}

// copySector copies a sector of the data into b as far as both reach.
func (n *node) copySector(b []byte, s int64) {
	from, to := s*sector, min((s+1)*sector, int64(len(b)), int64(len(n.data)))
	if from < to {
		copy(b[from:to], n.data[from:to])
	}
}

func (n *node) write(b []byte, off int64) {
	end := off + int64(len(b))
	if end > int64(len(n.data)) {
		n.truncate(end)
	}
	copy(n.data[off:], b)
	n.mark(off, end)
	n.changed = time.Now()
}

func (n *node) truncate(size int64) {
	old := int64(len(n.data))
	n.data = resized(n.data, int(size))
	n.mark(min(old, size), max(old, size))
	n.changed = time.Now()
}

// mark notes that the bytes between two places are no longer those on the disk.
func (n *node) mark(from, to int64) {
	for s := from / sector; s*sector < to; s++ {
		n.dirty[s] = true
	}
}

// resized answers b with another length. What is new is zeros, also where b was
// longer once.
func resized(b []byte, size int) []byte {
	if size <= len(b) {
		return b[:size]
	}
	if size <= cap(b) {
		clear(b[len(b):size])
		return b[:size]
	}
	longer := make([]byte, size, size+size/2)
	copy(longer, b)
	return longer
}

// settle makes a tree be on the disk as programs see it.
func (n *node) settle() {
	n.sync()
	for child := range maps.Values(n.entries) {
		child.settle()
	}
}
