package postgres

import (
	"context"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/websession/websession/sql/internal/server"
)

// settings are what each connection of ours begins with. READ COMMITTED makes a
// conditional statement wait for another one of the same row and look again; the
// stricter levels fail.
var settings = map[string]string{
	"default_transaction_isolation": "read committed",
	"application_name":              "websession",
}

// connect answers what makes connections. What the address leaves open is taken
// from where libpq, and so Perl, takes it: environment and password file.
func connect(a server.Address, wait time.Duration) (sqldriver.Connector, error) {
	var b strings.Builder
	set := func(name, value string) {
		if value != "" {
			value = strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(value)
			fmt.Fprintf(&b, "%s='%s' ", name, value)
		}
	}
	set("host", a.Host)
	set("port", fmt.Sprint(a.Port))
	set("dbname", a.Database)
	set("user", a.Username)
	set("sslmode", a.TLS.Mode)
	set("sslrootcert", a.TLS.CA)
	set("sslcert", a.TLS.Cert)
	set("sslkey", a.TLS.Key)
	c, err := pgx.ParseConfig(b.String())
	if err != nil {
		return nil, err
	}
	if a.Password != "" { // not part of a text that errors quote
		c.Password = a.Password
	}
	c.ConnectTimeout = wait
	c.DefaultQueryExecMode = pgx.QueryExecModeCacheStatement
	for name, value := range settings {
		c.RuntimeParams[name] = value
	}
	c.ValidateConnect = writable
	return describing{stdlib.GetConnector(*c, stdlib.OptionResetSession(stillThere))}, nil
}

// stillThere refuses a connection of the pool that was closed meanwhile, before
// anything is sent on it whose outcome nobody would know.
func stillThere(_ context.Context, conn *pgx.Conn) error {
	if !alive(conn.PgConn().Conn()) {
		return sqldriver.ErrBadConn
	}
	return nil
}

// describing explains why there is no connection.
type describing struct{ sqldriver.Connector }

func (d describing) Connect(ctx context.Context) (sqldriver.Conn, error) {
	conn, err := d.Connector.Connect(ctx)
	return conn, describe(err)
}

// Why a server is refused.
var (
	errStandby  = errors.New("it is a standby, which cannot be written to: name the primary server")
	errReadOnly = errors.New("it is read-only (default_transaction_read_only is on)")
)

// writable refuses a server that takes no writes.
func writable(ctx context.Context, conn *pgconn.PgConn) error {
	result := conn.ExecParams(ctx, "SELECT pg_is_in_recovery()::text, current_setting('transaction_read_only')", nil, nil, nil, nil).Read()
	switch {
	case result.Err != nil:
		return result.Err
	case len(result.Rows) != 1:
		return errors.New("the server does not answer as PostgreSQL does")
	}
	return refuse(string(result.Rows[0][0]) == "true", string(result.Rows[0][1]))
}

func refuse(standby bool, readOnly string) error {
	switch {
	case standby:
		return errStandby
	case readOnly == "on":
		return errReadOnly
	}
	return nil
}
