package file

import (
	"os"
	"path/filepath"
	"syscall"
	"unsafe"
)

var getDriveType = kernel32.NewProc("GetDriveTypeW")

// mediumOf answers what an open folder lies on.
func mediumOf(dir *os.File) (medium, error) {
	path, err := filepath.EvalSymlinks(dir.Name())
	if err != nil {
		return medium{}, err
	}
	volume := filepath.VolumeName(path)
	root, err := syscall.UTF16PtrFromString(volume + `\`)
	if err != nil {
		return medium{}, err
	}
	drive, _, _ := getDriveType.Call(uintptr(unsafe.Pointer(root))) // fails with "unknown"
	return windowsMedium(volume, uint32(drive)), nil
}
