package redis

import (
	"strconv"
	"strings"
	"time"

	"github.com/websession/websession/internal/tlsfile"
	"github.com/websession/websession/session/driver"
)

// kind is how a store connects.
type kind int

const (
	oneServer kind = iota
	viaSentinel
	inCluster
)

// settings are the properties of a store. A time-out of 0 is none.
type settings struct {
	kind      kind
	servers   []string // host:port; several in a cluster
	sock      string
	sentinels []string
	service   string
	watcher   credentials // of the Sentinels
	watchTLS  bool
	watchTime timeouts

	time      timeouts
	login     credentials
	tls       bool
	files     tlsfile.Files
	reconnect time.Duration
	every     time.Duration
	name      string
	database  int
	poolSize  int
	options   Options

	route func(addr string) string // where tests connect to instead
}

type credentials struct{ username, password string }

type timeouts struct{ connect, read, write time.Duration }

// Defaults and bounds of properties.
const (
	defaultServer  = "127.0.0.1:6379"
	redisPort      = "6379"
	sentinelPort   = "26379"
	defaultConnect = 2 * time.Second
	defaultAnswer  = 3 * time.Second
	defaultPool    = 64
	mostPool       = 10000
	mostTime       = time.Hour
)

// readServer reads what names one server.
func (s *settings) readServer(d *driver.Decoder) {
	text := d.String("server", defaultServer, "host and port of the server")
	if a, err := address(text, redisPort); err != nil {
		d.Fail("server", err.Error())
	} else {
		s.servers = []string{a}
	}
	s.sock = d.String("sock", "", "path of the server's Unix socket; it goes before server and sentinels")
}

// readServers reads what names a cluster.
func (s *settings) readServers(d *driver.Decoder) {
	s.servers = addresses(d, "server", redisPort, "host and port of some nodes of the cluster, which name the others")
	if !d.Has("server") {
		d.Fail("server", "is missing: host and port of some nodes of the cluster")
	}
}

// readSentinels reads what names a master by way of Sentinel.
func (s *settings) readSentinels(d *driver.Decoder, required bool) {
	s.sentinels = addresses(d, "sentinels", sentinelPort, "host and port of the Sentinels, which name the master")
	s.service = d.String("service", "", "the name of the master that the Sentinels watch")
	s.watchTime = timeouts{
		connect: duration(d, "sentinels_cnx_timeout", 100*time.Millisecond, "how long connecting to a Sentinel may take; 0 means no limit"),
		read:    duration(d, "sentinels_read_timeout", time.Second, "how long a Sentinel may take to answer; 0 means no limit"),
		write:   duration(d, "sentinels_write_timeout", time.Second, "how long sending to a Sentinel may take; 0 means no limit"),
	}
	s.watcher.username = d.String("sentinels_username", "", "user name for the Sentinels")
	s.watcher.password = d.Secret("sentinels_password", "password for the Sentinels")
	s.watchTLS = d.Bool("sentinels_ssl", false, "whether the Sentinels speak TLS")
	d.Ignore("the list of Sentinels is kept as it is written here", "no_sentinels_list_update")
	switch {
	case required && !d.Has("sentinels"):
		d.Fail("sentinels", "is missing: host and port of the Sentinels")
	case d.Has("sentinels") && s.service == "":
		d.Fail("service", "is missing: the name of the master that the Sentinels watch")
	case !d.Has("sentinels") && d.Has("service") && !required:
		d.Fail("service", "means nothing without sentinels")
	}
	if (required || d.Has("sentinels")) && s.sock == "" {
		s.kind, s.servers = viaSentinel, nil
	}
}

func (s *settings) readDatabase(d *driver.Decoder) {
	s.database = d.Int("database", 0, 0, 1<<20, "number of the database")
}

