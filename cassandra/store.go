package cassandra

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/websession/websession/internal/stored"
	"github.com/websession/websession/session/driver"
)

// Store keeps sessions in Cassandra. It is safe for concurrent use, also with
// other Stores and other processes that use the same tables.
//
// Close waits for calls that are under way; each of them is bounded by the
// time-out of a statement.
type Store struct {
	server  server
	options Options
	texts   *statements
	largest int // bytes of data that the nodes take

	life   sync.RWMutex  // held for reading by whoever uses server
	done   chan struct{} // closed by Close
	closed sync.Once
}

var (
	_ driver.Store           = (*Store)(nil)
	_ driver.Scanner         = (*Store)(nil)
	_ driver.Searcher        = (*Store)(nil)
	_ driver.Pinger          = (*Store)(nil)
	_ driver.SeparateIndexer = (*Store)(nil)
)

// server is what a store needs of a client. Each statement is bounded by the
// time-out of the store, and sent once.
type server interface {
	// cas runs a lightweight transaction. If it was not applied, old is the
	// version that is there, nil for none.
	cas(ctx context.Context, text string, args ...any) (applied bool, old []byte, err error)
	// write runs a statement without a condition.
	write(ctx context.Context, text string, args ...any) error
	// row answers a row, or nil. It sees every mutation that had ended if serial.
	row(ctx context.Context, serial bool, text, key string) (*row, error)
	// rows answers a page of rows, and how to ask for the next one, nil for none.
	rows(ctx context.Context, p page, text string) ([]row, []byte, error)
	// entries is rows of index entries.
	entries(ctx context.Context, p page, text, field, digest string) ([]entry, []byte, error)
	// texts answers a small result, as texts.
	texts(ctx context.Context, text string, args ...any) ([]map[string]string, error)
	// change runs a statement that changes the schema, and waits until the nodes
	// agree on it.
	change(ctx context.Context, text string) error
	close()
}

// page says which rows are asked for.
type page struct {
	size int
	from []byte // nil: the first
}

// SeparateIndex implements driver.SeparateIndexer.
func (s *Store) SeparateIndex() {}

// enter begins a use of the server, which ends with s.life.RUnlock.
func (s *Store) enter(ctx context.Context) error {
	s.life.RLock()
	var err error
	select {
	case <-s.done:
		err = driver.ErrClosed
	default:
		err = ctx.Err()
	}
	if err != nil {
		s.life.RUnlock()
	}
	return err
}

// Close implements driver.Store. It does not close a session that was handed to
// New.
func (s *Store) Close() error {
	s.closed.Do(func() {
		close(s.done)
		s.life.Lock()
		defer s.life.Unlock()
		s.server.close()
	})
	return nil
}

// careful says whether versions decide.
func (s *Store) careful() bool { return s.options.Conflict == Versions }

// Load implements driver.Store: one serial read.
func (s *Store) Load(ctx context.Context, key string) (driver.Record, driver.Version, error) {
	if err := s.enter(ctx); err != nil {
		return driver.Record{}, "", fail("load", err)
	}
	defer s.life.RUnlock()
	if !stored.ValidKey(key) {
		return driver.Record{}, "", driver.ErrNotFound
	}
	rec, v, err := s.read(ctx, key, s.careful())
	if err != nil && !errors.Is(err, driver.ErrNotFound) {
		err = fail("load", err)
	}
	return rec, v, err
}

func (s *Store) read(ctx context.Context, key string, serial bool) (driver.Record, driver.Version, error) {
	r, err := s.server.row(ctx, serial, s.texts.load, key)
	switch {
	case err != nil:
		return driver.Record{}, "", err
	case r == nil:
		return driver.Record{}, "", driver.ErrNotFound
	}
	r.key = key
	return r.record()
}

// change is a mutation under way.
type change struct {
	s     *Store
	op    string
	rec   driver.Record
	index []byte // encoded
	now   time.Time

	version []byte // the new one
	old     entries
	apart
}

