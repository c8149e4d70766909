package servers

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// RedisOptions is what Redis servers, those of a Sentinel set or a Cluster
// included, have beyond the usual. Nil is nothing.
type RedisOptions struct {
	// Config is further lines of redis.conf, such as "maxmemory 10mb" or
	// "appendonly yes". They come last and win.
	Config []string

	// Password is asked of clients and, in a set, of each other.
	Password string

	// TLS, if it is given, is all that is spoken on the port.
	TLS *TLSFiles
}

// TLSFiles are the paths of PEM files. The certificate is that of the server at
// 127.0.0.1, and must do for a client as well.
type TLSFiles struct{ CA, Cert, Key string }

func (o *RedisOptions) get() RedisOptions {
	if o == nil {
		return RedisOptions{}
	}
	return *o
}

func (o RedisOptions) access() (access, error) {
	conf, err := o.TLS.client()
	return access{o.Password, conf}, err
}

// Redis is one Redis server. It keeps nothing on the disk unless its Config says
// so: after a Kill it is empty.
type Redis struct {
	*Server
	group *group
}

// StartRedis starts a Redis server. The context bounds the start only.
func StartRedis(ctx context.Context, o *RedisOptions) (*Redis, error) {
	return tryPorts(1, func(ports []int) (*Redis, error) {
		g, err := newGroup(ports)
		if err != nil {
			return nil, err
		}
		s, err := g.addRedis("redis", ports[0], o.get())
		if err == nil {
			err = s.Restart(ctx)
		}
		if err != nil {
			return nil, errors.Join(err, g.stop())
		}
		return &Redis{s, g}, nil
	})
}

// Socket answers the path of the server's unix socket.
func (r *Redis) Socket() string { return socket(r.Server) }

// Stop ends the server and removes its files. Doing it again is no error.
func (r *Redis) Stop() error { return r.group.stop() }

func socket(s *Server) string { return filepath.Join(s.dir, "s") }

// addRedis prepares a server; config comes between the usual lines and those of
// the options.
func (g *group) addRedis(folder string, port int, o RedisOptions, config ...string) (*Server, error) {
	return g.addRedisProgram(folder, port, o, append([]string{
		`save ""`,
		"appendonly no",
		"repl-diskless-sync-delay 0",
		"repl-ping-replica-period 1",
	}, config...))
}

// addRedisProgram prepares a Redis server or, with further arguments, a Sentinel.
// Its file of settings is written once: servers change their own.
func (g *group) addRedisProgram(folder string, port int, o RedisOptions, config []string, args ...string) (*Server, error) {
	program, err := find("redis-server", "redis-server", "valkey-server")
	if err != nil {
		return nil, err
	}
	acc, err := o.access()
	if err != nil {
		return nil, err
	}
	s, err := g.add(program, folder, port)
	if err != nil {
		return nil, err
	}
	lines := []string{"bind 127.0.0.1", "daemonize no", "dir " + strconv.Quote(s.dir), "unixsocket " + strconv.Quote(socket(s))}
	if o.TLS == nil {
		lines = append(lines, fmt.Sprint("port ", port))
	} else {
		lines = append(lines, "port 0", fmt.Sprint("tls-port ", port), "tls-replication yes",
			"tls-ca-cert-file "+strconv.Quote(o.TLS.CA), "tls-cert-file "+strconv.Quote(o.TLS.Cert), "tls-key-file "+strconv.Quote(o.TLS.Key))
	}
	if o.Password != "" {
		lines = append(lines, "requirepass "+strconv.Quote(o.Password))
	}
	lines = append(append(lines, config...), o.Config...)
	file := filepath.Join(s.dir, "redis.conf")
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		return nil, err
	}
	s.command = func() (*exec.Cmd, error) { return command(s.dir, "", program, append([]string{file}, args...)...) }
	s.look = func(ctx context.Context, pid int) error { return acc.answersAs(ctx, s.addr, pid) }
	return s, nil
}

// answersAs says whether the server at an address is this process, and serves.
func (a access) answersAs(ctx context.Context, addr string, pid int) error {
	info, err := a.text(ctx, addr, "INFO", "server")
	var refused redisError
	if errors.As(err, &refused) && !strings.HasPrefix(string(refused), "LOADING") {
		return nil // it is there, and access rules of the caller's keep us out
	}
	if err != nil {
		return err
	}
	if got := fields(info)["process_id"]; got != strconv.Itoa(pid) {
		return fmt.Errorf("process %s answers instead of %d", got, pid)
	}
	_, err = a.ask(ctx, addr, "PING")
	return err
}

func splitAddr(addr string) (host, port string) {
	host, port, _ = net.SplitHostPort(addr)
	return host, port
}
