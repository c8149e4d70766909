package sqlite

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"time"

	"github.com/websession/websession/session/driver"
	websql "github.com/websession/websession/sql"
)

func init() { driver.Register(Driver{}) }

// Synchronous says which writes survive a power cut. A crash of the process
// alone loses nothing.
type Synchronous string

const (
	// Full: a write that was answered survives. This is the default.
	Full Synchronous = "full"

	// Normal: the last writes, deletions among them, may be lost; the database
	// stays whole.
	Normal Synchronous = "normal"
)

// Defaults and bounds of Options.
const (
	defaultWait  = 5 * time.Second
	defaultReads = 4
	mostReads    = 64
	defaultBatch = 256
	mostBatch    = 10000
	mostWait     = time.Hour
)

// Options are what may be chosen for New and Dialect.
type Options struct {
	Synchronous   Synchronous   // "" means Full
	BusyTimeout   time.Duration // for locks of other programs; 0 means 5 s, negative means none
	MaxBatch      int           // writes that share a transaction at most; 0 means 256
	NoGroupCommit bool          // every write is a transaction of its own

	// The rest is for New alone.

	ReadConnections int          // 0 means 4
	Table           string       // "" means websql.DefaultTable
	Indexed         []string     // names of the index fields
	Warn            func(string) // takes remarks for people; nil or safe for concurrent use
}

// withDefaults answers a copy of o, which may be nil, without zero fields.
func (o *Options) withDefaults() Options {
	var c Options
	if o != nil {
		c = *o
	}
	if c.Synchronous == "" {
		c.Synchronous = Full
	}
	switch {
	case c.BusyTimeout == 0:
		c.BusyTimeout = defaultWait
	case c.BusyTimeout < 0:
		c.BusyTimeout = 0
	}
	if c.MaxBatch == 0 {
		c.MaxBatch = defaultBatch
	}
	if c.ReadConnections == 0 {
		c.ReadConnections = defaultReads
	}
	return c
}

// check reports options that mean nothing.
func (o Options) check() error {
	switch {
	case o.Synchronous != Full && o.Synchronous != Normal:
		return errors.New("synchronous must be full or normal")
	case o.BusyTimeout > mostWait:
		return errors.New("the busy timeout must be an hour at most")
	case o.MaxBatch < 1 || o.MaxBatch > mostBatch:
		return errors.New("a batch must be of 1 to 10000 writes")
	case o.ReadConnections < 1 || o.ReadConnections > mostReads:
		return errors.New("there must be 1 to 64 connections for reading")
	}
	return nil
}

// Driver is the class "SQLite".
type Driver struct{}

// Class implements driver.Driver.
func (Driver) Class() driver.Class {
	return driver.Class{Name: "SQLite", Schemes: []string{"sqlite"}}
}

// Configure implements driver.Driver.
func (Driver) Configure(d *driver.Decoder) (driver.Connector, error) {
	var c connector
	c.file = fileOf(d)
	c.options.Table = d.String("table", websql.DefaultTable, "the table of the sessions")
	if err := websql.CheckTable(c.options.Table); err != nil {
		d.Fail("table", err.Error())
	} else if strings.HasPrefix(strings.ToLower(c.options.Table), "sqlite_") {
		d.Fail("table", "must not begin with sqlite_: such names belong to SQLite")
	}
	c.options.Synchronous = Synchronous(d.OneOf("synchronous", string(Full), []string{string(Full), string(Normal)},
		"what a power cut may take: nothing, or the last writes"))
	c.options.BusyTimeout = d.Duration("busy_timeout", defaultWait, "how long a lock of another program is waited for")
	switch {
	case c.options.BusyTimeout > mostWait:
		d.Fail("busy_timeout", "must be an hour at most")
	case c.options.BusyTimeout == 0:
		c.options.BusyTimeout = -1
	}
	c.options.ReadConnections = d.Int("read_connections", defaultReads, 1, mostReads, "how many sessions are read at the same time")
	c.options.NoGroupCommit = !d.Bool("group_commit", true, "writes that wait share a transaction")
	c.options.MaxBatch = d.Int("max_batch", defaultBatch, 1, mostBatch, "how many writes share a transaction at most")
	d.Ignore("a database of SQLite has no users", "UserName", "Password")
	return c, nil
}

