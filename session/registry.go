package session

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/websession/websession/session/driver"
)

// Registry opens stores by class name or URL. Its zero value knows no class. It
// is safe for concurrent use.
//
// The functions Open and OpenURL use the drivers that were registered by
// importing their packages; a Registry is for programs that want to name them
// instead.
type Registry struct {
	mu      sync.Mutex
	drivers []driver.Driver
}

// NewRegistry answers a Registry of drivers. It panics as Register does.
func NewRegistry(drivers ...driver.Driver) *Registry {
	r := &Registry{}
	for _, d := range drivers {
		r.Register(d)
	}
	return r
}

// Register adds a driver. It panics if d is nil, if its class is malformed, or
// if a name or scheme of it is taken.
func (r *Registry) Register(d driver.Driver) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := driver.CheckNew(r.drivers, d); err != nil {
		panic("session.Registry: " + err.Error())
	}
	r.drivers = append(r.drivers, d)
}

// DefaultRegistry answers a Registry of the drivers that are registered now.
func DefaultRegistry() *Registry { return &Registry{drivers: driver.Registered()} }

// Open opens the store of a class: Open on the DefaultRegistry.
func Open(ctx context.Context, class string, props map[string]any, o *Options) (*Manager, error) {
	return DefaultRegistry().Open(ctx, class, props, o)
}

// OpenURL opens the store that a URL chooses: OpenURL on the DefaultRegistry.
func OpenURL(ctx context.Context, rawURL string, o *Options) (*Manager, error) {
	return DefaultRegistry().OpenURL(ctx, rawURL, o)
}

// Classes answers the classes of all drivers, sorted by name.
func (r *Registry) Classes() []driver.Class {
	var classes []driver.Class
	for _, d := range r.list() {
		classes = append(classes, d.Class())
	}
	slices.SortFunc(classes, func(a, b driver.Class) int { return strings.Compare(a.Name, b.Name) })
	return classes
}

// Open opens the store of a class with its properties and answers a Manager of
// the sessions in it. All that is wrong with the properties is reported at once
// (*driver.PropertyError), before anything is opened.
func (r *Registry) Open(ctx context.Context, class string, props map[string]any, o *Options) (*Manager, error) {
	d, connector, err := r.configure(class, props)
	if err != nil {
		return nil, err
	}
	opts, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	opts.Class = d.Class().Name
	if f, ok := connector.(driver.Formatter); ok {
		opts.Format = f.Format()
	}
	var manager atomic.Pointer[Manager] // nil at first: it has ended nothing then
	store, err := connector.Open(ctx, driver.OpenOptions{
		Indexed: slices.Clone(opts.Indexed),
		Warn: func(msg string) {
			opts.Observe(ctx, Event{Kind: EventWarning, Class: opts.Class, Message: msg})
		},
		PrimaryChanged: func() {
			if m := manager.Load(); m != nil {
				m.PrimaryChanged()
			}
		},
	})
	if err != nil {
		return nil, &Error{Op: "open", Class: opts.Class, Err: err}
	}
	m, err := New(store, &opts)
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	manager.Store(m)
	return m, nil
}

// OpenURL opens the store that a URL chooses by its scheme. Its query gives
// properties by name; what comes before is read as the driver says. An error
// never quotes the URL.
func (r *Registry) OpenURL(ctx context.Context, rawURL string, o *Options) (*Manager, error) {
	c, err := r.ParseURL(rawURL)
	if err != nil {
		return nil, err
	}
	return r.Open(ctx, c.Class, c.Properties, o)
}

// Check reports what is wrong with the properties of a class, without opening
// anything.
func (r *Registry) Check(class string, props map[string]any) error {
	_, _, err := r.configure(class, props)
	return err
}

