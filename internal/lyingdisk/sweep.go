//go:build linux

package lyingdisk

import (
	"fmt"
	"maps"
	"slices"
	"syscall"
)

// String tells people.
func (f Fault) String() string {
	text := fmt.Sprintf("%s %d fails: %v", f.Op, f.N, f.Errno)
	if f.Last {
		text += ", and all that follow"
	}
	if f.After {
		text += ", though it is done"
	}
	return text
}

// Errnos are what operations fail with in a sweep.
var Errnos = []syscall.Errno{syscall.EIO, syscall.ENOSPC, syscall.EACCES, syscall.EINTR}

// Sweep answers every fault of a program that asks for these operations: each
// call fails with each error, alone, together with all that follow, and, if it
// changes something, though it is done. EINTR comes alone: who is interrupted may
// try until it is not.
func Sweep(counts map[Op]int) (faults []Fault) {
	for _, op := range slices.Sorted(maps.Keys(counts)) {
		for n := 1; n <= counts[op]; n++ {
			for _, errno := range Errnos {
				f := Fault{Op: op, N: n, Errno: errno}
				faults = append(faults, f)
				if errno != syscall.EINTR {
					last := f
					last.Last = true
					faults = append(faults, last)
				}
				if errno == syscall.EIO && slices.Contains(changes, op) {
					f.After = true
					faults = append(faults, f)
				}
			}
		}
	}
	return faults
}
