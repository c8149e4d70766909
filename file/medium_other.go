//go:build !linux && !darwin && !freebsd && !dragonfly && !windows

package file

import "os"

// mediumOf would answer what an open folder lies on.
func mediumOf(*os.File) (medium, error) { return medium{}, nil }
