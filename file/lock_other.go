//go:build aix || solaris || (!unix && !windows)

package file

import (
	"errors"
	"io/fs"
	"os"
)

const nonBlock = 0

// supported reports why this system cannot be used.
func supported() error { return errors.New("this system has no locks that the store can use") }

const hasModes = true

func flush(f *os.File) error                     { return f.Sync() }
func tryLock(*os.File) (bool, error)             { return false, errors.ErrUnsupported }
func releaseLock(*os.File)                       {}
func (s *Store) linked(string, fs.FileInfo) bool { return true }
func ownerOf(fs.FileInfo) *owner                 { return nil }
