package redis

import (
	"context"
	"errors"
	"iter"

	"github.com/websession/websession/internal/stored"
	"github.com/websession/websession/session/driver"
)

// Search implements driver.Searcher: the entries of the digest, and GET for the
// records that they name. Entries without record are dropped.
func (s *Store) Search(ctx context.Context, field, digest string) iter.Seq2[driver.Record, error] {
	return func(yield func(driver.Record, error) bool) {
		if err := s.search(ctx, field, digest, yield); err != nil && !errors.Is(err, errLeft) {
			yield(driver.Record{}, fail("search", err))
		}
	}
}

// entry is an index entry as it was read.
type entry struct{ id, value string }

func (s *Store) search(ctx context.Context, field, digest string, yield func(driver.Record, error) bool) error {
	all, err := s.entriesOf(ctx, field, digest)
	if err != nil {
		return err
	}
	for len(all) > 0 {
		page := all[:min(pageSize, len(all))]
		all = all[len(page):]
		keys := make([]string, len(page))
		for i, e := range page {
			keys[i] = e.id
		}
		records, err := s.loadAll(ctx, keys)
		if err != nil {
			return err
		}
		var stale []entry
		for i, f := range records {
			switch {
			case errors.Is(f.err, driver.ErrNotFound), f.err == nil && f.rec.Index[field] != digest:
				stale = append(stale, page[i])
			case f.err == nil && !yield(f.rec, nil):
				return errLeft
			}
		}
		if len(stale) > 0 {
			s.sweep(ctx, field, digest, stale)
		}
	}
	return nil
}

// entriesOf reads the entries of a digest.
func (s *Store) entriesOf(ctx context.Context, field, digest string) ([]entry, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.life.RUnlock()
	ix := s.indexKey(field, digest)
	a, err := s.read(ctx, cmd(ix, "HGETALL", ix))
	if err != nil {
		return nil, err
	}
	list, _ := a.([]any)
	all := make([]entry, 0, len(list)/2)
	for i := 0; i+1 < len(list); i += 2 {
		id, _ := list[i].(string)
		value, _ := list[i+1].(string)
		if stored.ValidKey(id) {
			all = append(all, entry{id, value})
		}
	}
	return all, nil
}

// sweep drops entries whose records are not there. It is best effort: what stays
// is nobody's session, and ends by itself.
func (s *Store) sweep(ctx context.Context, field, digest string, stale []entry) {
	if s.enter(ctx) != nil {
		return
	}
	defer s.life.RUnlock()
	records := s.prefix
	if s.server.separate() {
		records = ""
	}
	args := []any{records}
	for _, e := range stale {
		args = append(args, e.id, e.value)
	}
	_, _ = s.runOn(ctx, sweepScript, []string{s.indexKey(field, digest)}, args...)
}
