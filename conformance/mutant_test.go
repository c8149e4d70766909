package conformance

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/websession/websession/session/driver"
	"github.com/websession/websession/session/memory"
)

// mutant is a driver with one fault, and the case that must catch it alone.
type mutant struct {
	name     string
	caughtBy string

	// twin makes another correct store, which fault changes. Nil: a
	// memory.Store.
	twin func(w *world, m calls, c *calls)

	// fault changes what the calls of a handle do. m are those of a correct
	// store, c those to change, which are the same at first.
	fault func(w *world, m calls, c *calls)

	// driver changes the rest.
	driver func(t *twin)
}

// mutants are the broken drivers. Other files may append to it in init.
var mutants []mutant

// twin is a driver of memory.Stores, and correct as long as nothing is changed.
type twin struct {
	class     func() driver.Class
	configure func(d *driver.Decoder, password string) error
	parseURL  func(u *url.URL) (map[string]any, error)
	open      func(ctx context.Context, o driver.OpenOptions, w *world, next func(context.Context) (driver.Store, error)) (driver.Store, error)
	fault     func(w *world, m calls, c *calls)
	separate  bool // stores are SeparateIndexers

	mu     sync.Mutex
	worlds map[string]*world
}

// world is what the handles on one place share beyond the records in it. Faults
// may use it, under mu.
type world struct {
	name    string
	gone    chan struct{}     // closed when the case is over
	left    map[string][]byte // what Raw shows besides the records
	data    map[string][]byte // by key
	index   map[string]map[string]string
	version map[string]driver.Version // by key
	times   map[string]time.Time      // by key
	deleted map[string]driver.Record  // by key
	count   map[string]int
	locks   map[string]chan struct{} // by key: holds a value while somebody has it
	flag    atomic.Bool
	slots   chan struct{}
	mu      sync.Mutex
}

// calls are the methods of a handle.
type calls struct {
	create  func(context.Context, driver.Record) (driver.Version, error)
	load    func(context.Context, string) (driver.Record, driver.Version, error)
	replace func(context.Context, driver.Record, driver.Version) (driver.Version, error)
	touch   func(context.Context, driver.Record, driver.Version) (driver.Version, error)
	delete  func(context.Context, driver.Record, driver.Version) error
	scan    func(context.Context) iter.Seq2[driver.Record, error]
	search  func(context.Context, string, string) iter.Seq2[driver.Record, error]
	purge   func(context.Context, time.Time, int) (int, error)
	ping    func(context.Context) (driver.Info, error)
	lock    func(context.Context, string) (func() error, error)
	close   func() error
}

var places atomic.Int64

// newTwin answers a twin without a fault, and where to run it.
func newTwin() (*twin, Env) {
	t := &twin{worlds: make(map[string]*world)}
	t.class = func() driver.Class {
		return driver.Class{Name: "Twin", Aliases: []string{"Double"}, Schemes: []string{"twin"}}
	}
	t.configure = func(*driver.Decoder, string) error { return nil }
	t.parseURL = func(u *url.URL) (map[string]any, error) {
		if u.User != nil || u.Host != "" || u.Path != "" || u.Opaque != "" {
			return nil, errors.New("it takes properties in the query only")
		}
		return nil, nil
	}
	t.open = func(ctx context.Context, _ driver.OpenOptions, _ *world, next func(context.Context) (driver.Store, error)) (driver.Store, error) {
		return next(ctx)
	}
	t.fault = func(*world, calls, *calls) {}
	newPlace := func(tb testing.TB) map[string]any {
		name := fmt.Sprint("twin-", places.Add(1))
		w := t.world(name)
		tb.Cleanup(func() { close(w.gone) })
		return map[string]any{"name": name}
	}
	return t, Env{
		Place: newPlace,
		Locking: func(tb testing.TB) map[string]any {
			props := newPlace(tb)
			props["locking"] = "on"
			return props
		},
		Raw: func(tb testing.TB, props map[string]any) map[string][]byte {
			w := t.world(props["name"].(string))
			s := w.store(tb.Context())
			defer s.Close()
			all := make(map[string][]byte)
			for rec, err := range s.Scan(context.Background()) {
				if err != nil {
					tb.Fatal(err)
				}
				all[rec.Key] = rec.Data
			}
			w.mu.Lock()
			defer w.mu.Unlock()
			maps.Copy(all, w.left)
			return all
		},
	}
}

