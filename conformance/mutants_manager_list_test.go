package conformance

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/websession/websession/session/driver"
)

// More faults of stores as applications meet them: of lists, and of what comes
// in numbers.
func init() {
	mutants = append(mutants, []mutant{
		{name: "Search answers a page", caughtBy: "Finding/AllLiveNoneExpired", fault: func(_ *world, m calls, c *calls) {
			c.search = func(ctx context.Context, field, digest string) recordSeq {
				return page(m.search(ctx, field, digest), 10)
			}
		}},
		{name: "Search knows one field", caughtBy: "Finding/TextsAndNumbers", fault: func(_ *world, m calls, c *calls) {
			c.search = func(ctx context.Context, field, digest string) recordSeq {
				return m.search(ctx, "user", digest)
			}
		}},
		{name: "Scan answers a page", caughtBy: "Listing/AllLiveNoneExpired", fault: func(_ *world, m calls, c *calls) {
			c.scan = func(ctx context.Context) recordSeq { return page(m.scan(ctx), 20) }
		}},
		{name: "Purge does a part and says that it is done", caughtBy: "Purging/Batches", fault: func(_ *world, m calls, c *calls) {
			c.purge = func(ctx context.Context, before time.Time, limit int) (int, error) {
				return m.purge(ctx, before, limit/2)
			}
		}},
		{name: "two purges count one record", caughtBy: "Purging/TwoAtOnce", fault: func(_ *world, m calls, c *calls) {
			c.purge = func(ctx context.Context, before time.Time, limit int) (int, error) {
				n := 0
				var old []driver.Record
				for rec := range m.scan(ctx) {
					if rec.Expires.Before(before) && len(old) < limit {
						old = append(old, rec)
					}
				}
				pause()
				for _, rec := range old {
					if m.delete(ctx, rec, "") == nil { // as for an absent one
						n++
					}
				}
				return n, nil
			}
		}},
		{name: "Purge deletes at the deadline", caughtBy: "Purging/WaitsForTheMargin", fault: func(_ *world, m calls, c *calls) {
			c.purge = func(ctx context.Context, before time.Time, limit int) (int, error) {
				return m.purge(ctx, before.Add(driver.Margin), limit)
			}
		}},
		{name: "one create in fifty is lost", caughtBy: "Identity/ParallelCreatesAreDistinct", fault: func(_ *world, m calls, c *calls) {
			var n atomic.Int64
			c.create = func(ctx context.Context, rec driver.Record) (driver.Version, error) {
				if n.Add(1)%50 == 0 {
					return "lost", nil
				}
				return m.create(ctx, rec)
			}
		}},
		{name: "Load writes", caughtBy: "Reading/ChangesNothing", fault: func(_ *world, m calls, c *calls) {
			c.load = func(ctx context.Context, key string) (driver.Record, driver.Version, error) {
				rec, v, err := m.load(ctx, key)
				if err != nil {
					return rec, v, err
				}
				if now, err := m.touch(ctx, rec, v); err == nil {
					v = now
				}
				return rec, v, nil
			}
		}},
		{name: "Load hides what has expired", caughtBy: "Saving/ExpiredIsGone", fault: func(_ *world, m calls, c *calls) {
			c.load = func(ctx context.Context, key string) (driver.Record, driver.Version, error) {
				rec, v, err := m.load(ctx, key)
				if err == nil && rec.Expires.Before(in(2*time.Hour)) {
					err = driver.ErrNotFound
				}
				return rec, v, err
			}
		}},
		{name: "a touch leaves the deadline", caughtBy: "Expiry/UseExtends", fault: func(_ *world, m calls, c *calls) {
			c.touch = func(ctx context.Context, rec driver.Record, old driver.Version) (driver.Version, error) {
				if was, _, err := m.load(ctx, rec.Key); err == nil {
					rec.Expires = was.Expires
				}
				return m.touch(ctx, rec, old)
			}
		}},
		{name: "sessions end within a millisecond", caughtBy: "Expiry/WholeMilliseconds", fault: func(_ *world, m calls, c *calls) {
			deadlines(m, c, func(t time.Time) time.Time { return t.Add(300 * time.Microsecond) })
		}},
		{name: "a deadline never comes nearer", caughtBy: "Expiry/PerSession", fault: func(_ *world, m calls, c *calls) {
			c.replace = func(ctx context.Context, rec driver.Record, old driver.Version) (driver.Version, error) {
				if was, _, err := m.load(ctx, rec.Key); err == nil && was.Expires.After(rec.Expires) {
					rec.Expires = was.Expires
				}
				return m.replace(ctx, rec, old)
			}
		}},
		{name: "a Delete with a version takes an absent record for deleted", caughtBy: "Renewing/OfDestroyedIsGone", fault: func(_ *world, m calls, c *calls) {
			c.delete = func(ctx context.Context, rec driver.Record, old driver.Version) error {
				err := m.delete(ctx, rec, old)
				if errors.Is(err, driver.ErrNotFound) {
					return nil
				}
				return err
			}
		}},
		{name: "a logout during a renewal is forgotten", caughtBy: "Concurrency/LogoutAtEveryStepOfARequest", fault: func(_ *world, m calls, c *calls) {
			c.delete = func(ctx context.Context, rec driver.Record, old driver.Version) error {
				err := m.delete(ctx, rec, old)
				if errors.Is(err, driver.ErrNotFound) {
					return nil
				}
				return err
			}
		}},
		{name: "a save that conflicts is dropped", caughtBy: "Concurrency/SaveAtEveryStepOfARequest", fault: func(_ *world, m calls, c *calls) {
			c.replace = func(ctx context.Context, rec driver.Record, old driver.Version) (driver.Version, error) {
				v, err := m.replace(ctx, rec, old)
				if errors.Is(err, driver.ErrConflict) {
					return v, nil
				}
				return v, err
			}
		}},
		{name: "a deleted attribute comes back with the last save", caughtBy: "Concurrency/DeletedAttributeStaysDeleted", fault: func(_ *world, m calls, c *calls) {
			c.replace = func(ctx context.Context, rec driver.Record, old driver.Version) (driver.Version, error) {
				for {
					v, err := m.replace(ctx, rec, old)
					if !errors.Is(err, driver.ErrConflict) {
						return v, err
					}
					_, old, _ = m.load(ctx, rec.Key)
				}
			}
		}},
		{name: "the store keeps a log of values", caughtBy: "Secrets/IndexHoldsNoValues", fault: func(w *world, m calls, c *calls) {
			c.replace = func(ctx context.Context, rec driver.Record, old driver.Version) (driver.Version, error) {
				w.mu.Lock()
				w.left["log"] = append(w.left["log"], rec.Data...)
				w.mu.Unlock()
				return m.replace(ctx, rec, old)
			}
		}},
	}...)
}

// page ends a sequence after n records.
func page(all recordSeq, n int) recordSeq {
	return func(yield func(driver.Record, error) bool) {
		left := n
		for rec, err := range all {
			if left--; left < 0 || !yield(rec, err) {
				return
			}
		}
	}
}
