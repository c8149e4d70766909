//go:build !linux

package sqlite

// networkFileSystem knows nothing about other systems.
func networkFileSystem(string) string { return "" }