// readCommon reads what every way of connecting has.
func (s *settings) readCommon(d *driver.Decoder) {
	s.time = timeouts{
		connect: duration(d, "cnx_timeout", defaultConnect, "how long connecting to a server may take; 0 means no limit"),
		read:    duration(d, "read_timeout", defaultAnswer, "how long a server may take to answer; 0 means no limit"),
		write:   duration(d, "write_timeout", defaultAnswer, "how long sending to a server may take; 0 means no limit"),
	}
	s.login.username = d.String("username", "", "user name of the server's access list")
	s.login.password = d.Secret("password", "password of the user, or of the server")
	if s.login.username != "" && s.login.password == "" {
		d.Fail("username", "means nothing without password")
	}
	s.tls = d.Bool("ssl", false, "whether the server speaks TLS")
	s.files = tlsfile.Read(d, "the server", "the server's certificate", s.tls || s.watchTLS)
	s.reconnect = duration(d, "reconnect", 0, "how long a connection that cannot be made is tried again; 0 means it is not")
	s.every = s.readEvery(d)
	s.name = d.String("name", "", "what the connections are called in the server's CLIENT LIST")
	if strings.ContainsFunc(s.name, func(r rune) bool { return r <= ' ' || r > '~' }) {
		d.Fail("name", "must have printable characters, and no spaces")
	}
	s.poolSize = d.Int("pool_size", defaultPool, 1, mostPool, "how many connections to a server are kept at most")
	s.readOptions(d)
	d.Ignore("connections are kept, and made when they are needed",
		"conservative_reconnect", "no_auto_connect_on_new", "on_connect", "debug", "encoding")
}

// readOptions reads what New takes, too.
func (s *settings) readOptions(d *driver.Decoder) {
	o := Options{Prefix: d.String("prefix", DefaultPrefix, "what the names of all keys begin with")}
	if err := checkPrefix(o.Prefix); err != nil {
		d.Fail("prefix", err.Error())
	} else if o.Prefix == "" {
		d.Fail("prefix", "must not be empty")
	}
	o.WaitReplicas = d.Int("wait_replicas", 0, 0, mostReplicas, "how many replicas must have a write before it is answered as applied")
	o.WaitTimeout = d.Duration("wait_timeout", defaultWait, "how long waiting for the replicas may take")
	switch {
	case o.WaitTimeout < time.Millisecond:
		d.Fail("wait_timeout", "must be a millisecond at least")
	case o.WaitReplicas > 0 && s.time.read > 0 && o.WaitTimeout >= s.time.read:
		d.Fail("wait_timeout", "must be shorter than read_timeout")
	}
	o.NoPipelining = !d.Bool("pipelining", true, "calls go out together when there are many at the same time")
	s.options = o
}

// readEvery reads a pause, which Perl counts in microseconds.
func (s *settings) readEvery(d *driver.Decoder) time.Duration {
	const def = time.Millisecond
	text := strings.TrimSpace(d.String("every", "1ms", "pause between tries to connect: a number of microseconds, as in Perl, or a duration"))
	t, err := time.ParseDuration(text)
	if us, ferr := strconv.ParseFloat(text, 64); ferr == nil && us >= 0 && us < 1e12 {
		t, err = time.Duration(us*float64(time.Microsecond)), nil
	}
	if err != nil || t < 0 || t > mostTime {
		d.Fail("every", `must be a number of microseconds ("1000") or a duration ("1ms")`)
		return def
	}
	return max(t, 100*time.Microsecond)
}

// duration reads a time span up to an hour.
func duration(d *driver.Decoder, name string, def time.Duration, doc string) time.Duration {
	t := d.Duration(name, def, doc)
	if t > mostTime {
		d.Fail(name, "must be an hour at most")
		return def
	}
	return t
}

// addresses reads a list of host:port.
func addresses(d *driver.Decoder, name, port, doc string) []string {
	var all []string
	list := d.List(name, doc)
	for _, text := range list {
		a, err := address(text, port)
		if err != nil {
			d.Fail(name, err.Error())
			return nil
		}
		all = append(all, a)
	}
	if d.Has(name) && list != nil && len(all) == 0 {
		d.Fail(name, "is empty")
	}
	return all
}
