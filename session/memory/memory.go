// Package memory keeps sessions in the memory of one process: for tests, and
// for applications that run in a single process and may forget their sessions
// when it ends. It is the reference for authors of drivers.
//
// Its class is Memory, its URL memory:. The property name makes stores of the
// same name share their sessions within the process.
package memory

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"hash/maphash"
	"iter"
	"sync"
	"sync/atomic"
	"time"

	"github.com/websession/websession/session/driver"
)

func init() { driver.Register(Driver{}) }

// Driver is the class Memory.
type Driver struct{}

// Class answers the names of the class.
func (Driver) Class() driver.Class {
	return driver.Class{Name: "Memory", Schemes: []string{"memory"}}
}

// Configure reads the property name.
func (Driver) Configure(d *driver.Decoder) (driver.Connector, error) {
	return connector{name: d.String("name", "", "stores of the same name share their sessions; without one a store is alone")}, nil
}

type connector struct{ name string }

var shared struct {
	sync.Mutex
	places map[string]*place
}

func (c connector) Open(ctx context.Context, _ driver.OpenOptions) (driver.Store, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if c.name == "" {
		return New(), nil
	}
	shared.Lock()
	defer shared.Unlock()
	p := shared.places[c.name]
	if p == nil {
		if shared.places == nil {
			shared.places = make(map[string]*place)
		}
		p = newPlace()
		shared.places[c.name] = p
	}
	p.users++
	return &Store{place: p, name: c.name}, nil
}

// place is where the records of one or several stores lie.
type place struct {
	seed   maphash.Seed
	shards [shardCount]shard
	users  int // stores that are open, if the place has a name
}

const shardCount = 64

type shard struct {
	mu      sync.RWMutex
	records map[string]entry
}

// entry is never changed, only replaced, but for what mu of its shard guards.
type entry struct {
	rec     driver.Record
	version driver.Version
}

func newPlace() *place {
	p := &place{seed: maphash.MakeSeed()}
	for i := range p.shards {
		p.shards[i].records = make(map[string]entry)
	}
	return p
}

func (p *place) shard(key string) *shard {
	return &p.shards[maphash.String(p.seed, key)%shardCount]
}

// Store keeps records in a map. It implements all of driver but SeparateIndexer
// and ContentVersioner.
type Store struct {
	place *place
	name  string

	closed atomic.Bool
}

// New answers a store of its own.
func New() *Store { return &Store{place: newPlace()} }

// usable reports why no call can be served.
func (s *Store) usable(ctx context.Context) error {
	if s.closed.Load() {
		return driver.ErrClosed
	}
	return driver.NotApplied(ctx.Err())
}

// fits reports why a record is beyond the limits of the contract.
func fits(rec driver.Record) error {
	if len(rec.Key) > driver.MaxKey || len(rec.Data) > driver.MaxData {
		return driver.NotApplied(errors.New("memory: the record is beyond the limits of package driver"))
	}
	return nil
}

// private answers a copy of rec that shares no bytes with it.
func private(rec driver.Record) driver.Record {
	return driver.Record{Key: rec.Key, Data: bytes.Clone(rec.Data), Expires: rec.Expires, Index: rec.Index}
}

func newVersion() driver.Version {
	var b [16]byte
	rand.Read(b[:])
	return driver.Version(b[:])
}

// Create implements driver.Store.
func (s *Store) Create(ctx context.Context, rec driver.Record) (driver.Version, error) {
	if err := s.usable(ctx); err != nil {
		return "", err
	}
	if err := fits(rec); err != nil {
		return "", err
	}
	e := entry{private(rec), newVersion()}
	sh := s.place.shard(rec.Key)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if _, taken := sh.records[rec.Key]; taken {
		return "", driver.ErrExists
	}
	sh.records[rec.Key] = e
	return e.version, nil
}

// Load implements driver.Store.
func (s *Store) Load(ctx context.Context, key string) (driver.Record, driver.Version, error) {
	if err := s.usable(ctx); err != nil {
		return driver.Record{}, "", err
	}
	sh := s.place.shard(key)
	sh.mu.RLock()
	e, found := sh.records[key]
	sh.mu.RUnlock()
	if !found {
		return driver.Record{}, "", driver.ErrNotFound
	}
	return private(e.rec), e.version, nil
}

