//go:build !linux

package file

import (
	"errors"
	"os"
)

var errBusy = errors.New("it is replaced all the time")

// openIn opens a file in a folder below the root. Symbolic links are refused
// by looking first: one that is planted between the look and the opening can
// lead to another file below the root, and no further.
func (s *Store) openIn(folder, name string, flag int) (*os.File, error) {
	if err := s.isFolder(folder); err != nil {
		return nil, err
	}
	path := folder + "/" + name
	if flag&os.O_CREATE != 0 {
		return s.root.OpenFile(path, flag, 0o600)
	}
	for range 100 {
		before, err := s.root.Lstat(path)
		if err != nil {
			return nil, err
		}
		if !before.Mode().IsRegular() {
			return nil, errNotFile
		}
		f, err := s.root.OpenFile(path, flag, 0)
		if err != nil {
			return nil, err
		}
		if info, err := f.Stat(); err == nil && os.SameFile(before, info) {
			return f, nil
		}
		f.Close() // it was replaced meanwhile
	}
	return nil, errBusy
}

// openFolder opens a folder below the root.
func (s *Store) openFolder(name string) (*os.File, error) {
	if err := s.isFolder(name); err != nil {
		return nil, err
	}
	return s.root.Open(name)
}

// readFront reads the beginning of the file at p, and answers how much that is,
// and the size of the file.
func (s *Store) readFront(_ *os.File, p place, b []byte) (n int, size int64, err error) {
	f, info, err := s.openFile(p.folder(), p.name())
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	n = int(min(info.Size(), int64(len(b))))
	return n, info.Size(), readFull(f, b[:n])
}

func (s *Store) isFolder(name string) error {
	info, err := s.root.Lstat(name)
	if err == nil && !info.IsDir() {
		err = errNotFolder
	}
	return err
}
