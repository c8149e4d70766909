package conformance

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/websession/websession/session/driver"
)

// Faults of Search.
func init() {
	mutants = append(mutants, []mutant{
		{name: "Search of nobody fails", caughtBy: "Search/FindsWholeRecords", fault: func(_ *world, m calls, c *calls) {
			c.search = func(ctx context.Context, field, digest string) recordSeq {
				return func(yield func(driver.Record, error) bool) {
					if all := listed(m.search(ctx, field, digest)); len(all) == 0 {
						yield(driver.Record{}, driver.ErrNotFound)
					} else {
						yieldAll(all, yield)
					}
				}
			}
		}},
		{name: "Search yields no Index", caughtBy: "Search/FindsWholeRecords", fault: func(_ *world, m calls, c *calls) {
			searches(m, c, func(rec *driver.Record) bool { rec.Index = nil; return true })
		}},
		{name: "Search stops after a page", caughtBy: "Search/FindsMany", fault: func(_ *world, m calls, c *calls) {
			n := 0
			searches(m, c, func(*driver.Record) bool { n++; return n <= 100 })
		}},
		{name: "Search goes by the index of Create", caughtBy: "Search/FollowsEveryMutation", fault: func(w *world, m calls, c *calls) {
			indexApart(w, m, c)
			c.replace = m.replace
		}},
		{name: "Touch does not change the index", caughtBy: "Search/FollowsEveryMutation", fault: func(w *world, m calls, c *calls) {
			indexApart(w, m, c)
			c.touch = m.touch
		}},
		{name: "Create that is refused drops the entry", caughtBy: "Search/RefusedWritesChangeNothing", fault: func(w *world, m calls, c *calls) {
			indexApart(w, m, c)
			create := c.create
			c.create = func(ctx context.Context, rec driver.Record) (driver.Version, error) {
				v, err := create(ctx, rec)
				if errors.Is(err, driver.ErrExists) {
					w.setEntry(rec.Key, nil)
				}
				return v, err
			}
		}},
		{name: "Replace that is refused writes the entry", caughtBy: "Search/RefusedWritesChangeNothing", fault: func(w *world, m calls, c *calls) {
			indexApart(w, m, c)
			c.replace = entryFirst(w, m)
		}},
		{name: "Search fails at an entry without its record", caughtBy: "Search/LeavesOutOrphans", twin: separateIndex, fault: func(w *world, m calls, c *calls) {
			c.search = func(ctx context.Context, field, digest string) recordSeq {
				return func(yield func(driver.Record, error) bool) {
					var keys []string
					w.mu.Lock()
					for name := range w.left {
						if key, ok := strings.CutPrefix(name, "index "+field+" "+digest+" "); ok {
							keys = append(keys, key)
						}
					}
					w.mu.Unlock()
					for _, key := range keys {
						rec, _, err := m.load(ctx, key)
						if !yield(rec, err) {
							return
						}
					}
				}
			}
		}},
		{name: "digests are unique without case", caughtBy: "Search/ComparesExactly", fault: func(w *world, m calls, c *calls) {
			c.create = func(ctx context.Context, rec driver.Record) (driver.Version, error) {
				v, err := m.create(ctx, rec)
				w.mu.Lock()
				defer w.mu.Unlock()
				w.data[strings.ToLower(rec.Index["user"])] = []byte(rec.Key)
				return v, err
			}
			c.search = func(ctx context.Context, field, digest string) recordSeq {
				return func(yield func(driver.Record, error) bool) {
					w.mu.Lock()
					key := string(w.data[strings.ToLower(digest)])
					w.mu.Unlock()
					if rec, _, err := m.load(ctx, key); err == nil {
						yield(rec, nil)
					}
				}
			}
		}},
		{name: "only one field is indexed", caughtBy: "Search/KnowsFieldsApart", fault: func(_ *world, m calls, c *calls) {
			c.search = func(ctx context.Context, _, digest string) recordSeq { return m.search(ctx, "user", digest) }
		}},
		{name: "Search ends where a record has gone", caughtBy: "Search/WhileOthersWrite", fault: func(_ *world, m calls, c *calls) {
			c.search = func(ctx context.Context, field, digest string) recordSeq {
				return endsWhereGone(ctx, m, m.search(ctx, field, digest))
			}
		}},
		{name: "the loser's entry stays", caughtBy: "Search/FollowsTheWinner", fault: func(w *world, m calls, c *calls) {
			indexApart(w, m, c)
			c.replace = entryFirst(w, m)
		}},
		{name: "Search leaves a goroutine", caughtBy: "Search/MayBeLeft", fault: func(w *world, m calls, c *calls) {
			c.search = func(ctx context.Context, field, digest string) recordSeq {
				return bySender(w, m.search(ctx, field, digest))
			}
		}},
		{name: "Search that is left keeps its connection", caughtBy: "Search/MayBeLeft", fault: func(w *world, m calls, c *calls) {
			c.search = func(ctx context.Context, field, digest string) recordSeq {
				return keepsSlot(ctx, w, m.search(ctx, field, digest))
			}
		}},
		{name: "Search holds a lock", caughtBy: "Search/StoreMayBeUsedInTheLoop", fault: func(w *world, m calls, c *calls) {
			holdsLock(w, m, c)
			c.search = func(ctx context.Context, field, digest string) recordSeq {
				return locked(w, m.search(ctx, field, digest))
			}
		}},
	}...)
}

