package servers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// stopTimeout is how long a server may take to end by itself.
const stopTimeout = 5 * time.Second

// Server is one server process, which can be killed, frozen and started again on
// the same port with the same files. Its methods are safe for concurrent use;
// each waits for the one before.
type Server struct {
	name string // for people: "redis-server 127.0.0.1:15001"
	addr string
	dir  string // what it keeps; its log is beside it

	command func() (*exec.Cmd, error)
	look    func(ctx context.Context, pid int) error // nil when it answers
	ending  os.Signal                                // what ends it in order

	mu      sync.Mutex
	child   *child // nil before the first start
	paused  bool
	logFrom int64 // where the log of the present process begins
}

// Addr answers host:port. It stays the same.
func (s *Server) Addr() string { return s.addr }

// PID answers the id of the present process, or of the last one.
func (s *Server) PID() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.child == nil {
		return 0
	}
	return s.child.cmd.Process.Pid
}

// Running says whether the process is there, frozen or not.
func (s *Server) Running() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.running()
}

func (s *Server) running() bool { return s.child != nil && s.child.running() }

// Log answers the end of what the present process printed.
func (s *Server) Log() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return tail(s.log())
}

func (s *Server) log() string {
	text, _ := os.ReadFile(s.logFile())
	return string(text[min(s.logFrom, int64(len(text))):])
}

func (s *Server) logFile() string { return s.dir + ".log" }

// Kill ends the process at once, by SIGKILL, as a crash does, and returns when
// it is gone. One that does not run stays as it is.
func (s *Server) Kill() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.kill()
}

func (s *Server) kill() error {
	if !s.running() {
		return nil
	}
	pid := s.child.cmd.Process.Pid
	family := descendants(pid)
	if err := kill(pid); err != nil {
		return fmt.Errorf("servers: kill %s: %w", s.name, err)
	}
	<-s.child.done
	s.paused = false
	return await(context.Background(), s.name+" to be gone", func(context.Context) error {
		for _, p := range family {
			if !gone(p) {
				return fmt.Errorf("process %d is there", p)
			}
		}
		return nil
	})
}

// Pause freezes the process: connections stay open and nothing is answered.
func (s *Server) Pause() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.running() {
		return fmt.Errorf("servers: pause %s: it does not run", s.name)
	}
	s.paused = true
	return pause(s.child.cmd.Process.Pid)
}

// Continue ends a Pause. A server that is not frozen goes on as it did.
func (s *Server) Continue() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.proceed()
}

func (s *Server) proceed() error {
	s.paused = false
	if !s.running() {
		return nil
	}
	return proceed(s.child.cmd.Process.Pid)
}

// Restart starts the server again on its port with its files, killing it first
// if it runs, and returns when it answers. It does not wait for a set of servers
// to be whole again: Heal of the set does.
func (s *Server) Restart(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.kill(); err != nil {
		return err
	}
	return s.start(ctx)
}

// start starts the process and waits until it answers.
func (s *Server) start(ctx context.Context) error {
	cmd, err := s.command()
	if err != nil {
		return fmt.Errorf("servers: start %s: %w", s.name, err)
	}
	log, err := os.OpenFile(s.logFile(), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	if info, err := log.Stat(); err == nil {
		s.logFrom = info.Size()
	}
	cmd.Stdout, cmd.Stderr = log, log
	if s.child, err = spawn(cmd); err != nil {
		return fmt.Errorf("servers: start %s: %w", s.name, err)
	}
	s.paused = false
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	err = await(ctx, s.name+" to answer", func(ctx context.Context) error {
		if !s.child.running() {
			cancel(s.ended())
			return errors.New("it ended")
		}
		return s.look(ctx, cmd.Process.Pid)
	})
	if err != nil {
		err = fmt.Errorf("%w; the end of its log:\n%s", err, tail(s.log()))
		return errors.Join(err, s.kill())
	}
	return nil
}

func (s *Server) ended() error {
	for _, words := range []string{"Address already in use", "is in use by another process", "Failed to bind port"} {
		if strings.Contains(s.log(), words) {
			return errPortTaken
		}
	}
	return fmt.Errorf("the process has ended by itself: %w", s.child.err)
}

// stop ends the process in order, and by force if that takes too long.
func (s *Server) stop() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.running() {
		return nil
	}
	if s.paused {
		return s.kill()
	}
	if s.child.cmd.Process.Signal(s.ending) == nil {
		select {
		case <-s.child.done:
		case <-time.After(stopTimeout):
		}
	}
	return s.kill()
}

// heal brings a server back that was killed or frozen.
func (s *Server) heal(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.running() {
		return s.start(ctx)
	}
	return s.proceed()
}

// group is servers that share a temporary folder, and end together.
type group struct {
	dir     string
	ports   []int
	members []*Server
}

func newGroup(ports []int) (*group, error) {
	dir, err := os.MkdirTemp("", "websession-")
	if err != nil {
		return nil, err
	}
	// Servers that run as another user must get through.
	return &group{dir: dir, ports: ports}, os.Chmod(dir, 0o755)
}

// add makes the folder of a server that will listen on a port.
func (g *group) add(program, folder string, port int) (*Server, error) {
	addr := loopback(port)
	s := &Server{name: filepath.Base(program) + " " + addr, addr: addr, dir: filepath.Join(g.dir, folder), ending: syscall.SIGTERM}
	g.members = append(g.members, s)
	return s, os.Mkdir(s.dir, 0o755)
}

// node answers the member at an address, or nil.
func (g *group) node(addr string) *Server {
	for _, s := range g.members {
		if s.addr == addr {
			return s
		}
	}
	return nil
}

// stop ends all members and removes their folder. Doing it again is no error.
func (g *group) stop() error {
	err := g.each(func(s *Server) error { return s.stop() })
	returnPorts(g.ports)
	g.ports = nil
	return errors.Join(err, os.RemoveAll(g.dir))
}

// each does the same with all members at once.
func (g *group) each(do func(*Server) error) error { return eachOf(g.members, do) }

func eachOf(servers []*Server, do func(*Server) error) error {
	errs := make([]error, len(servers))
	var all sync.WaitGroup
	for i, s := range servers {
		all.Go(func() { errs[i] = do(s) })
	}
	all.Wait()
	return errors.Join(errs...)
}
