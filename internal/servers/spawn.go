package servers

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
)

// child is a process of ours.
type child struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
	err  error         // how it ended; read it after done
}

// spawn starts a process that does not outlive this one. Linux sends the signal
// that sees to it when the thread ends that started the process, not when the
// whole program does: so the thread is kept until the process has ended.
func spawn(cmd *exec.Cmd) (*child, error) {
	c := &child{cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		endWithParent(cmd)
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		c.err = cmd.Wait()
		close(c.done)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return c, nil
}

func (c *child) running() bool {
	select {
	case <-c.done:
		return false
	default:
		return true
	}
}

// command is a program with little of this program's environment: variables such
// as PGDATA would lead it astray.
func command(home, user, program string, args ...string) (*exec.Cmd, error) {
	cmd := exec.Command(program, args...)
	cmd.Dir = home
	cmd.Env = []string{"LC_ALL=C", "HOME=" + home, "PATH=" + strings.Join(programFolders(), string(os.PathListSeparator))}
	if user == "" {
		return cmd, nil
	}
	return cmd, runAs(cmd, user)
}

// finish runs a program to its end and answers what it printed in its error.
func finish(ctx context.Context, cmd *exec.Cmd) error {
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	c, err := spawn(cmd)
	if err != nil {
		return err
	}
	select {
	case <-c.done:
	case <-ctx.Done():
		kill(cmd.Process.Pid)
		<-c.done
		return fmt.Errorf("%s: %w", cmd.Path, context.Cause(ctx))
	}
	if c.err != nil {
		return fmt.Errorf("%s: %w: %s", cmd.Path, c.err, tail(out.String()))
	}
	return nil
}

// tail answers the last lines of a log.
func tail(log string) string {
	lines := strings.Split(strings.TrimSpace(log), "\n")
	return strings.Join(lines[max(0, len(lines)-12):], "\n")
}