// searches makes Search yield something else, or less.
func searches(m calls, c *calls, keep func(rec *driver.Record) bool) {
	c.search = func(ctx context.Context, field, digest string) recordSeq {
		return func(yield func(driver.Record, error) bool) {
			for rec, err := range m.search(ctx, field, digest) {
				if err == nil && !keep(&rec) {
					continue
				}
				if !yield(rec, err) {
					return
				}
			}
		}
	}
}

func (w *world) setEntry(key string, index map[string]string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.index[key] = index
}

// indexApart keeps the index apart from the records: correct, but for races.
func indexApart(w *world, m calls, c *calls) {
	c.create = func(ctx context.Context, rec driver.Record) (driver.Version, error) {
		v, err := m.create(ctx, rec)
		if err == nil {
			w.setEntry(rec.Key, rec.Index)
		}
		return v, err
	}
	change := func(call replaceCall) replaceCall {
		return func(ctx context.Context, rec driver.Record, old driver.Version) (driver.Version, error) {
			v, err := call(ctx, rec, old)
			if err == nil {
				w.setEntry(rec.Key, rec.Index)
			}
			return v, err
		}
	}
	c.replace, c.touch = change(m.replace), change(m.touch)
	c.search = func(ctx context.Context, field, digest string) recordSeq {
		return func(yield func(driver.Record, error) bool) {
			for _, rec := range listed(m.scan(ctx)) {
				w.mu.Lock()
				found := w.index[rec.Key][field] == digest
				w.mu.Unlock()
				if found && !yield(rec, nil) {
					return
				}
			}
		}
	}
}

// entryFirst writes the entry before it knows whether the record is stored.
func entryFirst(w *world, m calls) replaceCall {
	return func(ctx context.Context, rec driver.Record, old driver.Version) (driver.Version, error) {
		w.setEntry(rec.Key, rec.Index)
		return m.replace(ctx, rec, old)
	}
}

// separateIndex keeps index entries where Raw shows them, as a store does whose
// index is in another partition: it writes them before the record, and leaves
// those of writes that were refused.
func separateIndex(w *world, m calls, c *calls) {
	entry := func(field, digest, key string) string { return "index " + field + " " + digest + " " + key }
	write := func(rec driver.Record) {
		w.mu.Lock()
		defer w.mu.Unlock()
		for field, digest := range rec.Index {
			w.left[entry(field, digest, rec.Key)] = nil
		}
	}
	drop := func(key string, was, is map[string]string) {
		w.mu.Lock()
		defer w.mu.Unlock()
		for field, digest := range was {
			if is[field] != digest {
				delete(w.left, entry(field, digest, key))
			}
		}
	}
	c.create = func(ctx context.Context, rec driver.Record) (driver.Version, error) {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		write(rec)
		return m.create(ctx, rec)
	}
	change := func(call replaceCall) replaceCall {
		return func(ctx context.Context, rec driver.Record, old driver.Version) (driver.Version, error) {
			if err := ctx.Err(); err != nil {
				return "", err
			}
			write(rec)
			v, err := call(ctx, rec, old)
			if err == nil {
				drop(rec.Key, rec.Was, rec.Index)
			}
			return v, err
		}
	}
	c.replace, c.touch = change(m.replace), change(m.touch)
	c.delete = func(ctx context.Context, rec driver.Record, old driver.Version) error {
		err := m.delete(ctx, rec, old)
		if err == nil {
			drop(rec.Key, rec.Was, nil)
		}
		return err
	}
	c.search = func(ctx context.Context, field, digest string) recordSeq {
		return func(yield func(driver.Record, error) bool) {
			all := listed(m.scan(ctx))
			for _, err := range m.search(ctx, field, "nobody") {
				yield(driver.Record{}, err) // it is closed, or ctx has ended
				return
			}
			for _, rec := range all {
				w.mu.Lock()
				_, found := w.left[entry(field, digest, rec.Key)]
				w.mu.Unlock()
				if found && !yield(rec, nil) {
					return
				}
			}
		}
	}
	c.purge = func(ctx context.Context, before time.Time, limit int) (int, error) {
		if _, err := m.purge(ctx, before, 0); err != nil {
			return 0, err
		}
		n := 0
		for _, rec := range listed(m.scan(ctx)) {
			now, v, err := m.load(ctx, rec.Key)
			if n < limit && err == nil && !now.Expires.IsZero() && now.Expires.Before(before) && m.delete(ctx, now, v) == nil {
				drop(now.Key, now.Index, nil)
				n++
			}
		}
		return n, nil
	}
}
