package server

import (
	"cmp"
	"fmt"
	"strconv"
	"time"

	"github.com/websession/websession/session/driver"
	websql "github.com/websession/websession/sql"
)

// Defaults and bounds of Properties.
const (
	DefaultConnect = 5 * time.Second
	DefaultTimeout = 10 * time.Second
	DefaultPool    = 16
	DefaultLock    = 10 * time.Second

	mostPool = 10000
	mostWait = time.Hour
	mostPort = 65535
)

// Kind is what differs between the servers.
type Kind struct {
	Name    string   // "PostgreSQL"
	Perl    []string // names of DBI drivers: "Pg"
	Scheme  string   // of URLs, for people: "postgres"
	Port    int
	Host    string // "" where the database driver has a default
	Locking string // the value of the property locking beside "none"

	// Source translates attributes of a data source name of Perl's DBI.
	Source map[string]string
}

// Address leads to a database.
type Address struct {
	Host, Socket, Database, Username, Password string
	Port                                       int
	TLS                                        TLS
}

// TLS is how a connection is encrypted.
type TLS struct{ Mode, CA, Cert, Key string }

// Modes of TLS, weakest first, in the names of PostgreSQL.
const (
	Disable    = "disable"
	Prefer     = "prefer"
	Require    = "require"
	VerifyCA   = "verify-ca"
	VerifyFull = "verify-full"
)

// Properties is what a configuration says.
type Properties struct {
	Address
	Table            string
	Connect, Timeout time.Duration
	Pool             int

	Locking  bool
	LockWait time.Duration
	LockPool int
	LockAt   Address
	LockIdle bool // a place for locks is named, and nothing is locked
}

// Decode asks for all properties.
func (k Kind) Decode(d *driver.Decoder) Properties {
	var p Properties
	k.address(d, &p.Address)
	p.Table = either(d, "table", "TableName", "the table of the sessions")
	p.Table = cmp.Or(p.Table, websql.DefaultTable)
	if err := websql.CheckTable(p.Table); err != nil {
		d.Fail(given(d, "table", "TableName"), err.Error())
	}
	p.Connect = bounded(d, "connect_timeout", DefaultConnect, "how long connecting may take")
	p.Timeout = bounded(d, "timeout", DefaultTimeout, "how long a call may take")
	p.Pool = d.Int("pool_size", DefaultPool, 1, mostPool, "how many connections the store has at most")

	const none = "none"
	p.Locking = d.OneOf("locking", none, []string{none, k.Locking},
		"what keeps others away from a session while a request works on it, as Perl does; nothing is lost without, and with it the requests of a session queue") != none
	p.LockWait = bounded(d, "lock_timeout", DefaultLock, "how long the lock of a session is waited for")
	p.LockPool = d.Int("lock_pool_size", DefaultPool, 1, mostPool, "how many connections hold locks at most, one lock each, beside those of pool_size")
	k.lockAddress(d, &p)
	d.Ignore("every statement is a transaction", "Commit")
	return p
}

// given answers which of two names of a property a fault is about.
func given(d *driver.Decoder, name, perl string) string {
	if d.Has(perl) && !d.Has(name) {
		return perl
	}
	return name
}

// either asks for a text that has two names.
func either(d *driver.Decoder, name, other, doc string) string {
	a, b := d.String(name, "", doc), d.String(other, "", doc)
	if d.Has(name) && d.Has(other) {
		d.Fail(other, "and "+name+" exclude each other")
	}
	return cmp.Or(a, b)
}

func eitherSecret(d *driver.Decoder, name, other, doc string) string {
	a, b := d.Secret(name, doc), d.Secret(other, doc)
	if d.Has(name) && d.Has(other) {
		d.Fail(other, "and "+name+" exclude each other")
	}
	return cmp.Or(a, b)
}

// bounded asks for a time span that is not 0.
func bounded(d *driver.Decoder, name string, def time.Duration, doc string) time.Duration {
	t := d.Duration(name, def, doc)
	if t < time.Millisecond || t > mostWait {
		d.Fail(name, "must be from a millisecond to an hour")
		return def
	}
	return t
}

