package conformance

import (
	"context"
	"errors"
	"time"

	"github.com/websession/websession/session/driver"
)

// Faults of Purge.
func init() {
	mutants = append(mutants, []mutant{
		{name: "Purge takes the given time, too", caughtBy: "Purge/DeletesTheExpiredOnly", fault: func(_ *world, m calls, c *calls) {
			c.purge = func(ctx context.Context, before time.Time, limit int) (int, error) {
				return m.purge(ctx, before.Add(time.Millisecond), limit)
			}
		}},
		{name: "Purge rounds to seconds", caughtBy: "Purge/DeletesTheExpiredOnly", fault: func(_ *world, m calls, c *calls) {
			c.purge = func(ctx context.Context, before time.Time, limit int) (int, error) {
				return m.purge(ctx, before.Truncate(time.Second), limit)
			}
		}},
		{name: "Purge goes by its own clock", caughtBy: "Purge/GoesByTheGivenTime", fault: func(_ *world, m calls, c *calls) {
			c.purge = func(ctx context.Context, _ time.Time, limit int) (int, error) {
				return m.purge(ctx, time.Now(), limit)
			}
		}},
		{name: "Purge deletes what never expires", caughtBy: "Purge/NeverMeansNever", fault: func(_ *world, m calls, c *calls) {
			c.purge = func(ctx context.Context, before time.Time, limit int) (int, error) {
				n := 0
				for _, rec := range listed(m.scan(ctx)) {
					if n < limit && rec.Expires.Before(before) && m.delete(ctx, rec, "") == nil {
						n++
					}
				}
				return n, nil
			}
		}},
		{name: "Purge ignores the limit", caughtBy: "Purge/KeepsTheLimit", fault: func(_ *world, m calls, c *calls) {
			c.purge = func(ctx context.Context, before time.Time, limit int) (int, error) {
				n, err := m.purge(ctx, before, 1000)
				return min(n, limit), err
			}
		}},
		{name: "Purge counts what it looked at", caughtBy: "Purge/KeepsTheLimit", fault: func(_ *world, m calls, c *calls) {
			c.purge = func(ctx context.Context, before time.Time, limit int) (int, error) {
				_, err := m.purge(ctx, before, limit/2)
				return limit, err
			}
		}},
		{name: "Purge stops after a page", caughtBy: "Purge/EmptiesInBatches", fault: func(_ *world, m calls, c *calls) {
			c.purge = func(ctx context.Context, before time.Time, limit int) (int, error) {
				return m.purge(ctx, before, min(limit, 50))
			}
		}},
		{name: "Purge leaves index entries", caughtBy: "Purge/LeavesNothing", fault: func(w *world, m calls, c *calls) {
			c.purge = func(ctx context.Context, before time.Time, limit int) (int, error) {
				n, err := m.purge(ctx, before, limit)
				if n > 0 {
					w.mu.Lock()
					defer w.mu.Unlock()
					w.left["index"] = nil
				}
				return n, err
			}
		}},
		{name: "Replace revives what was purged", caughtBy: "Purge/EndsTheSession", fault: func(w *world, m calls, c *calls) {
			c.purge = func(ctx context.Context, before time.Time, limit int) (int, error) {
				w.flag.Store(true)
				return m.purge(ctx, before, limit)
			}
			c.replace = func(ctx context.Context, rec driver.Record, old driver.Version) (driver.Version, error) {
				v, err := m.replace(ctx, rec, old)
				if errors.Is(err, driver.ErrNotFound) && w.flag.Load() {
					return m.create(ctx, rec)
				}
				return v, err
			}
		}},
		{name: "Purge goes by the deadline of Create", caughtBy: "Purge/FollowsTheDeadline", fault: func(w *world, m calls, c *calls) {
			c.create = func(ctx context.Context, rec driver.Record) (driver.Version, error) {
				w.mu.Lock()
				defer w.mu.Unlock()
				w.times[rec.Key] = rec.Expires
				return m.create(ctx, rec)
			}
			c.purge = func(ctx context.Context, before time.Time, limit int) (int, error) {
				w.mu.Lock()
				defer w.mu.Unlock()
				n := 0
				for key, t := range w.times {
					if n < limit && !t.IsZero() && t.Before(before) {
						m.delete(ctx, driver.Record{Key: key}, "")
						n++
					}
				}
				return n, nil
			}
		}},
		{name: "Purge counts what others deleted", caughtBy: "Purge/SeveralAtOnce", fault: func(_ *world, m calls, c *calls) {
			c.purge = purgesByList(m)
		}},
		{name: "Purge deletes what was touched meanwhile", caughtBy: "Purge/SparesWhatWasTouched", fault: func(_ *world, m calls, c *calls) {
			c.purge = purgesByList(m)
		}},
		{name: "Purge deletes now and then what was touched meanwhile", caughtBy: "Purge/SparesWhatWasTouched", fault: func(w *world, m calls, c *calls) {
			c.purge = func(ctx context.Context, before time.Time, limit int) (int, error) {
				w.mu.Lock()
				w.count["purges"]++
				third := w.count["purges"]%3 == 0
				w.mu.Unlock()
				if third {
					return purgesByList(m)(ctx, before, limit)
				}
				return m.purge(ctx, before, limit)
			}
		}},
	}...)
}

// purgesByList makes a list first, and deletes then.
func purgesByList(m calls) func(context.Context, time.Time, int) (int, error) {
	return func(ctx context.Context, before time.Time, limit int) (int, error) {
		var list []driver.Record
		for _, rec := range listed(m.scan(ctx)) {
			if len(list) < limit && !rec.Expires.IsZero() && rec.Expires.Before(before) {
				list = append(list, rec)
			}
		}
		pause()
		for _, rec := range list {
			m.delete(ctx, rec, "")
		}
		return len(list), nil
	}
}