// fileOf reads the two properties that name the database.
func fileOf(d *driver.Decoder) string {
	path := d.String("file", "", "the file of the database")
	source := d.String("DataSource", "", "the file of the database as Perl writes it: dbi:SQLite:dbname=/path")
	name := "file"
	switch {
	case d.Has("file") && d.Has("DataSource"):
		d.Fail("DataSource", "and file exclude each other")
	case d.Has("DataSource"):
		name = "DataSource"
		var err error
		if path, err = pathOf(source); err != nil {
			d.Fail(name, err.Error())
			return ""
		}
	}
	if err := checkPath(path); err != nil {
		d.Fail(name, err.Error())
	}
	return path
}

// pathOf answers the path in a data source name of Perl's DBI.
func pathOf(source string) (string, error) {
	const shape = "must look like dbi:SQLite:dbname=/path"
	scheme, rest, _ := strings.Cut(source, ":")
	class, rest, found := strings.Cut(rest, ":")
	if !found || !strings.EqualFold(scheme, "dbi") || class != "SQLite" {
		return "", errors.New(shape)
	}
	if !strings.Contains(rest, "=") {
		return rest, nil
	}
	path := ""
	for attribute := range strings.SplitSeq(rest, ";") {
		switch name, value, _ := strings.Cut(attribute, "="); name {
		case "dbname", "db", "database":
			path = value
		case "":
		default:
			return "", errors.New(shape + ", without anything else")
		}
	}
	return path, nil
}

// checkPath reports what cannot be the path of a file, as a phrase that follows
// the name of the property.
func checkPath(path string) error {
	switch {
	case path == "":
		return errors.New("is missing: the file of the database")
	case strings.ContainsRune(path, 0):
		return errors.New("contains a zero byte")
	case strings.HasPrefix(path, ":"):
		return errors.New("names no file: for sessions in memory use the class Memory")
	case strings.HasPrefix(path, "file:"):
		return errors.New("must be a path, not a URI")
	}
	return nil
}

// ParseURL implements driver.URLParser: sqlite:///file and
// sqlite://localhost/file.
func (Driver) ParseURL(u *url.URL) (map[string]any, error) {
	switch {
	case u.User != nil:
		return nil, errors.New("a SQLite URL has no user: write sqlite:///file")
	case u.Host != "" && u.Host != "localhost":
		return nil, errors.New("a SQLite URL has no host: write sqlite:///file, with three slashes")
	case u.Opaque != "" || u.Path != "" && !strings.HasPrefix(u.Path, "/"):
		return nil, errors.New("the path of a SQLite URL is absolute: write sqlite:///file")
	case u.Path == "" || u.Path == "/":
		return nil, errors.New("a SQLite URL names a file: write sqlite:///file")
	case u.Fragment != "":
		return nil, errors.New("a SQLite URL has no fragment: write %23 for # in a path")
	}
	return map[string]any{"file": u.Path}, nil
}

type connector struct {
	file    string
	options Options
}

func (c connector) Open(ctx context.Context, o driver.OpenOptions) (driver.Store, error) {
	options := c.options
	options.Indexed, options.Warn = o.Indexed, o.Warn
	s, err := open(ctx, c.file, &options)
	if err != nil {
		return nil, err // not a nil *Store, which is no nil driver.Store
	}
	return s, nil
}

// Schema answers the statements that make the table and its indexes, for people
// who want to run them themselves. It needs no database.
func (c connector) Schema(indexed []string) ([]string, error) {
	return websql.Statements(Dialect(&c.options), c.options.Table, indexed)
}
