package cassandra

import (
	"context"
	"errors"
	"iter"
	"sync"
	"time"

	"github.com/websession/websession/session/driver"
)

const (
	entriesPage = 128 // entries that are read together
	atOnce      = 16  // records that are read at the same time
)

// entry is an index entry as it was read.
type entry struct {
	key     string
	mark    []byte
	written int64 // when, in microseconds, by the server's clock
	now     int64 // in ms, by the server's clock
}

// old says whether its writer has given up, or written the record.
func (e entry) old() bool {
	return time.UnixMilli(e.now).Sub(time.UnixMicro(e.written)) > young
}

// Search implements driver.Searcher: the entries of the digest, and the records
// that they name. Entries that belong to no record are dropped.
func (s *Store) Search(ctx context.Context, field, digest string) iter.Seq2[driver.Record, error] {
	return func(yield func(driver.Record, error) bool) {
		if err := s.search(ctx, field, digest, yield); err != nil && !errors.Is(err, errLeft) {
			yield(driver.Record{}, fail("search", err))
		}
	}
}

func (s *Store) search(ctx context.Context, field, digest string, yield func(driver.Record, error) bool) error {
	p, last := page{size: entriesPage}, ""
	for {
		all, next, err := s.entriesOf(ctx, p, field, digest)
		if err != nil {
			return err
		}
		for len(all) > 0 {
			some := all[:min(atOnce, len(all))]
			all = all[len(some):]
			records, stale, err := s.recordsOf(ctx, field, digest, some)
			if err != nil {
				return err
			}
			for _, rec := range records {
				if rec.Key == last { // two entries, of which one is stale
					continue
				}
				if last = rec.Key; !yield(rec, nil) {
					return errLeft
				}
			}
			s.sweep(ctx, field, digest, stale)
		}
		if p.from = next; next == nil {
			return nil
		}
	}
}

func (s *Store) entriesOf(ctx context.Context, p page, field, digest string) ([]entry, []byte, error) {
	if err := s.enter(ctx); err != nil {
		return nil, nil, err
	}
	defer s.life.RUnlock()
	return s.server.entries(ctx, p, s.texts.entries, field, digest)
}

// recordsOf reads the records of entries, in their order, and answers which
// entries belong to none.
func (s *Store) recordsOf(ctx context.Context, field, digest string, some []entry) (records []driver.Record, stale []entry, err error) {
	if err := s.enter(ctx); err != nil {
		return nil, nil, err
	}
	defer s.life.RUnlock()
	type found struct {
		rec driver.Record
		v   driver.Version
		err error
	}
	list := make([]found, len(some))
	var all sync.WaitGroup
	for i, e := range some {
		all.Go(func() {
			f := &list[i]
			f.rec, f.v, f.err = s.read(ctx, e.key, false)
		})
	}
	all.Wait()
	for i, f := range list {
		mark := entriesOf(f.v).mark
		switch {
		case errors.Is(f.err, driver.ErrCorrupt): // it is somebody's
		case f.err != nil && !errors.Is(f.err, driver.ErrNotFound):
			return nil, nil, f.err
		case f.err == nil && f.rec.Index[field] == digest:
			records = append(records, f.rec)
			fallthrough
		default:
			if string(some[i].mark) != string(mark[:]) && some[i].old() {
				stale = append(stale, some[i])
			}
		}
	}
	return records, stale, nil
}

// sweep drops entries unless they were written again since. It is best effort:
// what stays is nobody's session, and ends by itself.
func (s *Store) sweep(ctx context.Context, field, digest string, stale []entry) {
	if len(stale) == 0 || s.enter(ctx) != nil {
		return
	}
	defer s.life.RUnlock()
	for _, e := range stale {
		if s.server.write(ctx, s.texts.sweep, e.written, field, digest, e.key, e.mark) != nil {
			return
		}
	}
}
