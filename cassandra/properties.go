package cassandra

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/websession/websession/internal/tlsfile"
	"github.com/websession/websession/session/driver"
)

// settings are the properties of a store.
type settings struct {
	hosts      []string // names or addresses
	port       int
	datacenter string
	username   string
	password   string
	tls        bool
	files      tlsfile.Files
	connect    time.Duration
	pool       int
	create     replication // nil: the keyspace is there
	options    Options

	route func(addr string) string // where tests connect to instead
}

// Defaults and bounds of properties.
const (
	defaultPort    = 9042
	defaultHost    = "127.0.0.1"
	defaultConnect = 5 * time.Second
	defaultPool    = 2
	mostPool       = 1000
	mostTime       = time.Hour
	mostPort       = 65535
)

func readSettings(d *driver.Decoder) settings {
	var s settings
	source := readSource(d)
	s.readHosts(d, source)
	if s.options.Keyspace = cmp.Or(d.String("keyspace", "", "the keyspace that the tables are in"), source["keyspace"]); s.options.Keyspace == "" {
		if !d.Has("DataSource") {
			d.Fail("keyspace", "is missing: the keyspace that the tables are in")
		}
	} else if err := checkKeyspace(s.options.Keyspace); err != nil {
		d.Fail("keyspace", err.Error())
	}
	if source["keyspace"] != "" && d.Has("keyspace") {
		d.Fail("keyspace", "is in DataSource, too")
	}
	s.create = readReplication(d)
	s.datacenter = d.String("datacenter", "", "the datacenter whose nodes are used; it can be left out if there is only one")
	s.username = either(d, d.String, "username", "UserName", "name of the user")
	secret := func(name, _, doc string) string { return d.Secret(name, doc) }
	s.password = either(d, secret, "password", "Password", "password of the user")
	if (s.username == "") != (s.password == "") {
		d.Fail("username", "and password belong together")
	}
	s.tls = d.Bool("ssl", false, "whether the nodes speak TLS")
	s.files = tlsfile.Read(d, "the nodes", "the nodes' certificates", s.tls)
	s.connect = bounded(d, "connect_timeout", defaultConnect, "how long connecting to a node may take")
	s.pool = d.Int("pool_size", defaultPool, 1, mostPool, "how many connections to each node are kept; each carries many calls at a time")
	s.readOptions(d)
	return s
}

func (s *settings) readOptions(d *driver.Decoder) {
	o := &s.options
	o.Table = cmp.Or(either(d, d.String, "table", "TableName", "the table of the sessions; that of the index has _index behind it"), DefaultTable)
	if err := checkTable(o.Table); err != nil {
		d.Fail("table", err.Error())
	}
	o.Consistency = d.OneOf("consistency", LocalQuorum, consistencies, "how many copies a write must have reached, and a search reads")
	o.SerialConsistency = d.OneOf("serial_consistency", LocalSerial, serials,
		"among which copies the order of the writes of a session is agreed on; applications in several datacenters need SERIAL")
	o.Conflict = d.OneOf("conflict", Versions, conflicts,
		"which of two overlapping writes counts: by versions nothing is lost; last-write-wins is faster, loses updates, and brings ended sessions back")
	o.Timeout = bounded(d, "timeout", defaultTimeout, "how long a statement may take; longer than the time-outs of the server")
}

// readHosts reads the nodes that name the others. They listen on the same port,
// since a node does not say on which port clients find itself.
func (s *settings) readHosts(d *driver.Decoder, source map[string]string) {
	list := d.List("hosts", "names or addresses of some nodes, with or without port, which name the others; "+defaultHost+" by default")
	name := "hosts"
	if text := source["hosts"]; text != "" {
		if d.Has("hosts") {
			d.Fail("hosts", "are in DataSource, too")
		}
		name, list = "DataSource", strings.Split(text, ",")
		for i, host := range list {
			if port := source["port"]; port != "" {
				list[i] = net.JoinHostPort(host, port)
			}
		}
	} else if !d.Has("hosts") {
		list = []string{defaultHost}
	}
	if len(list) == 0 {
		d.Fail(name, "is empty")
	}
	for _, text := range list {
		host, port, err := address(text)
		switch {
		case err != nil:
			d.Fail(name, err.Error())
			return
		case s.port != 0 && port != s.port:
			d.Fail(name, "must have the same port: a node does not say on which one clients find it")
			return
		}
		s.hosts, s.port = append(s.hosts, host), port
	}
}

// address answers host and port of what people write.
func address(text string) (host string, port int, err error) {
	shape := fmt.Errorf("must look like host or host:%d", defaultPort)
	if text == "" || strings.ContainsAny(text, "/@, \t\n") {
		return "", 0, shape
	}
	host, p, err := net.SplitHostPort(text)
	if err != nil {
		host, p = strings.Trim(text, "[]"), strconv.Itoa(defaultPort)
		if strings.Contains(host, ":") && net.ParseIP(host) == nil {
			return "", 0, shape
		}
	}
	port, err = strconv.Atoi(p)
	if err != nil || port < 1 || port > mostPort || host == "" {
		return "", 0, shape
	}
	return host, port, nil
}

// readSource reads a data source name of Perl's DBI.
func readSource(d *driver.Decoder) map[string]string {
	const shape = "must look like dbi:Cassandra:host=HOST;keyspace=NAME"
	text := d.String("DataSource", "", "nodes and keyspace as Perl writes them: dbi:Cassandra:host=HOST;port=9042;keyspace=NAME")
	if !d.Has("DataSource") {
		return nil
	}
	source, err := parseSource(text)
	if err == nil && source["keyspace"] == "" && !d.Has("keyspace") {
		err = errors.New("names no keyspace: it " + shape)
	} else if err != nil && err.Error() == "" {
		err = errors.New(shape)
	}
	if err != nil {
		d.Fail("DataSource", err.Error())
	}
	return source
}

// parseSource quotes nothing in its errors, since people write passwords there. An
// error without text is about the shape.
func parseSource(text string) (map[string]string, error) {
	scheme, rest, _ := strings.Cut(text, ":")
	class, rest, found := strings.Cut(rest, ":")
	if !found || !strings.EqualFold(scheme, "dbi") || class != "Cassandra" {
		return nil, errors.New("")
	}
	known := map[string]string{"host": "hosts", "hostname": "hosts", "port": "port", "keyspace": "keyspace", "db": "keyspace", "database": "keyspace"}
	source := make(map[string]string)
	for attribute := range strings.SplitSeq(rest, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(attribute), "=")
		switch property := known[name]; {
		case name == "":
		case property == "":
			return nil, errors.New("has an attribute that is unknown here: known are host, port, keyspace")
		case source[property] != "":
			return nil, fmt.Errorf("gives the %s twice", property)
		default:
			source[property] = value
		}
	}
	return source, nil
}

// either asks for a text that has two names.
func either(d *driver.Decoder, ask func(name, def, doc string) string, name, perl, doc string) string {
	a, b := ask(name, "", doc), ask(perl, "", doc)
	if d.Has(name) && d.Has(perl) {
		d.Fail(perl, "and "+name+" exclude each other")
	}
	return cmp.Or(a, b)
}

// bounded asks for a time span that is not 0.
func bounded(d *driver.Decoder, name string, def time.Duration, doc string) time.Duration {
	t := d.Duration(name, def, doc)
	if t < time.Millisecond || t > mostTime {
		d.Fail(name, "must be from a millisecond to an hour")
		return def
	}
	return t
}