// begin prepares a mutation of rec, which was in the version old.
func (s *Store) begin(op string, rec driver.Record, old driver.Version) (*change, error) {
	if err := s.fits(rec); err != nil {
		return nil, driver.NotApplied(fail(op, err))
	}
	index, err := stored.EncodeIndex(rec.Index)
	if err != nil {
		return nil, driver.NotApplied(fail(op, err))
	}
	c := &change{s: s, op: op, rec: rec, index: index, now: time.Now(), old: entriesOf(old)}
	c.plan()
	return c, nil
}

// put runs a statement that writes all cells of a record.
func (c *change) put(ctx context.Context, text string, condition ...any) (applied bool, there []byte, err error) {
	data := c.rec.Data
	if data == nil {
		data = []byte{} // which is not null
	}
	life := ttl(c.rec.Expires, c.now)
	for {
		args := append([]any{life, c.version, deadline(c.rec.Expires), c.index, data, c.rec.Key}, condition...)
		if c.s.careful() {
			applied, there, err = c.s.server.cas(ctx, text, args...)
		} else {
			applied, err = true, c.s.server.write(ctx, text, args...)
		}
		if life == 0 || !isTooLong(err) {
			return applied, there, err
		}
		life = 0
	}
}

// Create implements driver.Store.
func (s *Store) Create(ctx context.Context, rec driver.Record) (driver.Version, error) {
	if err := s.enter(ctx); err != nil {
		return "", driver.NotApplied(fail("create", err))
	}
	defer s.life.RUnlock()
	c, err := s.begin("create", rec, "")
	if err != nil {
		return "", err
	}
	return c.run(ctx, func() error {
		text := s.texts.create
		if !s.careful() {
			text = s.texts.blindWrite
		}
		applied, _, err := c.put(ctx, text)
		if err == nil && !applied {
			return driver.ErrExists
		}
		return outcome("create", err)
	})
}

// Replace implements driver.Store.
func (s *Store) Replace(ctx context.Context, rec driver.Record, old driver.Version) (driver.Version, error) {
	if err := s.enter(ctx); err != nil {
		return "", driver.NotApplied(fail("replace", err))
	}
	defer s.life.RUnlock()
	if len(old) != versionSize {
		return "", driver.ErrConflict
	}
	c, err := s.begin("replace", rec, old)
	if err != nil {
		return "", err
	}
	return c.run(ctx, func() error {
		if !s.careful() {
			_, _, err := c.put(ctx, s.texts.blindWrite)
			return outcome("replace", err)
		}
		applied, there, err := c.put(ctx, s.texts.replace, []byte(old))
		return decided("replace", applied, there, err)
	})
}

// Delete implements driver.Store.
func (s *Store) Delete(ctx context.Context, rec driver.Record, old driver.Version) error {
	if err := s.enter(ctx); err != nil {
		return driver.NotApplied(fail("delete", err))
	}
	defer s.life.RUnlock()
	switch {
	case !stored.ValidKey(rec.Key) && old == "":
		return nil
	case !stored.ValidKey(rec.Key):
		return driver.ErrNotFound
	case old != "" && len(old) != versionSize:
		return driver.ErrConflict
	}
	var err error
	switch {
	case !s.careful():
		err = outcome("delete", s.server.write(ctx, s.texts.blindDelete, rec.Key))
	case old == "":
		_, _, err = s.server.cas(ctx, s.texts.deleteAny, rec.Key)
		err = outcome("delete", err)
	default:
		applied, there, fault := s.server.cas(ctx, s.texts.deleteVersion, rec.Key, []byte(old))
		err = decided("delete", applied, there, fault)
	}
	if err == nil {
		s.forget(ctx, rec, old)
	}
	return err
}

// decided answers what became of a mutation with a version.
func decided(op string, applied bool, there []byte, err error) error {
	switch {
	case err != nil:
		return outcome(op, err)
	case applied:
		return nil
	case there == nil:
		return driver.ErrNotFound
	}
	return driver.ErrConflict
}
