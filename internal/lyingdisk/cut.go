//go:build linux

package lyingdisk

import (
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
)

// survive answers what a power cut leaves of a file.
func (n *node) survive(rng *rand.Rand) []byte {
	every := false
	switch rng.IntN(4) {
	case 0: // nothing of what was not synced
		return n.disk
	case 1: // all of it
		every = true
	}
	size := len(n.disk)
	if every || rng.IntN(2) == 0 {
		size = len(n.data)
	}
	b := make([]byte, size)
	copy(b, n.disk)
	for _, s := range slices.Sorted(maps.Keys(n.dirty)) {
		if every || rng.IntN(2) == 0 {
			n.copySector(b, s)
		}
	}
	return b
}

// surviveNames answers what a power cut leaves of the names in a folder.
func (n *node) surviveNames(rng *rand.Rand) map[string]*node {
	names := maps.Clone(n.synced)
	pending, some := n.pending, false
	switch rng.IntN(4) {
	case 0:
		pending = nil
	case 1:
	case 2: // the first of them, as a journal does
		pending = pending[:rng.IntN(len(pending)+1)]
	case 3:
		some = true
	}
	for _, c := range pending {
		if !some || rng.IntN(2) == 0 {
			apply(names, c)
		}
	}
	return names
}

// writeTo writes what a power cut leaves below a folder into the folder dir of
// another file system. written has the files that are there by now.
func (n *node) writeTo(dir string, rng *rand.Rand, written map[*node]string) error {
	names := n.surviveNames(rng)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		child, path := names[name], filepath.Join(dir, name)
		var err error
		switch first := written[child]; {
		case child.isFolder():
			if err = os.Mkdir(path, 0o700); err == nil {
				err = child.writeTo(path, rng, written)
			}
		case first != "": // of a rename the new name survived, and the old one too
			err = os.Link(first, path)
		default:
			written[child] = path
			err = os.WriteFile(path, child.survive(rng), fs.FileMode(child.mode&0o777))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// readFrom fills an empty folder with what is in the folder dir of another file
// system.
func (fs *fileSystem) readFrom(n *node, dir string) error {
	list, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range list {
		info, err := e.Info()
		if err != nil {
			return err
		}
		path := filepath.Join(dir, e.Name())
		child := fs.newNode(uint32(info.Mode().Perm()), e.IsDir())
		child.changed = info.ModTime()
		n.set(e.Name(), child)
		if e.IsDir() {
			err = fs.readFrom(child, path)
		} else {
			var b []byte
			if b, err = os.ReadFile(path); err == nil {
				child.write(b, 0)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}
