//go:build darwin || freebsd || dragonfly

package file

import (
	"os"
	"syscall"
)

// mediumOf answers what an open folder lies on.
func mediumOf(dir *os.File) (medium, error) {
	var st syscall.Statfs_t
	for {
		err := syscall.Fstatfs(int(dir.Fd()), &st)
		if err == nil {
			break
		}
		if err != syscall.EINTR {
			return medium{}, err
		}
	}
	var name []byte
	for _, c := range st.Fstypename {
		if c == 0 {
			break
		}
		name = append(name, byte(c))
	}
	return bsdMedium(string(name)), nil
}
