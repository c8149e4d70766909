package conformance

import (
	"context"
	"errors"

	"github.com/websession/websession/session/driver"
)

type deleteCall = func(context.Context, driver.Record, driver.Version) error

// Faults of Delete.
func init() {
	mutants = append(mutants, []mutant{
		{name: "Delete in a version does nothing", caughtBy: "Delete/Removes", fault: func(_ *world, m calls, c *calls) {
			c.delete = func(ctx context.Context, rec driver.Record, old driver.Version) error {
				if old != "" {
					return nil
				}
				return m.delete(ctx, rec, old)
			}
		}},
		{name: "Delete leaves an index entry", caughtBy: "Delete/LeavesNothing", fault: func(w *world, m calls, c *calls) {
			c.replace = func(ctx context.Context, rec driver.Record, old driver.Version) (driver.Version, error) {
				v, err := m.replace(ctx, rec, old)
				if err == nil && rec.Was["user"] != rec.Index["user"] {
					w.mu.Lock()
					defer w.mu.Unlock()
					w.left["index "+rec.Was["user"]] = nil
				}
				return v, err
			}
		}},
		{name: "Delete leaves a tombstone", caughtBy: "Delete/LeavesNothing", fault: func(w *world, m calls, c *calls) {
			c.delete = func(ctx context.Context, rec driver.Record, old driver.Version) error {
				err := m.delete(ctx, rec, old)
				if err == nil {
					w.mu.Lock()
					defer w.mu.Unlock()
					w.left[rec.Key] = []byte("deleted")
				}
				return err
			}
		}},
		{name: "the index goes by Was, and nobody is told", caughtBy: "Delete/LeavesNothing", fault: separateIndex},
		{name: "Delete of any version fails on an absent record", caughtBy: "Delete/AbsentIsNoError", fault: func(_ *world, m calls, c *calls) {
			c.delete = func(ctx context.Context, rec driver.Record, old driver.Version) error {
				if _, _, err := m.load(ctx, rec.Key); err != nil {
					return err
				}
				return m.delete(ctx, rec, old)
			}
		}},
		{name: "Delete of any version takes the one that the handle knows", caughtBy: "Delete/TakesAnyVersion", fault: func(w *world, m calls, c *calls) {
			c.create = func(ctx context.Context, rec driver.Record) (driver.Version, error) {
				v, err := m.create(ctx, rec)
				w.mu.Lock()
				defer w.mu.Unlock()
				w.version[rec.Key] = v
				return v, err
			}
			c.delete = func(ctx context.Context, rec driver.Record, old driver.Version) error {
				w.mu.Lock()
				defer w.mu.Unlock()
				if old == "" {
					old = w.version[rec.Key]
				}
				return m.delete(ctx, rec, old)
			}
		}},
		{name: "Delete ignores the version", caughtBy: "Delete/RefusesAStaleVersion", fault: func(_ *world, m calls, c *calls) {
			c.delete = func(ctx context.Context, rec driver.Record, old driver.Version) error {
				if _, now, err := m.load(ctx, rec.Key); err == nil && old != "" {
					old = now
				}
				return m.delete(ctx, rec, old)
			}
		}},
		{name: "Delete in a version answers nil for an absent record", caughtBy: "Delete/OfAnAbsentVersionIsAnError", fault: func(_ *world, m calls, c *calls) {
			c.delete = func(ctx context.Context, rec driver.Record, old driver.Version) error {
				err := m.delete(ctx, rec, old)
				if errors.Is(err, driver.ErrNotFound) {
					return nil
				}
				return err
			}
		}},
		{name: "Delete removes the user's other sessions", caughtBy: "Delete/OnlyRemovesItsRecord", fault: func(_ *world, m calls, c *calls) {
			c.delete = func(ctx context.Context, rec driver.Record, old driver.Version) error {
				err := m.delete(ctx, rec, old)
				if user := rec.Was["user"]; err == nil && user != "" {
					for other := range m.search(ctx, "user", user) {
						m.delete(ctx, other, "")
					}
				}
				return err
			}
		}},
		{name: "Delete looks first, and cares not who deleted", caughtBy: "Delete/HasOneWinner", fault: func(_ *world, m calls, c *calls) {
			c.delete = deleteLooksFirst(m)
		}},
		{name: "Delete looks first", caughtBy: "Delete/OrReplaceWins", fault: func(_ *world, m calls, c *calls) {
			c.delete = deleteLooksFirst(m)
		}},
		{name: "Replace looks first, and writes whatever is there", caughtBy: "Delete/Wins", fault: func(_ *world, m calls, c *calls) {
			c.replace = looksFirst(m, func(ctx context.Context, rec driver.Record, old driver.Version) (driver.Version, error) {
				v, err := m.replace(ctx, rec, old)
				if errors.Is(err, driver.ErrNotFound) {
					return m.create(ctx, rec)
				}
				return v, err
			})
		}},
	}...)
}

