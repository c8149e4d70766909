//go:build unix

package backends_test

import "syscall"

// syncDisks waits until what was written is on the disk, so that it does not get
// in the way of what is measured next.
func syncDisks() { syscall.Sync() }
