package cassandra

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/websession/websession/session/driver"
)

// A user's sessions are found by index entries: rows of a table of their own,
// below the field and the digest, that name the session and have a mark, which the
// version of the session has too. They lie on other nodes than the session, and
// are written without a transaction:
//
//   - An entry is written before its record, with a mark that no other attempt
//     has. So whoever takes an entry back, or drops that of a record which has
//     gone, takes away what nobody else relies on.
//   - If the record is not written, its entry is taken back.
//   - A reader that finds an entry which belongs to no record drops it if it is
//     not young, by the server's time, and has not been written since.
//   - A writer that took so long that a reader may have done that writes its entry
//     again.
//
// An entry lives longer than its record, so that most touches need not write it
// again: the version says how long.
const (
	young   = 60 * time.Second // longer than any write takes
	overrun = young / 2        // when a writer no longer relies on what it wrote

	leastLead = time.Hour // an entry outlives its record by this at least
)

// endless is until when entries last that do not end by themselves.
var endless = time.UnixMilli(1 << 53)

// apart is the part of a change that is about the index.
type apart struct {
	entries
	first bool // entries are written before the record
	fresh bool // they have a mark of their own
}

// plan decides whether entries are written, with which mark, and how long they
// last.
func (c *change) plan() {
	if len(c.rec.Index) > 0 {
		c.sum = sumOf(c.index)
		c.fresh = c.old.until.IsZero() || c.old.sum != c.sum
		c.mark, c.until = c.old.mark, c.old.until
		needed := endless
		if d := c.rec.Expires; !d.IsZero() && seconds(d.Sub(c.now)) != 0 {
			needed = d.Add(2 * driver.Margin)
		}
		if c.first = c.fresh || c.until.Before(needed); c.first {
			c.until = c.lasting(needed)
		}
	}
	c.version = newVersion(c.entries)
	if c.fresh { // random, as the version is
		copy(c.mark[:], c.version[:markSize])
		copy(c.version[markAt:], c.mark[:])
	}
}

// lasting answers how long an entry lasts that is needed so long.
func (c *change) lasting(needed time.Time) time.Time {
	if needed.Equal(endless) {
		return endless
	}
	left := max(needed.Sub(c.now), 0) // twenty years at most
	until := c.now.Add(left + max(left, leastLead))
	if seconds(until.Sub(c.now)) == 0 {
		return endless
	}
	return until
}

// run writes the record, and before that its entries.
func (c *change) run(ctx context.Context, write func() error) (driver.Version, error) {
	began := time.Now()
	if c.first {
		if err := c.enter(ctx); err != nil {
			return "", driver.NotApplied(fail(c.op, err))
		}
	}
	err := write()
	switch {
	case err == nil:
		if c.first && time.Since(began) > overrun {
			err = c.enterLate(ctx)
		}
		c.leaveOld(ctx)
	case c.fresh && (errors.Is(err, driver.ErrExists) || errors.Is(err, driver.ErrNotFound) || errors.Is(err, driver.ErrConflict)):
		c.s.leave(ctx, c.rec.Key, c.rec.Index, c.mark)
	}
	if err != nil {
		return "", err
	}
	return driver.Version(c.version), nil
}

// enter writes the entries.
func (c *change) enter(ctx context.Context) error {
	return each(c.rec.Index, func(field, digest string) error {
		life := 0
		if !c.until.Equal(endless) {
			life = seconds(c.until.Sub(c.now))
		}
		for {
			err := c.s.server.write(ctx, c.s.texts.enter, life, field, digest, c.rec.Key, c.mark[:])
			if life == 0 || !isTooLong(err) {
				return err
			}
			life = 0
		}
	})
}

// enterLate writes entries of a record that was written.
func (c *change) enterLate(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.s.options.Timeout)
	defer cancel()
	var err error
	for range 3 {
		if err = c.enter(ctx); err == nil {
			return nil
		}
	}
	return driver.UnknownOutcome(fail(c.op, err))
}

// leaveOld drops the entries of the state that was replaced. If that fails they
// are left to readers, and end by themselves.
func (c *change) leaveOld(ctx context.Context) {
	if c.old.until.IsZero() || len(c.rec.Index) > 0 && !c.fresh {
		return
	}
	c.s.leave(ctx, c.rec.Key, c.rec.Was, c.old.mark)
}

// leave drops entries that have a mark.
func (s *Store) leave(ctx context.Context, key string, index map[string]string, mark [markSize]byte) {
	_ = each(index, func(field, digest string) error {
		return s.server.write(ctx, s.texts.leave, field, digest, key, mark[:])
	})
}

// forget drops the entries of a record that was deleted. Without a version nobody
// knows the mark: then all entries of the session go. A Create of the same key that
// overlaps might lose its own; the framework never creates a key twice.
func (s *Store) forget(ctx context.Context, rec driver.Record, old driver.Version) {
	if e := entriesOf(old); old != "" {
		s.leave(ctx, rec.Key, rec.Was, e.mark)
		return
	}
	_ = each(rec.Was, func(field, digest string) error {
		return s.server.write(ctx, s.texts.leaveKey, field, digest, rec.Key)
	})
}

// each does the same for all fields of an index at once.
func each(index map[string]string, do func(field, digest string) error) error {
	if len(index) == 1 {
		for field, digest := range index {
			return do(field, digest)
		}
	}
	var all sync.WaitGroup
	var mu sync.Mutex
	var errs []error
	for field, digest := range index {
		all.Go(func() {
			if err := do(field, digest); err != nil {
				mu.Lock()
				defer mu.Unlock()
				errs = append(errs, err)
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}
