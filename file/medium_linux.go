package file

import (
	"os"
	"syscall"
)

// mediumOf answers what an open folder lies on.
func mediumOf(dir *os.File) (medium, error) {
	for {
		var st syscall.Statfs_t
		err := syscall.Fstatfs(int(dir.Fd()), &st)
		if err == nil {
			return linuxMedium(uint32(st.Type)), nil
		}
		if err != syscall.EINTR {
			return medium{}, err
		}
	}
}
