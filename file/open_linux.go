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
	if err != nil {
		return nil, fileError(err)
	}
	return os.NewFile(uintptr(fd), "session"), nil
}

// openFolder opens a folder below the root.
func (s *Store) openFolder(name string) (*os.File, error) {
	fd, err := openat(int(s.dir.Fd()), name, syscall.O_RDONLY|syscall.O_DIRECTORY|strict)
	if err != nil {
		return nil, folderError(err)
	}
	return os.NewFile(uintptr(fd), "folder"), nil
}

// readFront reads the beginning of the file at p, which lies in dir, and answers
// how much that is, and the size of the file.
func (s *Store) readFront(dir *os.File, p place, b []byte) (n int, size int64, err error) {
	fd, err := openat(int(dir.Fd()), p.name(), syscall.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY|strict)
	if err != nil {
		return 0, 0, fileError(err)
	}
	defer syscall.Close(fd)
	var st syscall.Stat_t
	if err = syscall.Fstat(fd, &st); err != nil {
		return 0, 0, err
	}
	if st.Mode&syscall.S_IFMT != syscall.S_IFREG {
		return 0, 0, errNotFile
	}
	want := int(min(st.Size, int64(len(b))))
	for n < want {
		m, err := syscall.Read(fd, b[n:want])
		switch {
		case err == syscall.EINTR:
		case err != nil:
			return 0, 0, err
		case m == 0: // somebody cut it
			return 0, 0, errSize
		default:
			n += m
		}
	}
	return n, st.Size, nil
}

// fileError tells what is no regular file from what cannot be opened.
func fileError(err error) error {
	switch err {
	case syscall.ELOOP, syscall.ENXIO, syscall.ENODEV, syscall.EISDIR: // a link, a socket, a device, a folder
		return errNotFile
	}
	return err
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
