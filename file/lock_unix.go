//go:build unix && !aix && !solaris

package file

import (
	"io/fs"
	"os"
	"syscall"
)

// nonBlock makes opening a pipe return at once.
const nonBlock = syscall.O_NONBLOCK

// supported reports why this system cannot be used.
func supported() error { return nil }

// hasModes says that the mode of a file keeps others out.
const hasModes = true

// flush makes what was written to a file, or to the names in a folder, survive a
// power cut.
func flush(f *os.File) error { return f.Sync() }

// tryLock takes the exclusive lock of a file, unless somebody has it. Closing
// the file gives it back.
func tryLock(f *os.File) (bool, error) {
	for {
		switch err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err {
		case nil:
			return true, nil
		case syscall.EWOULDBLOCK:
			return false, nil
		case syscall.EINTR:
		default:
			return false, err
		}
	}
}

// releaseLock gives back a lock before its file is closed, where that matters.
func releaseLock(*os.File) {}

// linked reports whether an open file still has its name, or another.
func (s *Store) linked(_ string, info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return !ok || st.Nlink > 0
}

// ownerOf answers whom new files of a folder belong to, or nil where that needs
// no care: root makes them for the owner of the folder, everybody else can make
// only their own.
func ownerOf(folder fs.FileInfo) *owner {
	st, ok := folder.Sys().(*syscall.Stat_t)
	if !ok || os.Geteuid() != 0 || st.Uid == 0 {
		return nil
	}
	return &owner{int(st.Uid), int(st.Gid)}
}
