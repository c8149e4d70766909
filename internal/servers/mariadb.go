package servers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// The user of a MariaDB server, who may do everything.
const (
	MariaDBUser     = "websession"
	MariaDBPassword = "secret"
)

// MariaDBOptions is what a MariaDB server has beyond the usual. Nil is nothing.
type MariaDBOptions struct {
	// Config is further options, such as "--sql-mode=". They win.
	Config []string

	// Durable has every commit written to the disk, as a server does that keeps
	// what it has confirmed.
	Durable bool
}

// MariaDB is a MariaDB server.
type MariaDB struct {
	*Server
	group *group
}

// StartMariaDB makes an empty MariaDB server and starts it. As root it runs as
// the user mysql, or as nobody. The context bounds the start only.
func StartMariaDB(ctx context.Context, o *MariaDBOptions) (*MariaDB, error) {
	if o == nil {
		o = &MariaDBOptions{}
	}
	return tryPorts(1, func(ports []int) (*MariaDB, error) {
		g, err := newGroup(ports)
		if err != nil {
			return nil, err
		}
		s, err := g.addMariaDB(ctx, ports[0], *o)
		if err == nil {
			err = s.Restart(ctx)
		}
		if err != nil {
			return nil, errors.Join(err, g.stop())
		}
		return &MariaDB{s, g}, nil
	})
}

// DSN answers the address of a database in the form of go-sql-driver/mysql; ""
// is none, and there are none at first.
func (m *MariaDB) DSN(database string) string {
	return fmt.Sprintf("%s:%s@tcp(%s)/%s", MariaDBUser, MariaDBPassword, m.addr, database)
}

// Socket answers the path of the server's unix socket.
func (m *MariaDB) Socket() string { return socket(m.Server) }

// Stop ends the server and removes its files. Doing it again is no error.
func (m *MariaDB) Stop() error { return m.group.stop() }

func (g *group) addMariaDB(ctx context.Context, port int, o MariaDBOptions) (*Server, error) {
	const pkg = "mariadb-server-core"
	program, err1 := find(pkg, "mariadbd")
	install, err2 := find(pkg, "mariadb-install-db")
	user, err3 := owner("mysql", "nobody")
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, err
	}
	s, err := g.add(program, "mariadb", port)
	if err != nil {
		return nil, err
	}
	if err := give(s.dir, user); err != nil {
		return nil, err
	}
	flush := "--innodb-flush-log-at-trx-commit=0"
	if o.Durable {
		flush = "--innodb-flush-log-at-trx-commit=1"
	}
	data := "--datadir=" + filepath.Join(s.dir, "data")
	// Without --no-defaults in the first place the settings of an installed
	// server would be read: its port, its socket, its user.
	cmd, err := command(s.dir, user, install, "--no-defaults", data, "--auth-root-authentication-method=normal", "--skip-test-db",
		"--skip-name-resolve", "--innodb-flush-log-at-trx-commit=0")
	if err != nil {
		return nil, err
	}
	if err := finish(ctx, cmd); err != nil {
		return nil, fmt.Errorf("servers: make a MariaDB database: %w", err)
	}
	// The server runs these statements before it lets anybody in.
	init := filepath.Join(s.dir, "init.sql")
	account := fmt.Sprintf("'%s'@'127.0.0.1'", MariaDBUser)
	statements := []string{
		fmt.Sprintf("CREATE USER IF NOT EXISTS %s IDENTIFIED BY '%s';", account, MariaDBPassword),
		fmt.Sprintf("GRANT ALL ON *.* TO %s WITH GRANT OPTION;", account),
	}
	if err := os.WriteFile(init, []byte(strings.Join(statements, "\n")+"\n"), 0o644); err != nil {
		return nil, err
	}
	args := append([]string{"--no-defaults", data, fmt.Sprint("--port=", port), "--bind-address=127.0.0.1", "--socket=" + socket(s),
		"--pid-file=" + filepath.Join(s.dir, "pid"), "--skip-name-resolve", "--init-file=" + init, flush,
		"--innodb-buffer-pool-size=64M", "--innodb-log-file-size=16M", "--performance-schema=OFF"}, o.Config...)
	s.command = func() (*exec.Cmd, error) { return command(s.dir, user, program, args...) }
	s.look = func(context.Context, int) error { return greets(socket(s)) }
	return s, nil
}

// greets says whether MariaDB says hello at a socket, as it does first of all.
// The socket cannot be another server's, as a port could.
func greets(socket string) error {
	conn, err := net.DialTimeout("unix", socket, lookTimeout)
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(lookTimeout))
	var head [5]byte // length, number, and the version of the protocol
	if _, err := io.ReadFull(conn, head[:]); err != nil {
		return err
	}
	if head[4] != 10 {
		return fmt.Errorf("it refuses with a packet of the kind %#x", head[4])
	}
	return nil
}
