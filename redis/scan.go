package redis

import (
	"context"
	"errors"
	"iter"
	"strings"

	"github.com/websession/websession/internal/stored"
	"github.com/websession/websession/session/driver"
)

const (
	scanCount = 512 // keys that a server looks at for one answer
	pageSize  = 64  // records that are read together
)

// Scan implements driver.Scanner: SCAN on every master, and GET for what it
// finds. While a cluster moves slots, what moves may be missed.
func (s *Store) Scan(ctx context.Context) iter.Seq2[driver.Record, error] {
	return func(yield func(driver.Record, error) bool) {
		if err := s.scan(ctx, yield); err != nil {
			yield(driver.Record{}, fail("scan", err))
		}
	}
}

// errLeft ends a sequence whose loop was left.
var errLeft = errors.New("the loop was left")

func (s *Store) scan(ctx context.Context, yield func(driver.Record, error) bool) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	nodes, err := s.server.masters(ctx)
	s.life.RUnlock()
	if err != nil {
		return err
	}
	for _, n := range nodes {
		cursor := "0"
		for {
			next, keys, err := s.scanPage(ctx, n, cursor)
			if err != nil {
				return err
			}
			if err := s.yieldAll(ctx, keys, yield); errors.Is(err, errLeft) {
				return nil
			} else if err != nil {
				return err
			}
			if cursor = next; cursor == "0" {
				break
			}
		}
	}
	return nil
}

// scanPage answers the next keys of records on a server.
func (s *Store) scanPage(ctx context.Context, n node, cursor string) (next string, keys []string, err error) {
	if err := s.enter(ctx); err != nil {
		return "", nil, err
	}
	defer s.life.RUnlock()
	c := cmd("", "SCAN", cursor, "MATCH", globEscape(s.prefix)+"*", "COUNT", scanCount, "TYPE", "string")
	var a any
	for try := 1; ; try++ {
		if a, err = n.do(ctx, c); err == nil || try == 3 || !isBroken(err) {
			break
		}
	}
	if err != nil {
		return "", nil, err
	}
	list, _ := a.([]any)
	if len(list) != 2 {
		return "", nil, errStrange
	}
	next, _ = list[0].(string)
	names, _ := list[1].([]any)
	for _, name := range names {
		text, _ := name.(string)
		if key, ok := strings.CutPrefix(text, s.prefix); ok && stored.ValidKey(key) {
			keys = append(keys, key)
		}
	}
	return next, keys, nil
}

// globEscape answers a pattern that matches text alone.
func globEscape(text string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`).Replace(text)
}

// yieldAll yields the records of keys, in pages.
func (s *Store) yieldAll(ctx context.Context, keys []string, yield func(driver.Record, error) bool) error {
	for len(keys) > 0 {
		page := keys[:min(pageSize, len(keys))]
		keys = keys[len(page):]
		found, err := s.loadAll(ctx, page)
		if err != nil {
			return err
		}
		for _, f := range found {
			if f.err == nil && !yield(f.rec, nil) {
				return errLeft
			}
		}
	}
	return nil
}

// found is a record, or why there is none: driver.ErrNotFound, driver.ErrCorrupt.
type found struct {
	rec driver.Record
	err error
}

// loadAll reads records together.
func (s *Store) loadAll(ctx context.Context, keys []string) ([]found, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.life.RUnlock()
	cs := make([]command, len(keys))
	for i, key := range keys {
		cs[i] = s.get(key)
	}
	all := make([]found, len(keys))
	for i, a := range s.server.pipe(ctx, cs) {
		if a.err != nil && isBroken(a.err) {
			a.value, a.err = s.read(ctx, cs[i])
		}
		all[i].rec, _, all[i].err = s.answered(keys[i], a.value, a.err)
		if err := all[i].err; err != nil && !errors.Is(err, driver.ErrNotFound) && !errors.Is(err, driver.ErrCorrupt) {
			return nil, err
		}
	}
	return all, nil
}