// Replace implements driver.Store.
func (s *Store) Replace(ctx context.Context, rec driver.Record, old driver.Version) (driver.Version, error) {
	if err := s.usable(ctx); err != nil {
		return "", err
	}
	if err := fits(rec); err != nil {
		return "", err
	}
	e := entry{private(rec), newVersion()}
	return e.version, s.swap(rec.Key, old, func(entry) entry { return e })
}

// Touch implements driver.Toucher.
func (s *Store) Touch(ctx context.Context, rec driver.Record, old driver.Version) (driver.Version, error) {
	if err := s.usable(ctx); err != nil {
		return "", err
	}
	v := newVersion()
	return v, s.swap(rec.Key, old, func(e entry) entry {
		e.rec.Expires, e.rec.Index, e.version = rec.Expires, rec.Index, v
		return e
	})
}

// swap replaces an entry that has the version old.
func (s *Store) swap(key string, old driver.Version, next func(entry) entry) error {
	sh := s.place.shard(key)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	e, found := sh.records[key]
	switch {
	case !found:
		return driver.ErrNotFound
	case e.version != old:
		return driver.ErrConflict
	}
	sh.records[key] = next(e)
	return nil
}

// Delete implements driver.Store.
func (s *Store) Delete(ctx context.Context, rec driver.Record, old driver.Version) error {
	if err := s.usable(ctx); err != nil {
		return err
	}
	sh := s.place.shard(rec.Key)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	e, found := sh.records[rec.Key]
	switch {
	case !found && old == "":
		return nil
	case !found:
		return driver.ErrNotFound
	case old != "" && e.version != old:
		return driver.ErrConflict
	}
	delete(sh.records, rec.Key)
	return nil
}

// Scan implements driver.Scanner.
func (s *Store) Scan(ctx context.Context) iter.Seq2[driver.Record, error] {
	return s.where(ctx, func(driver.Record) bool { return true })
}

// Search implements driver.Searcher. It looks at every record.
func (s *Store) Search(ctx context.Context, field, digest string) iter.Seq2[driver.Record, error] {
	return s.where(ctx, func(rec driver.Record) bool { return rec.Index[field] == digest })
}

// where yields copies of the records that match, a shard at a time, so that the
// caller may use the store meanwhile.
func (s *Store) where(ctx context.Context, match func(driver.Record) bool) iter.Seq2[driver.Record, error] {
	return func(yield func(driver.Record, error) bool) {
		for i := range s.place.shards {
			if err := s.usable(ctx); err != nil {
				yield(driver.Record{}, err)
				return
			}
			sh := &s.place.shards[i]
			var found []driver.Record
			sh.mu.RLock()
			for _, e := range sh.records {
				if match(e.rec) {
					found = append(found, private(e.rec))
				}
			}
			sh.mu.RUnlock()
			for _, rec := range found {
				if !yield(rec, nil) {
					return
				}
			}
		}
	}
}

// Purge implements driver.Purger.
func (s *Store) Purge(ctx context.Context, before time.Time, limit int) (int, error) {
	n := 0
	for i := range s.place.shards {
		if err := s.usable(ctx); err != nil {
			return n, err
		}
		sh := &s.place.shards[i]
		sh.mu.Lock()
		for key, e := range sh.records {
			if n == limit {
				break
			}
			if !e.rec.Expires.IsZero() && e.rec.Expires.Before(before) {
				delete(sh.records, key)
				n++
			}
		}
		sh.mu.Unlock()
	}
	return n, nil
}

// Ping implements driver.Pinger.
func (s *Store) Ping(ctx context.Context) (driver.Info, error) {
	return driver.Info{
		Server:    "memory of this process",
		Warnings:  []string{"Sessions end with the process."},
		Guarantee: "Nothing survives the end of the process.",
	}, s.usable(ctx)
}

// Close implements driver.Store. The last store of a name forgets its sessions.
func (s *Store) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	if s.name != "" {
		shared.Lock()
		defer shared.Unlock()
		if s.place.users--; s.place.users == 0 {
			delete(shared.places, s.name)
		}
	}
	return nil
}