// deleteLooksFirst lets others write between the comparison and the deletion.
func deleteLooksFirst(m calls) deleteCall {
	return func(ctx context.Context, rec driver.Record, old driver.Version) error {
		if old == "" {
			return m.delete(ctx, rec, "")
		}
		_, now, err := m.load(ctx, rec.Key)
		if err == nil && now != old {
			err = driver.ErrConflict
		}
		if err != nil {
			return err
		}
		pause()
		return m.delete(ctx, rec, "")
	}
}

// Faults of Touch.
func init() {
	mutants = append(mutants, []mutant{
		{name: "Touch only extends", caughtBy: "Touch/MovesTheDeadline", fault: func(_ *world, m calls, c *calls) {
			touches(m, c, func(rec *driver.Record, was driver.Record) {
				if rec.Expires.Before(was.Expires) {
					rec.Expires = was.Expires
				}
			})
		}},
		{name: "Touch writes its Data", caughtBy: "Touch/KeepsTheData", fault: func(_ *world, m calls, c *calls) {
			c.touch = m.replace
		}},
		{name: "Touch keeps the version", caughtBy: "Touch/AnswersANewVersion", fault: func(w *world, m calls, c *calls) {
			n := 0
			touching := false
			namesVersions(w, m, c, func(rec driver.Record) driver.Version {
				if !touching {
					n++
				}
				return driver.Version(rune(n))
			})
			touch := c.touch
			c.touch = func(ctx context.Context, rec driver.Record, old driver.Version) (driver.Version, error) {
				touching = true
				defer func() { touching = false }()
				return touch(ctx, rec, old)
			}
		}},
		{name: "Touch creates", caughtBy: "Touch/NeverCreates", fault: func(_ *world, m calls, c *calls) {
			c.touch = func(ctx context.Context, rec driver.Record, old driver.Version) (driver.Version, error) {
				v, err := m.touch(ctx, rec, old)
				if errors.Is(err, driver.ErrNotFound) {
					return m.create(ctx, rec)
				}
				return v, err
			}
		}},
		{name: "Touch of an absent record leaves a husk", caughtBy: "Touch/NeverCreates", fault: func(w *world, m calls, c *calls) {
			c.touch = func(ctx context.Context, rec driver.Record, old driver.Version) (driver.Version, error) {
				v, err := m.touch(ctx, rec, old)
				if errors.Is(err, driver.ErrNotFound) {
					w.mu.Lock()
					defer w.mu.Unlock()
					w.left[rec.Key] = []byte("expires")
				}
				return v, err
			}
		}},
		{name: "Touch ignores the version", caughtBy: "Touch/RefusesAStaleVersion", fault: func(_ *world, m calls, c *calls) {
			c.touch = ofAnyVersion(m, m.touch)
		}},
		{name: "Touch drops the index", caughtBy: "Touch/StoresTheIndex", fault: func(_ *world, m calls, c *calls) {
			touches(m, c, func(rec *driver.Record, _ driver.Record) { rec.Index = nil })
		}},
		{name: "Touch keeps the old index", caughtBy: "Touch/StoresTheIndex", fault: func(_ *world, m calls, c *calls) {
			touches(m, c, func(rec *driver.Record, was driver.Record) { rec.Index = was.Index })
		}},
		{name: "Touch looks first", caughtBy: "Touch/HasOneWinner", fault: func(_ *world, m calls, c *calls) {
			c.touch = looksFirst(m, ofAnyVersion(m, m.touch))
		}},
		{name: "Touch writes the data it read before", caughtBy: "Touch/NeverRestoresOldData", fault: func(_ *world, m calls, c *calls) {
			c.touch = func(ctx context.Context, rec driver.Record, old driver.Version) (driver.Version, error) {
				was, now, err := m.load(ctx, rec.Key)
				if err == nil && now != old {
					err = driver.ErrConflict
				}
				if err != nil {
					return "", err
				}
				pause()
				rec.Data = was.Data
				return ofAnyVersion(m, m.replace)(ctx, rec, old)
			}
		}},
	}...)
}

// touches makes Touch store something else.
func touches(m calls, c *calls, change func(rec *driver.Record, was driver.Record)) {
	c.touch = func(ctx context.Context, rec driver.Record, old driver.Version) (driver.Version, error) {
		if was, _, err := m.load(ctx, rec.Key); err == nil {
			change(&rec, was)
		}
		return m.touch(ctx, rec, old)
	}
}
