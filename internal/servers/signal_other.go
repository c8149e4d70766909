//go:build !unix

package servers

import (
	"errors"
	"os"
	"os/exec"
)

func kill(pid int) error {
	p, err := os.FindProcess(pid)
	if err != nil {
		return nil
	}
	return p.Kill()
}

func pause(int) error { return errors.ErrUnsupported }

func proceed(int) error { return nil }

func owner(...string) (string, error) { return "", nil }

func runAs(*exec.Cmd, string) error { return errors.ErrUnsupported }

func give(string, string) error { return nil }
