package conformance

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/websession/websession/session/driver"
)

// Faults of stores as applications meet them: of deadlines, clocks and purges,
// and of records that are not what they should be.
func init() {
	mutants = append(mutants, []mutant{
		{name: "each server keeps deadlines by a clock of its own", caughtBy: "Expiry/ClocksMayDiffer", fault: func(w *world, m calls, c *calls) {
			w.mu.Lock()
			defer w.mu.Unlock()
			if w.count["handles"]++; w.count["handles"]%2 == 0 {
				deadlines(m, c, func(t time.Time) time.Time { return t.Add(-time.Minute) })
			}
		}},
		{name: "deadlines far ahead are cut at a month", caughtBy: "Expiry/ClockJumps", fault: func(_ *world, m calls, c *calls) {
			deadlines(m, c, func(t time.Time) time.Time {
				if month := in(30 * 24 * time.Hour); t.After(month) {
					return month
				}
				return t
			})
		}},
		{name: "a deadline that was given stays", caughtBy: "Expiry/LimitAndBack", fault: func(_ *world, m calls, c *calls) {
			c.replace = func(ctx context.Context, rec driver.Record, old driver.Version) (driver.Version, error) {
				if was, _, err := m.load(ctx, rec.Key); err == nil && rec.Expires.IsZero() {
					rec.Expires = was.Expires
				}
				return m.replace(ctx, rec, old)
			}
		}},
		{name: "a limit of before is remembered by Purge", caughtBy: "Expiry/LimitAndBack", fault: func(w *world, m calls, c *calls) {
			c.replace = func(ctx context.Context, rec driver.Record, old driver.Version) (driver.Version, error) {
				v, err := m.replace(ctx, rec, old)
				w.mu.Lock()
				defer w.mu.Unlock()
				if err == nil && !rec.Expires.IsZero() {
					w.times[rec.Key] = rec.Expires
				}
				return v, err
			}
			c.purge = func(ctx context.Context, before time.Time, limit int) (int, error) {
				w.mu.Lock()
				defer w.mu.Unlock()
				n := 0
				for key, t := range w.times {
					if n < limit && t.Before(before) {
						m.delete(ctx, driver.Record{Key: key}, "")
						delete(w.times, key)
						n++
					}
				}
				return n, nil
			}
		}},
		{name: "Replace by as many bytes is no change", caughtBy: "Expiry/PersistentIsRemembered", fault: func(_ *world, m calls, c *calls) {
			c.replace = func(ctx context.Context, rec driver.Record, old driver.Version) (driver.Version, error) {
				if was, now, err := m.load(ctx, rec.Key); err == nil && now == old && len(was.Data) == len(rec.Data) && was.Expires.Equal(rec.Expires) {
					return old, nil
				}
				return m.replace(ctx, rec, old)
			}
		}},
		{name: "Purge stops at the first that lives", caughtBy: "Purging/EachByItsOwnTimeout", fault: func(w *world, m calls, c *calls) {
			c.create = func(ctx context.Context, rec driver.Record) (driver.Version, error) {
				w.mu.Lock()
				defer w.mu.Unlock()
				w.data["order"] = append(append(w.data["order"], rec.Key...), ' ')
				return m.create(ctx, rec)
			}
			c.purge = func(ctx context.Context, before time.Time, limit int) (int, error) {
				w.mu.Lock()
				defer w.mu.Unlock()
				n := 0
				for _, key := range strings.Fields(string(w.data["order"])) {
					rec, v, err := m.load(ctx, key)
					if err != nil {
						continue
					}
					if n == limit || rec.Expires.IsZero() || !rec.Expires.Before(before) || m.delete(ctx, rec, v) != nil {
						break
					}
					n++
				}
				return n, nil
			}
		}},
		{name: "Purge stops at what it cannot read", caughtBy: "Purging/GoesOnPastDamage", fault: func(_ *world, m calls, c *calls) {
			c.purge = func(ctx context.Context, before time.Time, limit int) (int, error) {
				for rec := range m.scan(ctx) {
					if rec.Expires.Before(before) && !looksWhole(rec.Data) {
						return 0, driver.ErrCorrupt
					}
				}
				return m.purge(ctx, before, limit)
			}
		}},
		{name: "Purge leaves what it cannot read", caughtBy: "Purging/GoesOnPastDamage", fault: func(_ *world, m calls, c *calls) {
			c.purge = func(ctx context.Context, before time.Time, limit int) (int, error) {
				n := 0
				for _, rec := range listed(m.scan(ctx)) {
					if n < limit && rec.Expires.Before(before) && looksWhole(rec.Data) && m.delete(ctx, rec, "") == nil {
						n++
					}
				}
				return n, nil
			}
		}},
		{name: "Purge of a store that expires by itself fails", caughtBy: "Purging/HarmlessForLiveSessions", twin: ownExpiry, fault: func(_ *world, _ calls, c *calls) {
			c.purge = func(context.Context, time.Time, int) (int, error) {
				return 0, errors.New("sessions expire by themselves here")
			}
		}},
		{name: "Load drops what is of another version", caughtBy: "Damage/NewerFormatIsLeftAlone", fault: func(_ *world, m calls, c *calls) {
			c.load = func(ctx context.Context, key string) (driver.Record, driver.Version, error) {
				rec, v, err := m.load(ctx, key)
				if err == nil && !looksWhole(rec.Data) {
					m.delete(ctx, rec, v)
					return driver.Record{}, "", driver.ErrNotFound
				}
				return rec, v, err
			}
		}},
		{name: "Load takes damage for absence", caughtBy: "Damage/IsCorruptNeverAPanic", fault: func(_ *world, m calls, c *calls) {
			c.load = func(ctx context.Context, key string) (driver.Record, driver.Version, error) {
				rec, v, err := m.load(ctx, key)
				if err == nil && !looksWhole(rec.Data) {
					return driver.Record{}, "", driver.ErrNotFound
				}
				return rec, v, err
			}
		}},
	}...)
}

// looksWhole looks into data, which no store should.
func looksWhole(data []byte) bool { return len(data) > 40 && data[0] == 1 }
