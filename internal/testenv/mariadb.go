package testenv

import (
	"context"
	"database/sql"
	"fmt"
	"net"
	"slices"
	"testing"

	"github.com/go-sql-driver/mysql"

	"github.com/websession/websession/internal/servers"
)

var sharedMariaDB = &shared{
	name: "MariaDB", variable: "WEBSESSION_TEST_MARIADB", install: "mariadb-server-core",
	form: "user:password@tcp(host:port)/",
	parse: func(value string) (endpoint, error) {
		conf, err := mysql.ParseDSN(value)
		if err != nil {
			return endpoint{}, err
		}
		return endpoint{addrs: []string{conf.Addr}, dsn: value}, nil
	},
	check: func(ctx context.Context, e endpoint) error { return inMariaDB(ctx, e.dsn, "SELECT 1") },
	docker: func(ctx context.Context, e *engine) (endpoint, error) {
		addrs, stop, err := e.run(container{
			image: "mariadb:10.11", variable: "WEBSESSION_TEST_MARIADB_IMAGE",
			env:   []string{"MARIADB_ROOT_PASSWORD=" + secret},
			cmd:   []string{"mariadbd", "--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=64M"},
			ports: []int{3306},
		})
		if err != nil {
			return endpoint{}, err
		}
		found := endpoint{addrs: addrs, dsn: fmt.Sprintf("root:%s@tcp(%s)/", secret, addrs[0]), stop: stop}
		return found.await(ctx, func(ctx context.Context) error { return inMariaDB(ctx, found.dsn, "SELECT 1") })
	},
	local: func(ctx context.Context) (endpoint, error) {
		s, err := servers.StartMariaDB(ctx, nil)
		if err != nil {
			return endpoint{}, err
		}
		return endpoint{addrs: []string{s.Addr()}, dsn: s.DSN(""), stop: s.Stop}, nil
	},
}

// MariaDB answers a place on a MariaDB or MySQL server: an empty database, which
// is dropped at the end of the test. Its properties are DataSource, UserName and
// Password, as Perl's DBD::mysql takes them.
func MariaDB(tb testing.TB) *Place {
	tb.Helper()
	s := sharedMariaDB
	s.get(tb)
	name := database(tb, s, inMariaDB)
	conf, err := mysql.ParseDSN(s.dsn)
	if err != nil {
		tb.Fatal(err)
	}
	conf.DBName = name
	source := fmt.Sprintf("dbi:mysql:database=%s;mysql_socket=%s", name, conf.Addr)
	if host, port, err := net.SplitHostPort(conf.Addr); err == nil && conf.Net == "tcp" {
		source = fmt.Sprintf("dbi:mysql:database=%s;host=%s;port=%s", name, host, port)
	}
	return &Place{Properties: perlSource(source, conf.User, conf.Passwd), Addrs: slices.Clone(s.addrs), DSN: conf.FormatDSN(), how: s.how}
}

func inMariaDB(ctx context.Context, dsn, statement string) error {
	conf, err := mysql.ParseDSN(dsn)
	if err != nil {
		return err
	}
	conf.Logger = &mysql.NopLogger{} // it prints what it returns, too
	connector, err := mysql.NewConnector(conf)
	if err != nil {
		return err
	}
	db := sql.OpenDB(connector)
	defer db.Close()
	_, err = db.ExecContext(ctx, statement)
	return err
}
