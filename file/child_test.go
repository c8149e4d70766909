package file

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// process is this test binary, started again to run one of children.
type process struct{ *exec.Cmd }

func child(name string, args ...string) process {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), "FILE_TEST_CHILD="+name,
		"GORACE=atexit_sleep_ms=0") // the race detector waits a second otherwise
	return process{cmd}
}

func (p process) run() error {
	out, err := p.CombinedOutput()
	if err != nil {
		return fmt.Errorf("child: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return nil
}
