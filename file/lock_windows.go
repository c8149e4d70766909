package file

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
	"unsafe"
)

const (
	nonBlock = 0     // openIn opens nothing that could wait
	hasModes = false // access is a matter of lists, which new files inherit from the folder
)

var (
	kernel32     = syscall.NewLazyDLL("kernel32.dll")
	lockFileEx   = kernel32.NewProc("LockFileEx")
	unlockFileEx = kernel32.NewProc("UnlockFileEx")
)

const (
	lockFailImmediately = 1
	lockExclusive       = 2

	errorInvalidFunction = syscall.Errno(1)
	errorLockViolation   = syscall.Errno(33)
)

// supported reports why this system cannot be used.
func supported() error {
	if err := lockFileEx.Find(); err != nil {
		return err
	}
	return unlockFileEx.Find()
}

// lockedByte answers where the one byte lies that stands for a whole file. It is
// far behind every record, since Windows keeps others from reading what is
// locked, and a temporary file becomes a record while it is locked.
func lockedByte() *syscall.Overlapped { return &syscall.Overlapped{OffsetHigh: 1 << 20} }

// tryLock takes the exclusive lock of a file, unless somebody has it.
func tryLock(f *os.File) (bool, error) {
	ok, _, err := lockFileEx.Call(f.Fd(), lockExclusive|lockFailImmediately, 0, 1, 0, uintptr(unsafe.Pointer(lockedByte())))
	switch {
	case ok != 0:
		return true, nil
	case err == errorLockViolation, err == syscall.ERROR_IO_PENDING:
		return false, nil
	}
	return false, err
}

// releaseLock gives back a lock before its file is closed: Windows may take its
// time to do so afterwards.
func releaseLock(f *os.File) {
	unlockFileEx.Call(f.Fd(), 0, 1, 0, uintptr(unsafe.Pointer(lockedByte())))
}

// linked reports whether an open file is still the one with this name below the
// root. A file that is being removed cannot be looked at.
func (s *Store) linked(path string, info fs.FileInfo) bool {
	named, err := s.root.Lstat(path)
	return err == nil && os.SameFile(named, info)
}

// flush makes what was written to a file, or to the names in a folder, survive a
// power cut. A folder is flushed where the user may do that and the file system
// knows how; elsewhere its journal must do.
func flush(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return f.Sync()
	}
	// Only a handle that may write can be flushed, and os.Root opens no such
	// handle of a folder.
	w, err := os.OpenFile(f.Name(), os.O_RDWR|syscall.FILE_FLAG_BACKUP_SEMANTICS, 0)
	if err == nil {
		err = w.Sync()
		w.Close()
	}
	switch {
	case errors.Is(err, fs.ErrPermission), errors.Is(err, errors.ErrUnsupported), errors.Is(err, errorInvalidFunction):
		return nil
	case errors.Is(err, fs.ErrNotExist): // Purge has removed it, since it was empty by then
		return nil
	}
	return err
}

// ownerOf answers nil: whose new files are needs no care here.
func ownerOf(fs.FileInfo) *owner { return nil }
