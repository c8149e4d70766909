//go:build unix

package servers

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"
)

// kill ends a process and its descendants at once. It is stopped first, so that
// it makes no new ones meanwhile.
func kill(pid int) error {
	signal(pid, syscall.SIGSTOP)
	return signalAll(pid, syscall.SIGKILL)
}

func pause(pid int) error {
	signal(pid, syscall.SIGSTOP)
	return signalAll(pid, syscall.SIGSTOP)
}

func proceed(pid int) error { return signalAll(pid, syscall.SIGCONT) }

func signalAll(pid int, sig syscall.Signal) (err error) {
	for _, p := range descendants(pid) {
		err = errors.Join(err, signal(p, sig))
	}
	return errors.Join(err, signal(pid, sig))
}

// signal takes a process that has ended already for one that got the signal.
func signal(pid int, sig syscall.Signal) error {
	if err := syscall.Kill(pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		return os.NewSyscallError("kill", err)
	}
	return nil
}

// owner answers who runs a server that refuses to be run by root: the first of
// these users that exists. Whoever is not root runs it as himself, which is "".
func owner(users ...string) (string, error) {
	if os.Geteuid() != 0 {
		return "", nil
	}
	for _, name := range users {
		if _, err := user.Lookup(name); err == nil {
			return name, nil
		}
	}
	return "", fmt.Errorf("the server refuses to be run by root, and none of the users %q exists: make one, or run this as another user", users)
}

func runAs(cmd *exec.Cmd, name string) error {
	uid, gid, err := ids(name)
	if err != nil {
		return err
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	return nil
}

// give makes a user the owner of a folder; "" is who runs this program.
func give(dir, name string) error {
	if name == "" {
		return nil
	}
	uid, gid, err := ids(name)
	if err != nil {
		return err
	}
	return os.Chown(dir, uid, gid)
}

func ids(name string) (uid, gid int, err error) {
	u, err := user.Lookup(name)
	if err != nil {
		return 0, 0, err
	}
	uid, err1 := strconv.Atoi(u.Uid)
	gid, err2 := strconv.Atoi(u.Gid)
	return uid, gid, errors.Join(err1, err2)
}
