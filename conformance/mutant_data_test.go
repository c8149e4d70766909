package conformance

import (
	"bytes"
	"context"
	"errors"
	"math"
	"time"

	"github.com/websession/websession/session/driver"
)

// Faults of data, deadlines and Load.
func init() {
	mutants = append(mutants, []mutant{
		{name: "a record without data is absent", caughtBy: "Data/MayBeEmpty", fault: func(_ *world, m calls, c *calls) {
			c.load = func(ctx context.Context, key string) (driver.Record, driver.Version, error) {
				rec, v, err := m.load(ctx, key)
				if err == nil && len(rec.Data) == 0 {
					return driver.Record{}, "", driver.ErrNotFound
				}
				return rec, v, err
			}
		}},
		{name: "data ends at a zero byte", caughtBy: "Data/KeepsEveryByte", fault: func(_ *world, m calls, c *calls) {
			loads(m, c, func(rec *driver.Record) { rec.Data, _, _ = bytes.Cut(rec.Data, []byte{0}) })
		}},
		{name: "data is trimmed", caughtBy: "Data/KeepsEveryByte", fault: func(_ *world, m calls, c *calls) {
			loads(m, c, func(rec *driver.Record) { rec.Data = bytes.TrimRight(rec.Data, " ") })
		}},
		{name: "data becomes valid UTF-8", caughtBy: "Data/IsNeverInterpreted", fault: func(_ *world, m calls, c *calls) {
			loads(m, c, func(rec *driver.Record) {
				if len(rec.Data) < 10 {
					rec.Data = bytes.ToValidUTF8(rec.Data, []byte("?"))
				}
			})
		}},
		{name: "data is cut at a megabyte", caughtBy: "Data/MayBeLarge", fault: func(_ *world, m calls, c *calls) {
			loads(m, c, func(rec *driver.Record) { rec.Data = rec.Data[:min(len(rec.Data), 1<<20)] })
		}},
		{name: "shorter data leaves the end of the longer", caughtBy: "Data/GrowsAndShrinks", fault: func(_ *world, m calls, c *calls) {
			c.replace = func(ctx context.Context, rec driver.Record, old driver.Version) (driver.Version, error) {
				if was, _, err := m.load(ctx, rec.Key); err == nil && len(was.Data) > len(rec.Data) && len(rec.Data) > 0 {
					rec.Data = append(bytes.Clone(rec.Data), was.Data[len(rec.Data):]...)
				}
				return m.replace(ctx, rec, old)
			}
		}},
		{name: "deadlines are whole seconds", caughtBy: "Expires/KeepsMilliseconds", fault: func(_ *world, m calls, c *calls) {
			loads(m, c, func(rec *driver.Record) { rec.Expires = rec.Expires.Truncate(time.Second) })
		}},
		{name: "deadlines are in the local zone", caughtBy: "Expires/KeepsMilliseconds", fault: func(_ *world, m calls, c *calls) {
			zone := time.FixedZone("here", 3600)
			loads(m, c, func(rec *driver.Record) { rec.Expires = rec.Expires.In(zone) })
		}},
		{name: "no deadline becomes 1970", caughtBy: "Expires/MayBeNever", fault: func(_ *world, m calls, c *calls) {
			loads(m, c, func(rec *driver.Record) {
				if rec.Expires.IsZero() {
					rec.Expires = time.Unix(0, 0).UTC()
				}
			})
		}},
		{name: "deadlines have 32 bits", caughtBy: "Expires/MayBeFarAway", fault: func(_ *world, m calls, c *calls) {
			loads(m, c, func(rec *driver.Record) {
				if most := time.Unix(math.MaxUint32, 0).UTC(); rec.Expires.After(most) {
					rec.Expires = most
				}
			})
		}},
		{name: "Load judges expiry", caughtBy: "Expires/IsNotJudged", fault: func(_ *world, m calls, c *calls) {
			c.load = func(ctx context.Context, key string) (driver.Record, driver.Version, error) {
				rec, v, err := m.load(ctx, key)
				if err == nil && !rec.Expires.IsZero() && rec.Expires.Before(time.Now()) {
					return driver.Record{}, "", driver.ErrNotFound
				}
				return rec, v, err
			}
		}},
		{name: "Replace judges expiry", caughtBy: "Expires/IsNotJudged", fault: func(_ *world, m calls, c *calls) {
			c.replace = func(ctx context.Context, rec driver.Record, old driver.Version) (driver.Version, error) {
				if was, _, err := m.load(ctx, rec.Key); err == nil && !was.Expires.IsZero() && was.Expires.Before(time.Now()) {
					return "", driver.ErrNotFound
				}
				return m.replace(ctx, rec, old)
			}
		}},
		{name: "Load answers an empty record for an absent one", caughtBy: "Load/AbsentIsNotFound", fault: func(_ *world, m calls, c *calls) {
			c.load = func(ctx context.Context, key string) (driver.Record, driver.Version, error) {
				rec, v, err := m.load(ctx, key)
				if errors.Is(err, driver.ErrNotFound) {
					return driver.Record{Key: key}, "none", nil
				}
				return rec, v, err
			}
		}},
		{name: "Load of an absent key leaves a record", caughtBy: "Load/AbsentIsNotFound", fault: func(w *world, m calls, c *calls) {
			c.load = func(ctx context.Context, key string) (driver.Record, driver.Version, error) {
				rec, v, err := m.load(ctx, key)
				if errors.Is(err, driver.ErrNotFound) {
					w.mu.Lock()
					defer w.mu.Unlock()
					w.left[key] = nil
				}
				return rec, v, err
			}
		}},
		{name: "a handle remembers what it loaded", caughtBy: "Load/SeesWhatHadReturned", fault: func(w *world, m calls, c *calls) {
			type state struct {
				rec driver.Record
				v   driver.Version
			}
			known := make(map[string]state)
			c.load = func(ctx context.Context, key string) (driver.Record, driver.Version, error) {
				w.mu.Lock()
				defer w.mu.Unlock()
				if s, ok := known[key]; ok {
					return copied(s.rec), s.v, nil
				}
				rec, v, err := m.load(ctx, key)
				if err == nil {
					known[key] = state{copied(rec), v}
				}
				return rec, v, err
			}
		}},
		{name: "Load answers what the store keeps", caughtBy: "Load/BelongsToTheCaller", fault: func(w *world, m calls, c *calls) {
			c.load = func(ctx context.Context, key string) (driver.Record, driver.Version, error) {
				rec, v, err := m.load(ctx, key)
				w.mu.Lock()
				defer w.mu.Unlock()
				if kept, ok := w.data[string(v)]; ok {
					rec.Data = kept
				}
				w.data[string(v)] = rec.Data
				return rec, v, err
			}
		}},
		{name: "Load moves the deadline", caughtBy: "Load/ChangesNothing", fault: func(_ *world, m calls, c *calls) {
			c.load = func(ctx context.Context, key string) (driver.Record, driver.Version, error) {
				rec, v, err := m.load(ctx, key)
				if err == nil {
					next := rec
					next.Expires = rec.Expires.Add(time.Minute)
					m.touch(ctx, next, v)
				}
				return rec, v, err
			}
		}},
		{name: "Load is torn", caughtBy: "Load/IsNeverTorn", fault: func(_ *world, m calls, c *calls) {
			c.load = tornLoad(m, 0)
		}},
		{name: "Load is torn when it is large", caughtBy: "Load/IsNeverTornWhenLarge", fault: func(_ *world, m calls, c *calls) {
			c.load = tornLoad(m, 4096)
		}},
		{name: "Load reads data and deadline one after the other", caughtBy: "Load/IsNeverTorn", fault: func(_ *world, m calls, c *calls) {
			c.load = func(ctx context.Context, key string) (driver.Record, driver.Version, error) {
				first, _, err := m.load(ctx, key)
				if err != nil {
					return first, "", err
				}
				pause()
				rec, v, err := m.load(ctx, key)
				rec.Expires = first.Expires
				return rec, v, err
			}
		}},
		{name: "Load reads the version later", caughtBy: "Load/IsNeverTorn", fault: func(_ *world, m calls, c *calls) {
			c.load = func(ctx context.Context, key string) (driver.Record, driver.Version, error) {
				rec, _, err := m.load(ctx, key)
				if err != nil {
					return rec, "", err
				}
				pause()
				_, v, err := m.load(ctx, key)
				return rec, v, err
			}
		}},
		{name: "Load reads from a replica that lags", caughtBy: "Load/SeesWhatHadReturned", fault: func(w *world, m calls, c *calls) {
			c.replace = func(ctx context.Context, rec driver.Record, old driver.Version) (driver.Version, error) {
				was, _, _ := m.load(ctx, rec.Key)
				v, err := m.replace(ctx, rec, old)
				if err == nil {
					w.mu.Lock()
					defer w.mu.Unlock()
					w.deleted[rec.Key] = was // for one Load
				}
				return v, err
			}
			c.load = func(ctx context.Context, key string) (driver.Record, driver.Version, error) {
				rec, v, err := m.load(ctx, key)
				w.mu.Lock()
				defer w.mu.Unlock()
				if was, ok := w.deleted[key]; ok && err == nil {
					delete(w.deleted, key)
					return was, v, nil
				}
				return rec, v, err
			}
		}},
	}...)
}

