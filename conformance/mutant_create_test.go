package conformance

import (
	"bytes"
	"context"
	"maps"
	"strings"
	"time"

	"github.com/websession/websession/session/driver"
)

// Faults of Create and of keys.
func init() {
	mutants = append(mutants, []mutant{
		{name: "Create loses the deadline", caughtBy: "Create/LoadsBack", fault: func(_ *world, m calls, c *calls) {
			c.create = func(ctx context.Context, rec driver.Record) (driver.Version, error) {
				rec.Expires = time.Time{}
				return m.create(ctx, rec)
			}
		}},
		{name: "Create overwrites", caughtBy: "Create/NeverOverwrites", fault: func(_ *world, m calls, c *calls) {
			c.create = func(ctx context.Context, rec driver.Record) (driver.Version, error) {
				if err := m.delete(ctx, rec, ""); err != nil {
					return "", err
				}
				return m.create(ctx, rec)
			}
		}},
		{name: "Create overwrites what has expired", caughtBy: "Create/NeverOverwritesTheExpired", fault: func(_ *world, m calls, c *calls) {
			c.create = func(ctx context.Context, rec driver.Record) (driver.Version, error) {
				if old, _, err := m.load(ctx, rec.Key); err == nil && !old.Expires.IsZero() && old.Expires.Before(time.Now()) {
					m.delete(ctx, rec, "")
				}
				return m.create(ctx, rec)
			}
		}},
		{name: "Create looks first", caughtBy: "Create/HasOneWinner", fault: func(_ *world, m calls, c *calls) {
			c.create = func(ctx context.Context, rec driver.Record) (driver.Version, error) {
				if _, _, err := m.load(ctx, rec.Key); err == nil {
					return "", driver.ErrExists
				}
				pause()
				m.delete(ctx, rec, "")
				return m.create(ctx, rec)
			}
		}},
		{name: "Create finds the index of before", caughtBy: "Create/AfterDeleteStartsAnew", fault: func(w *world, m calls, c *calls) {
			c.create = func(ctx context.Context, rec driver.Record) (driver.Version, error) {
				w.mu.Lock()
				defer w.mu.Unlock()
				if rec.Index == nil {
					rec.Index = w.index[rec.Key]
				}
				w.index[rec.Key] = maps.Clone(rec.Index)
				return m.create(ctx, rec)
			}
		}},
		{name: "Create keeps the Data it was given", caughtBy: "Create/CopiesWhatItStores", fault: func(w *world, m calls, c *calls) {
			keepsData(w, m, c)
		}},
		{name: "Create changes the Data it was given", caughtBy: "Create/LeavesItsArgumentsAlone", fault: func(w *world, m calls, c *calls) {
			c.create = func(ctx context.Context, rec driver.Record) (driver.Version, error) {
				w.mu.Lock()
				defer w.mu.Unlock()
				v, err := m.create(ctx, rec)
				if len(rec.Data) > 0 {
					rec.Data[0]++
				}
				return v, err
			}
		}},
		{name: "keys are compared without case", caughtBy: "Keys/AreComparedExactly", fault: func(_ *world, m calls, c *calls) {
			renamesKeys(m, c, strings.ToLower)
		}},
		{name: "keys are cut", caughtBy: "Keys/TakeEveryLength", fault: func(_ *world, m calls, c *calls) {
			renamesKeys(m, c, func(key string) string { return key[:min(len(key), 127)] })
		}},
		{name: "hyphens become underscores", caughtBy: "Keys/TakeEveryCharacter", fault: func(_ *world, m calls, c *calls) {
			renamesKeys(m, c, func(key string) string { return strings.ReplaceAll(key, "-", "_") })
		}},
		{name: "keys are numbers if they can be", caughtBy: "Keys/TakeOddOnes", fault: func(_ *world, m calls, c *calls) {
			renamesKeys(m, c, func(key string) string {
				if n := strings.TrimLeft(key, "0"); len(key) < 3 && n == "" {
					return "0"
				}
				return key
			})
		}},
		{name: "Load answers another key's record", caughtBy: "Keys/DoNotDisturbEachOther", fault: func(w *world, m calls, c *calls) {
			c.load = func(ctx context.Context, key string) (driver.Record, driver.Version, error) {
				rec, v, err := m.load(ctx, key)
				w.mu.Lock()
				w.data["buffer"] = rec.Data
				w.mu.Unlock()
				pause()
				w.mu.Lock()
				defer w.mu.Unlock()
				rec.Data = w.data["buffer"]
				return rec, v, err
			}
		}},
	}...)
}

// keepsData makes a store keep the slice that Create and Replace were given.
func keepsData(w *world, m calls, c *calls) {
	keep := func(rec driver.Record, v driver.Version, err error) (driver.Version, error) {
		if err == nil {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.data[rec.Key] = rec.Data
		}
		return v, err
	}
	c.create = func(ctx context.Context, rec driver.Record) (driver.Version, error) {
		v, err := m.create(ctx, rec)
		return keep(rec, v, err)
	}
	c.replace = func(ctx context.Context, rec driver.Record, old driver.Version) (driver.Version, error) {
		v, err := m.replace(ctx, rec, old)
		return keep(rec, v, err)
	}
	c.load = func(ctx context.Context, key string) (driver.Record, driver.Version, error) {
		rec, v, err := m.load(ctx, key)
		w.mu.Lock()
		defer w.mu.Unlock()
		if err == nil {
			rec.Data = bytes.Clone(w.data[key])
		}
		return rec, v, err
	}
}

// renamesKeys makes a store use other keys than it is given.
func renamesKeys(m calls, c *calls, rename func(string) string) {
	renamed := func(rec driver.Record) driver.Record {
		rec.Key = rename(rec.Key)
		return rec
	}
	c.create = func(ctx context.Context, rec driver.Record) (driver.Version, error) {
		return m.create(ctx, renamed(rec))
	}
	c.load = func(ctx context.Context, key string) (driver.Record, driver.Version, error) {
		rec, v, err := m.load(ctx, rename(key))
		rec.Key = key
		return rec, v, err
	}
	c.replace = func(ctx context.Context, rec driver.Record, old driver.Version) (driver.Version, error) {
		return m.replace(ctx, renamed(rec), old)
	}
	c.delete = func(ctx context.Context, rec driver.Record, old driver.Version) error {
		return m.delete(ctx, renamed(rec), old)
	}
}