// address asks for the properties that lead to the database.
func (k Kind) address(d *driver.Decoder, a *Address) {
	source := map[string]string{}
	text := d.String("DataSource", "", "the database as Perl writes it: "+k.shape())
	if d.Has("DataSource") {
		var err error
		if source, err = k.parse(text); err != nil {
			d.Fail("DataSource", err.Error())
		}
	}
	// part asks for what the data source says, too.
	part := func(name, doc string) string {
		own := d.String(name, "", doc)
		if source[name] != "" && d.Has(name) {
			d.Fail(name, "is in DataSource, too")
		}
		return cmp.Or(own, source[name])
	}
	a.Host = part("host", "name or address of the server")
	if k.Source["mysql_socket"] != "" {
		a.Socket = part("socket", "path of the server's Unix socket, instead of host and port")
	}
	if a.Socket != "" && a.Host != "" && !d.Has("DataSource") {
		d.Fail("socket", "and host exclude each other")
	}
	a.Host = cmp.Or(a.Host, k.Host)
	a.Port = d.Int("port", k.Port, 1, mostPort, "port of the server")
	if text := source["port"]; text != "" {
		n, err := strconv.Atoi(text)
		switch {
		case d.Has("port"):
			d.Fail("port", "is in DataSource, too")
		case err != nil || n < 1 || n > mostPort:
			d.Fail("DataSource", fmt.Sprintf("has a port that is no number from 1 to %d", mostPort))
		default:
			a.Port = n
		}
	}
	if a.Database = part("database", "name of the database"); a.Database == "" && !d.Has("DataSource") {
		d.Fail("database", "is missing: the name of the database")
	}
	a.Username = either(d, "username", "UserName", "name of the database user")
	a.Password = eitherSecret(d, "password", "Password", "password of the database user")

	modes := []string{Disable, Prefer, Require, VerifyCA, VerifyFull}
	a.TLS.Mode = d.OneOf("sslmode", Prefer, modes, "whether connections are encrypted, and the server's certificate verified")
	if mode := source["sslmode"]; mode != "" {
		switch a.TLS.Mode = ""; {
		case d.Has("sslmode"):
			d.Fail("sslmode", "is in DataSource, too")
		default:
			for _, m := range modes {
				if m == mode {
					a.TLS.Mode = m
				}
			}
			if a.TLS.Mode == "" {
				d.Fail("DataSource", fmt.Sprintf("has an sslmode that is none of %v", modes))
			}
		}
	}
	a.TLS.CA = part("tls_ca", "file with the certificates of authorities that are trusted, instead of the system's")
	a.TLS.Cert = part("tls_cert", "file with the certificate that is shown to the server")
	a.TLS.Key = part("tls_key", "file with the key of tls_cert")
	if (a.TLS.Cert == "") != (a.TLS.Key == "") {
		d.Fail("tls_cert", "and tls_key need each other")
	}
	if a.TLS.Mode == Disable && (a.TLS.CA != "" || a.TLS.Cert != "") {
		d.Fail("sslmode", "is disable, and there are files for TLS")
	}
}

// lockAddress asks for Perl's properties about where locks are held.
func (k Kind) lockAddress(d *driver.Decoder, p *Properties) {
	p.LockAt = p.Address
	text := d.String("LockDataSource", "", "the database whose server holds the locks, as Perl writes it; that of the sessions by default")
	name := d.String("LockUserName", "", "name of the database user that holds locks")
	password := d.Secret("LockPassword", "password of the database user that holds locks")
	if name != "" {
		p.LockAt.Username = name
	}
	if password != "" || name != "" {
		p.LockAt.Password = password
	}
	p.LockIdle = !p.Locking && (d.Has("LockDataSource") || name != "" || password != "")
	if !d.Has("LockDataSource") {
		return
	}
	source, err := k.parse(text)
	if err != nil {
		d.Fail("LockDataSource", err.Error())
		return
	}
	p.LockAt.Host, p.LockAt.Socket, p.LockAt.Database = cmp.Or(source["host"], k.Host), source["socket"], source["database"]
	p.LockAt.Port = k.Port
	if text := source["port"]; text != "" {
		if p.LockAt.Port, err = strconv.Atoi(text); err != nil || p.LockAt.Port < 1 || p.LockAt.Port > mostPort {
			d.Fail("LockDataSource", fmt.Sprintf("has a port that is no number from 1 to %d", mostPort))
		}
	}
}