// loads makes Load answer something else.
func loads(m calls, c *calls, change func(rec *driver.Record)) {
	c.load = func(ctx context.Context, key string) (driver.Record, driver.Version, error) {
		rec, v, err := m.load(ctx, key)
		if err == nil {
			change(&rec)
		}
		return rec, v, err
	}
}

// tornLoad mixes two states, if the data is larger than size.
func tornLoad(m calls, size int) func(context.Context, string) (driver.Record, driver.Version, error) {
	return func(ctx context.Context, key string) (driver.Record, driver.Version, error) {
		first, _, err := m.load(ctx, key)
		if err != nil {
			return first, "", err
		}
		pause()
		rec, v, err := m.load(ctx, key)
		if len(rec.Data) > size && len(first.Data) == len(rec.Data) {
			copy(rec.Data[len(rec.Data)/2:], first.Data[len(rec.Data)/2:])
		}
		return rec, v, err
	}
}

// Faults of stores that expire records by themselves.
func init() {
	mutants = append(mutants, []mutant{
		{name: "Create gives no time-to-live", caughtBy: "Expires/EndsByItself", twin: ownExpiry, fault: func(w *world, m calls, c *calls) {
			c.create = func(ctx context.Context, rec driver.Record) (driver.Version, error) {
				v, err := m.create(ctx, rec)
				w.mu.Lock()
				defer w.mu.Unlock()
				delete(w.times, rec.Key)
				return v, err
			}
		}},
		{name: "Replace drops the time-to-live", caughtBy: "Expires/EndsByItself", twin: ownExpiry, fault: func(w *world, m calls, c *calls) {
			c.replace = func(ctx context.Context, rec driver.Record, old driver.Version) (driver.Version, error) {
				v, err := m.replace(ctx, rec, old)
				if err == nil {
					w.mu.Lock()
					defer w.mu.Unlock()
					delete(w.times, rec.Key)
				}
				return v, err
			}
		}},
		{name: "Touch leaves the time-to-live", caughtBy: "Expires/EndsByItself", twin: ownExpiry, fault: func(w *world, m calls, c *calls) {
			c.touch = func(ctx context.Context, rec driver.Record, old driver.Version) (driver.Version, error) {
				w.mu.Lock()
				was := w.times[rec.Key]
				w.mu.Unlock()
				v, err := m.touch(ctx, rec, old)
				w.mu.Lock()
				defer w.mu.Unlock()
				w.times[rec.Key] = was
				return v, err
			}
		}},
		{name: "the time-to-live has no margin", caughtBy: "Expires/EndsByItself", twin: ownExpiry, fault: func(_ *world, m calls, c *calls) {
			c.load = func(ctx context.Context, key string) (driver.Record, driver.Version, error) {
				rec, v, err := m.load(ctx, key)
				if err == nil && !rec.Expires.IsZero() && rec.Expires.Before(time.Now()) {
					return driver.Record{}, "", driver.ErrNotFound
				}
				return rec, v, err
			}
		}},
	}...)
}