// ParseURL translates a URL into class and properties, without opening
// anything. An error never quotes the URL.
func (r *Registry) ParseURL(rawURL string) (Config, error) {
	u, err := url.Parse(rawURL)
	if err != nil || u.Scheme == "" {
		return Config{}, errors.New("session: the store's URL is malformed: it should look like file:///var/lib/sessions")
	}
	var d driver.Driver
	var schemes []string
	for _, known := range r.list() {
		if slices.Contains(known.Class().Schemes, u.Scheme) {
			d = known
		}
		schemes = append(schemes, known.Class().Schemes...)
	}
	if d == nil {
		slices.Sort(schemes)
		return Config{}, fmt.Errorf("session: no class has the URL scheme %.40q: known are %s%s", u.Scheme,
			list(schemes), importHint(func(b builtin) bool { return slices.Contains(b.schemes, u.Scheme) }))
	}
	c := Config{Class: d.Class().Name, Properties: make(map[string]any)}
	malformed := func(what string) (Config, error) {
		return Config{}, fmt.Errorf("session: the store's URL is malformed: class %s: %s", c.Class, what)
	}
	if p, ok := d.(driver.URLParser); ok {
		props, err := p.ParseURL(u)
		if err != nil {
			return malformed(err.Error())
		}
		maps.Copy(c.Properties, props)
	} else if u.User != nil || u.Host != "" || u.Path != "" || u.Opaque != "" {
		return malformed("it takes properties in the query only")
	}
	if u.Fragment != "" {
		return malformed("it has a fragment (#)")
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return malformed("its query cannot be read")
	}
	for _, name := range slices.Sorted(maps.Keys(query)) {
		if _, twice := c.Properties[name]; twice {
			return malformed(fmt.Sprintf("property %.40q is given twice", name))
		}
		if values := query[name]; len(values) == 1 {
			c.Properties[name] = values[0]
		} else {
			c.Properties[name] = values
		}
	}
	return c, nil
}

func (r *Registry) list() []driver.Driver {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.drivers)
}

// configure is the one way from a class and its properties to a Connector.
func (r *Registry) configure(class string, props map[string]any) (driver.Driver, driver.Connector, error) {
	d, err := r.find(class)
	if err != nil {
		return nil, nil, err
	}
	dec := driver.NewDecoder(d.Class().Name, props)
	connector, err := d.Configure(dec)
	if err := dec.Err(); err != nil {
		return nil, nil, fmt.Errorf("session: %w", err)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("session: class %s: %w", d.Class().Name, err)
	}
	return d, connector, nil
}

func (r *Registry) find(class string) (driver.Driver, error) {
	var names []string
	for _, d := range r.list() {
		c := d.Class()
		if c.Name == class || slices.Contains(c.Aliases, class) {
			return d, nil
		}
		names = append(names, c.Name)
	}
	slices.Sort(names)
	return nil, fmt.Errorf("session: unknown class %.80q: known are %s%s", class, list(names),
		importHint(func(b builtin) bool { return b.class == class || slices.Contains(b.aliases, class) }))
}

func list(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// builtin is a class that comes with this module. A test compares the table
// with the drivers.
type builtin struct {
	class   string
	aliases []string
	schemes []string
	path    string
}

var builtins = []builtin{
	{"Cassandra", nil, []string{"cassandra"}, "github.com/websession/websession/cassandra"},
	{"File", nil, []string{"file"}, "github.com/websession/websession/file"},
	{"Memory", nil, []string{"memory"}, "github.com/websession/websession/session/memory"},
	{"MySQL", []string{"MariaDB"}, []string{"mysql", "mariadb"}, "github.com/websession/websession/sql/mysql"},
	{"PostgreSQL", []string{"Postgres"}, []string{"postgres", "postgresql"}, "github.com/websession/websession/sql/postgres"},
	{"Redis", nil, []string{"redis", "rediss"}, "github.com/websession/websession/redis"},
	{"RedisCluster", nil, []string{"redis+cluster"}, "github.com/websession/websession/redis"},
	{"RedisSentinel", nil, []string{"redis+sentinel"}, "github.com/websession/websession/redis"},
	{"SQLite", nil, []string{"sqlite"}, "github.com/websession/websession/sql/sqlite"},
}

func importHint(is func(builtin) bool) string {
	for _, b := range builtins {
		if is(b) {
			return fmt.Sprintf("; class %s is built in: add import _ %q, or _ \"github.com/websession/websession/backends\" for all", b.class, b.path)
		}
	}
	return ""
}
