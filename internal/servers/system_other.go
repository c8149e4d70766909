//go:build !linux

package servers

import "os/exec"

// endWithParent can do nothing here: only Stop ends a server.
func endWithParent(*exec.Cmd) {}

// descendants finds none: signals reach the main process of a server only.
func descendants(int) []int { return nil }

func gone(int) bool { return true }
