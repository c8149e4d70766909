package mysql

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"

	"github.com/go-sql-driver/mysql"

	"github.com/websession/websession/sql/internal/server"
)

// connect answers what makes connections.
func connect(a server.Address) (sqldriver.Connector, error) {
	c := mysql.NewConfig()
	c.Net, c.Addr = "tcp", net.JoinHostPort(a.Host, strconv.Itoa(a.Port))
	if a.Socket != "" {
		c.Net, c.Addr = "unix", a.Socket
	}
	c.User, c.Passwd, c.DBName = a.Username, a.Password, a.Database
	c.ClientFoundRows = true // a row that was found counts, even if nothing changed
	c.MaxAllowedPacket = 0   // as the server has it, so that it need not cut the connection
	c.Logger = &mysql.NopLogger{}
	// Whatever the server's defaults are: every statement is a transaction, and
	// a value that does not fit is refused.
	c.Params = map[string]string{
		"autocommit":       "1",
		"sql_mode":         "'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,ERROR_FOR_DIVISION_BY_ZERO'",
		"sql_safe_updates": "0",
	}
	if err := c.Apply(mysql.Charset("utf8mb4", "")); err != nil {
		return nil, err
	}
	var err error
	if c.TLS, err = tlsConfig(a); err != nil {
		return nil, err
	}
	c.AllowFallbackToPlaintext = a.TLS.Mode == server.Prefer
	inner, err := NewConnector(c)
	if err != nil {
		return nil, errors.New("the address of the server is not valid") // the error may quote the password
	}
	return preparing{inner}, nil
}

// tlsConfig answers how connections are encrypted; nil means not at all.
func tlsConfig(a server.Address) (*tls.Config, error) {
	if a.TLS.Mode == server.Disable {
		return nil, nil
	}
	c := &tls.Config{ServerName: a.Host}
	if a.TLS.CA != "" {
		pem, err := os.ReadFile(a.TLS.CA)
		if err != nil {
			return nil, fmt.Errorf("tls_ca: %w", err)
		}
		if c.RootCAs = x509.NewCertPool(); !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("tls_ca: the file %q has no certificate", a.TLS.CA)
		}
	}
	if a.TLS.Cert != "" {
		pair, err := tls.LoadX509KeyPair(a.TLS.Cert, a.TLS.Key)
		if err != nil {
			return nil, fmt.Errorf("tls_cert, tls_key: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	switch a.TLS.Mode {
	case server.Prefer, server.Require:
		c.InsecureSkipVerify = true
	case server.VerifyCA:
		c.InsecureSkipVerify = true // the name only: see below
		roots := c.RootCAs
		c.VerifyConnection = func(s tls.ConnectionState) error {
			o := x509.VerifyOptions{Roots: roots, Intermediates: x509.NewCertPool()}
			for _, cert := range s.PeerCertificates[1:] {
				o.Intermediates.AddCert(cert)
			}
			_, err := s.PeerCertificates[0].Verify(o)
			return err
		}
	}
	return c, nil
}

// isolation makes a conditional statement lock its row and nothing around it.
const isolation = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"

// preparing makes connections ready.
type preparing struct{ sqldriver.Connector }

func (p preparing) Connect(ctx context.Context) (sqldriver.Conn, error) {
	conn, err := p.Connector.Connect(ctx)
	if err != nil {
		return nil, describe(&unreachable{err})
	}
	if _, err := conn.(sqldriver.ExecerContext).ExecContext(ctx, isolation, nil); err != nil {
		conn.Close()
		return nil, describe(err)
	}
	return conn, nil
}

// unreachable is the error of a connection that was not made.
type unreachable struct{ err error }

func (u *unreachable) Error() string { return u.err.Error() }
func (u *unreachable) Unwrap() error { return u.err }
