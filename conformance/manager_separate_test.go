package conformance

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/websession/websession/session/driver"
)

// TestSeparateIndex runs the manager's cases on a store that keeps its index
// apart from the records, and knows of it only what the core tells: Index and
// Was. Its Raw shows the index, so that the cases see what is left behind.
func TestSeparateIndex(t *testing.T) {
	d, env := newTwin()
	separateTwin(d, nil)
	var ran atomic.Int64
	for _, c := range managerCases() {
		t.Run(c.name, func(t *testing.T) {
			p := newPlace(t, d, env, false, 1)
			p.why = c.why
			ran.Add(1)
			c.run(p)
		})
	}
	t.Logf("%d cases ran", ran.Load())
}

// separateTwin makes d a driver of separateStores. The fault, if there is one,
// changes what they do to the index.
func separateTwin(d *twin, fault func(method string, rec *driver.Record)) {
	if fault == nil {
		fault = func(string, *driver.Record) {}
	}
	d.open = func(ctx context.Context, _ driver.OpenOptions, w *world, next openNext) (driver.Store, error) {
		s, err := next(ctx)
		if err != nil {
			return nil, err
		}
		return separateStore{twinStore: s.(twinStore), w: w, fault: fault}, nil
	}
}

type separateStore struct {
	twinStore
	separateMark
	w     *world
	fault func(method string, rec *driver.Record)
}

func entry(field, digest, key string) string { return fmt.Sprintf("ix %s %s %s", field, digest, key) }

// move drops the entries of rec.Was and adds those of rec.Index, if the call that
// it belongs to was applied.
func (s separateStore) move(method string, rec driver.Record, err error) {
	if err != nil {
		return
	}
	s.fault(method, &rec)
	for f, d := range rec.Was {
		delete(s.w.left, entry(f, d, rec.Key))
	}
	for f, d := range rec.Index {
		s.w.left[entry(f, d, rec.Key)] = nil
	}
}

func (s separateStore) Create(ctx context.Context, rec driver.Record) (driver.Version, error) {
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	v, err := s.twinStore.Create(ctx, rec)
	rec.Was = nil
	s.move("Create", rec, err)
	return v, err
}

func (s separateStore) Replace(ctx context.Context, rec driver.Record, old driver.Version) (driver.Version, error) {
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	v, err := s.twinStore.Replace(ctx, rec, old)
	s.move("Replace", rec, err)
	return v, err
}

func (s separateStore) Touch(ctx context.Context, rec driver.Record, old driver.Version) (driver.Version, error) {
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	v, err := s.twinStore.Touch(ctx, rec, old)
	s.move("Touch", rec, err)
	return v, err
}

func (s separateStore) Delete(ctx context.Context, rec driver.Record, old driver.Version) error {
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	err := s.twinStore.Delete(ctx, rec, old)
	rec.Index = nil
	s.move("Delete", rec, err)
	return err
}

func (s separateStore) Purge(ctx context.Context, before time.Time, limit int) (int, error) {
	n := 0
	for rec, err := range s.Scan(ctx) {
		if err != nil || n == limit {
			return n, err
		}
		rec, v, err := s.Load(ctx, rec.Key)
		if err != nil || rec.Expires.IsZero() || !rec.Expires.Before(before) {
			continue
		}
		rec.Was = rec.Index
		if s.Delete(ctx, rec, v) == nil {
			n++
		}
	}
	return n, nil
}

// Search reads the entries, and then the records.
func (s separateStore) Search(ctx context.Context, field, digest string) recordSeq {
	return func(yield func(driver.Record, error) bool) {
		prefix := entry(field, digest, "")
		var keys []string
		s.w.mu.Lock()
		for name := range s.w.left {
			if key, ok := strings.CutPrefix(name, prefix); ok {
				keys = append(keys, key)
			}
		}
		s.w.mu.Unlock()
		for _, key := range keys {
			rec, _, err := s.Load(ctx, key)
			if driver.WasNotApplied(err) {
				continue // an entry without a record
			}
			if !yield(rec, err) {
				return
			}
		}
	}
}

// Faults of indexes that lie apart.
func init() {
	for _, f := range []struct {
		name, caughtBy, method string
		change                 func(rec *driver.Record)
	}{
		{"a separate index keeps old values", "Finding/FollowsTheAttribute", "Replace", func(rec *driver.Record) { rec.Was = nil }},
		{"a separate index loses entries at every save", "Finding/UnrelatedChangeKeepsTheEntry", "Replace", func(rec *driver.Record) { rec.Index = nil }},
		{"a separate index loses entries at every touch", "Touching/KeepsTheIndexEntry", "Touch", func(rec *driver.Record) { rec.Index = nil }},
		{"a separate index keeps what was renewed", "Renewing/KeepsTheIndexEntry", "Delete", func(rec *driver.Record) { rec.Was = nil }},
		{"a separate index keeps what was destroyed", "Finding/EndedSessionsLeaveNoEntry", "Delete", func(rec *driver.Record) { rec.Was = nil }},
	} {
		mutants = append(mutants, mutant{name: f.name, caughtBy: f.caughtBy, driver: func(t *twin) {
			separateTwin(t, func(method string, rec *driver.Record) {
				if method == f.method {
					f.change(rec)
				}
			})
		}})
	}
}
