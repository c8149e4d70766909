package conformance

import (
	"context"
	"crypto/sha256"
	"fmt"

	"github.com/websession/websession/session/driver"
)

// Faults of versions.
func init() {
	mutants = append(mutants, []mutant{
		{name: "Touch answers an empty version", caughtBy: "Versions/AreNeverEmpty", fault: func(_ *world, m calls, c *calls) {
			c.touch = func(ctx context.Context, rec driver.Record, old driver.Version) (driver.Version, error) {
				_, err := m.touch(ctx, rec, old)
				return "", err
			}
		}},
		{name: "versions count from one in each life", caughtBy: "Versions/NeverRepeat", fault: func(w *world, m calls, c *calls) {
			namesVersions(w, m, c, func(rec driver.Record) driver.Version {
				w.count[rec.Key]++
				return driver.Version(fmt.Sprint(w.count[rec.Key]))
			})
			remove := c.delete
			c.delete = func(ctx context.Context, rec driver.Record, old driver.Version) error {
				err := remove(ctx, rec, old)
				if err == nil {
					w.mu.Lock()
					defer w.mu.Unlock()
					w.count[rec.Key] = 0
				}
				return err
			}
		}},
		{name: "versions are digests of the data", caughtBy: "Versions/AreOfOneLife", fault: func(w *world, m calls, c *calls) {
			namesVersions(w, m, c, func(rec driver.Record) driver.Version {
				return driver.Version(fmt.Sprintf("%x", sha256.Sum256(rec.Data)))
			})
		}},
		{name: "versions are looked up without the key", caughtBy: "Versions/BelongToOneRecord", fault: func(w *world, m calls, c *calls) {
			c.create = func(ctx context.Context, rec driver.Record) (driver.Version, error) {
				v, err := m.create(ctx, rec)
				w.mu.Lock()
				defer w.mu.Unlock()
				w.left["version "+string(v)] = nil
				return v, err
			}
			c.replace = func(ctx context.Context, rec driver.Record, old driver.Version) (driver.Version, error) {
				w.mu.Lock()
				_, known := w.left["version "+string(old)]
				w.mu.Unlock()
				if _, now, err := m.load(ctx, rec.Key); known && err == nil {
					old = now
				}
				return m.replace(ctx, rec, old)
			}
		}},
	}...)
}

// namesVersions makes a store use versions of another kind. name runs under
// w.mu, after each write that was applied.
func namesVersions(w *world, m calls, c *calls, name func(rec driver.Record) driver.Version) {
	named := func(rec driver.Record, err error) (driver.Version, error) {
		if err != nil {
			return "", err
		}
		w.version[rec.Key] = name(rec)
		return w.version[rec.Key], nil
	}
	// within answers the version of the store, if old is the one that is there.
	within := func(ctx context.Context, key string, old driver.Version) driver.Version {
		if _, v, err := m.load(ctx, key); err == nil && w.version[key] == old {
			return v
		}
		return "none"
	}
	c.create = func(ctx context.Context, rec driver.Record) (driver.Version, error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		_, err := m.create(ctx, rec)
		return named(rec, err)
	}
	c.load = func(ctx context.Context, key string) (driver.Record, driver.Version, error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		rec, _, err := m.load(ctx, key)
		return rec, w.version[key], err
	}
	c.replace = func(ctx context.Context, rec driver.Record, old driver.Version) (driver.Version, error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		_, err := m.replace(ctx, rec, within(ctx, rec.Key, old))
		return named(rec, err)
	}
	c.touch = func(ctx context.Context, rec driver.Record, old driver.Version) (driver.Version, error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		_, err := m.touch(ctx, rec, within(ctx, rec.Key, old))
		if now, _, loadErr := m.load(ctx, rec.Key); loadErr == nil {
			rec = now
		}
		return named(rec, err)
	}
	c.delete = func(ctx context.Context, rec driver.Record, old driver.Version) error {
		w.mu.Lock()
		defer w.mu.Unlock()
		if old != "" {
			old = within(ctx, rec.Key, old)
		}
		return m.delete(ctx, rec, old)
	}
}
