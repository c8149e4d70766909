//go:build !unix || aix || solaris

package file

import (
	"errors"
	"io/fs"
	"os"
)

const nonBlock = 0

// supported reports why this system cannot be used.
func supported() error { return errors.New("not supported yet on this system") }

func tryLock(*os.File) (bool, error) { return false, errors.ErrUnsupported }
func linked(fs.FileInfo) bool        { return true }
func ownerOf(fs.FileInfo) *owner     { return nil }
