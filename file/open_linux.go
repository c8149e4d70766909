package file

import (
	"os"
	"syscall"
)

const strict = syscall.O_NOFOLLOW | syscall.O_CLOEXEC

// openIn opens a file in a folder below the root. The kernel refuses symbolic
// links in both names, which os.Root would follow as far as they stay inside.
func (s *Store) openIn(folder, name string, flag int) (*os.File, error) {
	dir, err := openat(int(s.dir.Fd()), folder, syscall.O_RDONLY|syscall.O_DIRECTORY|strict)
	if err != nil {
		return nil, folderError(err)
	}
	fd, err := openat(dir, name, flag|syscall.O_NOCTTY|strict)
	syscall.Close(dir)
	switch err {
	case nil:
		return os.NewFile(uintptr(fd), "session"), nil
	case syscall.ELOOP, syscall.ENXIO, syscall.ENODEV, syscall.EISDIR: // a link, a socket, a device, a folder
		return nil, errNotFile
	}
	return nil, err
}

// openFolder opens a folder below the root.
func (s *Store) openFolder(name string) (*os.File, error) {
	fd, err := openat(int(s.dir.Fd()), name, syscall.O_RDONLY|syscall.O_DIRECTORY|strict)
	if err != nil {
		return nil, folderError(err)
	}
	return os.NewFile(uintptr(fd), "folder"), nil
}

func folderError(err error) error {
	if err == syscall.ELOOP || err == syscall.ENOTDIR {
		return errNotFolder
	}
	return err
}

func openat(dir int, name string, flag int) (int, error) {
	for {
		fd, err := syscall.Openat(dir, name, flag, 0o600)
		if err != syscall.EINTR {
			return fd, err
		}
	}
}
