package servers

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// PostgresOptions is what a PostgreSQL server has beyond the usual. Nil is
// nothing.
type PostgresOptions struct {
	// Config is further settings, such as "max_connections=20". They win.
	Config []string

	// Password of the user postgres; "" lets everybody in.
	Password string

	// Durable leaves syncing switched on, as a server has it that keeps what it
	// has confirmed.
	Durable bool
}

// Postgres is a PostgreSQL server with the superuser postgres.
type Postgres struct {
	*Server
	group    *group
	password string
}

// StartPostgres makes an empty PostgreSQL server and starts it. As root it runs
// as the user postgres. The context bounds the start only.
func StartPostgres(ctx context.Context, o *PostgresOptions) (*Postgres, error) {
	if o == nil {
		o = &PostgresOptions{}
	}
	return tryPorts(1, func(ports []int) (*Postgres, error) {
		g, err := newGroup(ports)
		if err != nil {
			return nil, err
		}
		s, err := g.addPostgres(ctx, ports[0], *o)
		if err == nil {
			err = s.Restart(ctx)
		}
		if err != nil {
			return nil, errors.Join(err, g.stop())
		}
		return &Postgres{s, g, o.Password}, nil
	})
}

// URL answers the address of a database as a URL; "postgres" always exists.
func (p *Postgres) URL(database string) string {
	u := url.URL{Scheme: "postgres", User: url.UserPassword("postgres", p.password), Host: p.addr, Path: database, RawQuery: "sslmode=disable"}
	return u.String()
}

// Stop ends the server and removes its files. Doing it again is no error.
func (p *Postgres) Stop() error { return p.group.stop() }

func (g *group) addPostgres(ctx context.Context, port int, o PostgresOptions) (*Server, error) {
	initdb, err := findPostgres("initdb")
	if err != nil {
		return nil, err
	}
	user, err := owner("postgres")
	if err != nil {
		return nil, fmt.Errorf("servers: postgres: %w", err)
	}
	// The program of the same version lies beside initdb.
	program := filepath.Join(filepath.Dir(initdb), "postgres")
	s, err := g.add(program, "postgres", port)
	if err != nil {
		return nil, err
	}
	s.ending = syscall.SIGINT // SIGTERM would wait until all clients have gone
	if err := give(s.dir, user); err != nil {
		return nil, err
	}
	data := filepath.Join(s.dir, "data")
	args := []string{"-D", data, "-U", "postgres", "--no-sync", "-E", "UTF8", "--locale=C.UTF-8"}
	if o.Password == "" {
		args = append(args, "-A", "trust")
	} else {
		file := filepath.Join(s.dir, "password")
		if err := os.WriteFile(file, []byte(o.Password+"\n"), 0o644); err != nil {
			return nil, err
		}
		args = append(args, "-A", "scram-sha-256", "--pwfile="+file)
	}
	cmd, err := command(s.dir, user, initdb, args...)
	if err != nil {
		return nil, err
	}
	if err := finish(ctx, cmd); err != nil {
		return nil, fmt.Errorf("servers: make a PostgreSQL database: %w", err)
	}
	settings := []string{"listen_addresses=127.0.0.1", fmt.Sprint("port=", port), "unix_socket_directories=" + s.dir,
		"shared_buffers=32MB", "max_connections=200"}
	if !o.Durable {
		settings = append(settings, "fsync=off", "synchronous_commit=off", "full_page_writes=off")
	}
	run := []string{"-D", data}
	for _, setting := range append(settings, o.Config...) {
		run = append(run, "-c", setting)
	}
	s.command = func() (*exec.Cmd, error) { return command(s.dir, user, program, run...) }
	s.look = func(_ context.Context, pid int) error {
		return postgresReady(filepath.Join(data, "postmaster.pid"), pid)
	}
	return s, nil
}

// postgresReady reads what pg_ctl reads too: the file says in its first line
// which process wrote it, and in its eighth how far that is.
func postgresReady(file string, pid int) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	lines := strings.Split(string(text), "\n")
	if len(lines) < 8 || lines[0] != strconv.Itoa(pid) {
		return errors.New("it has not opened its files yet")
	}
	if status := strings.TrimSpace(lines[7]); status != "ready" {
		return fmt.Errorf("its state is %q", status)
	}
	return nil
}

// findPostgres looks where Debian keeps each version, newest first, and then on
// PATH: the programs must not be mixed.
func findPostgres(name string) (string, error) {
	found, _ := filepath.Glob(filepath.Join(postgresFolders, name))
	version := func(path string) int {
		n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
		return n
	}
	slices.SortFunc(found, func(a, b string) int { return version(b) - version(a) })
	if len(found) > 0 {
		return found[0], nil
	}
	path, err := find("postgresql", name)
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(path)
}

// postgresFolders is the pattern of the folders of Debian's packages.
var postgresFolders = "/usr/lib/postgresql/*/bin"
