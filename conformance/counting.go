package conformance

import (
	"context"
	"errors"
	"iter"
	"maps"
	"sync"
	"time"

	"github.com/websession/websession/session/driver"
)

// spy counts the calls of a store and can act between them: a case holds a call
// up, runs another request before it, fails it, or falsifies its answer.
//
// It has the optional interfaces of the store and no others. A method that the
// store does not have answers errors.ErrUnsupported, which to the core means
// the same. What answers so is not counted. Markers, which cannot decline, are
// there or not.
type spy struct {
	inner driver.Store

	mu     sync.Mutex
	counts map[string]int
	total  int
	before func(storeCall) error         // an error keeps the call from the store
	after  func(storeCall, error) error  // replaces the answer
	delay  func(storeCall, func()) error // an error means that the call is made later
}

// storeCall is one call of a store.
type storeCall struct {
	method string // "Create"
	n      int    // 1 for the first call since reset
	key    string
}

func newSpy(inner driver.Store) *spy { return &spy{inner: inner, counts: make(map[string]int)} }

type (
	separateMark struct{}
	contentMark  struct{}
)

func (separateMark) SeparateIndex() {}
func (contentMark) ContentVersion() {}

// store answers the spy as a store.
func (s *spy) store() driver.Store {
	_, separate := s.inner.(driver.SeparateIndexer)
	_, content := s.inner.(driver.ContentVersioner)
	switch {
	case separate && content:
		return struct {
			*spy
			separateMark
			contentMark
		}{spy: s}
	case separate:
		return struct {
			*spy
			separateMark
		}{spy: s}
	case content:
		return struct {
			*spy
			contentMark
		}{spy: s}
	}
	return s
}

// reset forgets what was counted, and sets what happens from now on; both
// functions may be nil.
func (s *spy) reset(before func(storeCall) error, after func(storeCall, error) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts, s.total = make(map[string]int), 0
	s.before, s.after, s.delay = before, after, nil
}

// later adds what keeps calls for later to what reset set.
func (s *spy) later(delay func(c storeCall, call func()) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.delay = delay
}

// counted answers the number of calls per method, and of all.
func (s *spy) counted() (map[string]int, int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	counts := maps.Clone(s.counts)
	maps.DeleteFunc(counts, func(_ string, n int) bool { return n == 0 })
	return counts, s.total
}

// writes answers the number of calls that may have changed something.
func (s *spy) writes() int {
	n, _ := s.counted()
	return n["Create"] + n["Replace"] + n["Touch"] + n["Delete"]
}

// do makes one call. The functions of the case run outside of the lock: they
// may use the same store.
func (s *spy) do(ctx context.Context, method, key string, fn func(context.Context) error) error {
	s.mu.Lock()
	s.counts[method]++
	s.total++
	c := storeCall{method, s.total, key}
	before, after, delay := s.before, s.after, s.delay
	s.mu.Unlock()
	if before != nil {
		if err := before(c); err != nil {
			return err
		}
	}
	if delay != nil {
		// Its context is that of a request which has left.
		if err := delay(c, func() { _ = fn(context.WithoutCancel(ctx)) }); err != nil {
			return err
		}
	}
	err := fn(ctx)
	if errors.Is(err, errors.ErrUnsupported) {
		s.uncount(method)
		return err
	}
	if after != nil {
		err = after(c, err)
	}
	return err
}

func (s *spy) uncount(method string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts[method]--
	s.total--
}

// write makes a call that answers a version. It is not looked at if the call
// failed, since that may have been kept for later.
func (s *spy) write(ctx context.Context, method, key string, fn func(context.Context) (driver.Version, error)) (driver.Version, error) {
	var v driver.Version
	err := s.do(ctx, method, key, func(ctx context.Context) (err error) { v, err = fn(ctx); return err })
	if err != nil {
		return "", err
	}
	return v, nil
}

func (s *spy) Create(ctx context.Context, rec driver.Record) (driver.Version, error) {
	return s.write(ctx, "Create", rec.Key, func(ctx context.Context) (driver.Version, error) { return s.inner.Create(ctx, rec) })
}

func (s *spy) Load(ctx context.Context, key string) (rec driver.Record, v driver.Version, err error) {
	err = s.do(ctx, "Load", key, func(ctx context.Context) (err error) { rec, v, err = s.inner.Load(ctx, key); return err })
	if err != nil {
		return driver.Record{}, "", err
	}
	return rec, v, nil
}

func (s *spy) Replace(ctx context.Context, rec driver.Record, old driver.Version) (driver.Version, error) {
	return s.write(ctx, "Replace", rec.Key, func(ctx context.Context) (driver.Version, error) { return s.inner.Replace(ctx, rec, old) })
}

func (s *spy) Delete(ctx context.Context, rec driver.Record, old driver.Version) error {
	return s.do(ctx, "Delete", rec.Key, func(ctx context.Context) error { return s.inner.Delete(ctx, rec, old) })
}

func (s *spy) Close() error { return s.inner.Close() }

func (s *spy) Touch(ctx context.Context, rec driver.Record, old driver.Version) (driver.Version, error) {
	t, ok := s.inner.(driver.Toucher)
	if !ok {
		return "", errors.ErrUnsupported
	}
	return s.write(ctx, "Touch", rec.Key, func(ctx context.Context) (driver.Version, error) { return t.Touch(ctx, rec, old) })
}

func (s *spy) Scan(ctx context.Context) iter.Seq2[driver.Record, error] {
	scanner, ok := s.inner.(driver.Scanner)
	if !ok {
		return noRecords
	}
	return s.records(ctx, "Scan", func() iter.Seq2[driver.Record, error] { return scanner.Scan(ctx) })
}

func (s *spy) Search(ctx context.Context, field, digest string) iter.Seq2[driver.Record, error] {
	searcher, ok := s.inner.(driver.Searcher)
	if !ok {
		return noRecords
	}
	return s.records(ctx, "Search", func() iter.Seq2[driver.Record, error] { return searcher.Search(ctx, field, digest) })
}

func noRecords(yield func(driver.Record, error) bool) { yield(driver.Record{}, errors.ErrUnsupported) }

// records counts a sequence as one call, made when it begins.
func (s *spy) records(ctx context.Context, method string, open func() iter.Seq2[driver.Record, error]) iter.Seq2[driver.Record, error] {
	return func(yield func(driver.Record, error) bool) {
		var all iter.Seq2[driver.Record, error]
		if err := s.do(ctx, method, "", func(context.Context) error { all = open(); return nil }); err != nil {
			yield(driver.Record{}, err)
			return
		}
		all(func(rec driver.Record, err error) bool {
			if errors.Is(err, errors.ErrUnsupported) {
				s.uncount(method)
			}
			return yield(rec, err)
		})
	}
}

func (s *spy) Purge(ctx context.Context, before time.Time, limit int) (n int, err error) {
	p, ok := s.inner.(driver.Purger)
	if !ok {
		return 0, errors.ErrUnsupported
	}
	err = s.do(ctx, "Purge", "", func(ctx context.Context) (err error) { n, err = p.Purge(ctx, before, limit); return err })
	return n, err
}

func (s *spy) Ping(ctx context.Context) (info driver.Info, err error) {
	p, ok := s.inner.(driver.Pinger)
	if !ok {
		return driver.Info{}, errors.ErrUnsupported
	}
	err = s.do(ctx, "Ping", "", func(ctx context.Context) (err error) { info, err = p.Ping(ctx); return err })
	return info, err
}
