package testenv

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/websession/websession/internal/servers"
)

var sharedPostgres = &shared{
	name: "PostgreSQL", variable: "WEBSESSION_TEST_POSTGRES", install: "postgresql",
	form:  "postgres://user:password@host:port/database?sslmode=disable",
	parse: parsePostgres,
	check: func(ctx context.Context, e endpoint) error { return inPostgres(ctx, e.dsn, "SELECT 1") },
	docker: func(ctx context.Context, e *engine) (endpoint, error) {
		addrs, stop, err := e.run(container{
			image: "postgres:15", variable: "WEBSESSION_TEST_POSTGRES_IMAGE",
			env:   []string{"POSTGRES_PASSWORD=" + secret},
			cmd:   []string{"postgres", "-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off", "-c", "max_connections=200"},
			ports: []int{5432},
		})
		if err != nil {
			return endpoint{}, err
		}
		u := url.URL{Scheme: "postgres", User: url.UserPassword("postgres", secret), Host: addrs[0], Path: "/postgres", RawQuery: "sslmode=disable"}
		found := endpoint{addrs: addrs, dsn: u.String(), stop: stop}
		return found.await(ctx, func(ctx context.Context) error { return inPostgres(ctx, found.dsn, "SELECT 1") })
	},
	local: func(ctx context.Context) (endpoint, error) {
		s, err := servers.StartPostgres(ctx, nil)
		if err != nil {
			return endpoint{}, err
		}
		return endpoint{addrs: []string{s.Addr()}, dsn: s.URL("postgres"), stop: s.Stop}, nil
	},
}

func parsePostgres(value string) (endpoint, error) {
	u, err := url.Parse(value)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return endpoint{}, errors.New("it is no URL of PostgreSQL") // which has a password in it
	}
	conf, err := pgx.ParseConfig(value)
	if err != nil {
		return endpoint{}, err
	}
	return endpoint{addrs: []string{net.JoinHostPort(conf.Host, fmt.Sprint(conf.Port))}, dsn: value}, nil
}

// Postgres answers a place on a PostgreSQL server: an empty database, which is
// dropped at the end of the test. Its properties are DataSource, UserName and
// Password, as Perl's DBD::Pg takes them.
func Postgres(tb testing.TB) *Place {
	tb.Helper()
	s := sharedPostgres
	s.get(tb)
	name := database(tb, s, inPostgres)
	u, err := url.Parse(s.dsn)
	if err != nil {
		tb.Fatal("testenv: the address of PostgreSQL is no URL")
	}
	u.Path = "/" + name
	host, port, _ := net.SplitHostPort(s.addrs[0])
	source := fmt.Sprintf("dbi:Pg:dbname=%s;host=%s;port=%s", name, host, port)
	if mode := u.Query().Get("sslmode"); mode != "" {
		source += ";sslmode=" + mode
	}
	password, _ := u.User.Password()
	return &Place{Properties: perlSource(source, u.User.Username(), password), Addrs: slices.Clone(s.addrs), DSN: u.String(), how: s.how}
}

func inPostgres(ctx context.Context, dsn, statement string) error {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, statement)
	return err
}