// ownExpiry makes a store that has no Purge and drops what has expired. The
// times-to-live are in w.times.
func ownExpiry(w *world, m calls, c *calls) {
	live := func(rec driver.Record, v driver.Version, err error) (driver.Version, error) {
		if err == nil {
			w.mu.Lock()
			defer w.mu.Unlock()
			if w.times[rec.Key] = rec.Expires; rec.Expires.IsZero() {
				delete(w.times, rec.Key)
			}
		}
		return v, err
	}
	c.create = func(ctx context.Context, rec driver.Record) (driver.Version, error) {
		v, err := m.create(ctx, rec)
		return live(rec, v, err)
	}
	c.replace = func(ctx context.Context, rec driver.Record, old driver.Version) (driver.Version, error) {
		v, err := m.replace(ctx, rec, old)
		return live(rec, v, err)
	}
	c.touch = func(ctx context.Context, rec driver.Record, old driver.Version) (driver.Version, error) {
		v, err := m.touch(ctx, rec, old)
		return live(rec, v, err)
	}
	c.load = func(ctx context.Context, key string) (driver.Record, driver.Version, error) {
		w.mu.Lock()
		ends, mortal := w.times[key]
		w.mu.Unlock()
		if mortal && time.Now().After(ends.Add(driver.Margin)) {
			return driver.Record{}, "", driver.ErrNotFound
		}
		return m.load(ctx, key)
	}
	c.purge = func(context.Context, time.Time, int) (int, error) { return 0, errors.ErrUnsupported }
}
