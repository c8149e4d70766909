//go:build !linux

package lyingdisk

// Main does nothing where there is no FUSE.
func Main() {}