// newTwinOf answers the correct twin of a mutant.
func newTwinOf(m mutant) (*twin, Env) {
	t, env := newTwin()
	if m.twin != nil {
		t.fault = m.twin
	}
	return t, env
}

// newMutant answers the twin with the fault.
func newMutant(m mutant) (*twin, Env) {
	t, env := newTwinOf(m)
	if m.fault != nil {
		correct := t.fault
		t.fault = func(w *world, memory calls, c *calls) {
			correct(w, memory, c)
			m.fault(w, *c, c)
		}
	}
	if m.driver != nil {
		m.driver(t)
	}
	return t, env
}

func (t *twin) world(name string) *world {
	t.mu.Lock()
	defer t.mu.Unlock()
	w := t.worlds[name]
	if w == nil {
		w = &world{
			name: name, gone: make(chan struct{}), slots: make(chan struct{}, 16),
			left: make(map[string][]byte), data: make(map[string][]byte), index: make(map[string]map[string]string),
			version: make(map[string]driver.Version), times: make(map[string]time.Time), deleted: make(map[string]driver.Record),
			count: make(map[string]int), locks: make(map[string]chan struct{}),
		}
		t.worlds[name] = w
	}
	return w
}

// store answers another handle on the records.
func (w *world) store(ctx context.Context) *memory.Store {
	c, err := memory.Driver{}.Configure(driver.NewDecoder("Memory", map[string]any{"name": w.name}))
	if err != nil {
		panic(err)
	}
	s, err := c.Open(context.WithoutCancel(ctx), driver.OpenOptions{})
	if err != nil {
		panic(err)
	}
	return s.(*memory.Store)
}

// pause lets others run, and be faster.
func pause() { time.Sleep(500 * time.Microsecond) }

func (t *twin) Class() driver.Class { return t.class() }

func (t *twin) ParseURL(u *url.URL) (map[string]any, error) { return t.parseURL(u) }

func (t *twin) Configure(d *driver.Decoder) (driver.Connector, error) {
	name := d.String("name", "", "the place")
	locking := d.OneOf("locking", "off", []string{"off", "on"}, "whether there are locks")
	err := t.configure(d, d.Secret("password", "nothing here"))
	return twinConnector{t, name, locking == "on"}, err
}

type twinConnector struct {
	*twin
	name  string
	locks bool
}

func (c twinConnector) Open(ctx context.Context, o driver.OpenOptions) (driver.Store, error) {
	w := c.world(c.name)
	return c.open(ctx, o, w, func(ctx context.Context) (driver.Store, error) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		s := w.store(ctx)
		m := calls{s.Create, s.Load, s.Replace, s.Touch, s.Delete, s.Scan, s.Search, s.Purge, s.Ping, noLocks, s.Close}
		if c.locks {
			m.lock = w.locker(m.ping)
		}
		changed := m
		c.fault(w, m, &changed)
		if c.separate {
			return apartStore{twinStore{changed}}, nil
		}
		return twinStore{changed}, nil
	})
}

type twinStore struct{ c calls }

func (s twinStore) Create(ctx context.Context, rec driver.Record) (driver.Version, error) {
	return s.c.create(ctx, rec)
}

func (s twinStore) Load(ctx context.Context, key string) (driver.Record, driver.Version, error) {
	return s.c.load(ctx, key)
}

func (s twinStore) Replace(ctx context.Context, rec driver.Record, old driver.Version) (driver.Version, error) {
	return s.c.replace(ctx, rec, old)
}

func (s twinStore) Touch(ctx context.Context, rec driver.Record, old driver.Version) (driver.Version, error) {
	return s.c.touch(ctx, rec, old)
}

func (s twinStore) Delete(ctx context.Context, rec driver.Record, old driver.Version) error {
	return s.c.delete(ctx, rec, old)
}

func (s twinStore) Scan(ctx context.Context) iter.Seq2[driver.Record, error] { return s.c.scan(ctx) }

func (s twinStore) Search(ctx context.Context, field, digest string) iter.Seq2[driver.Record, error] {
	return s.c.search(ctx, field, digest)
}

func (s twinStore) Purge(ctx context.Context, before time.Time, limit int) (int, error) {
	return s.c.purge(ctx, before, limit)
}

func (s twinStore) Ping(ctx context.Context) (driver.Info, error) { return s.c.ping(ctx) }

func (s twinStore) Lock(ctx context.Context, key string) (func() error, error) {
	return s.c.lock(ctx, key)
}

func (s twinStore) Close() error { return s.c.close() }

type apartStore struct{ twinStore }

func (apartStore) SeparateIndex() {}
