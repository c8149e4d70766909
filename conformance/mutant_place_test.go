package conformance

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/websession/websession/session/driver"
)

// Faults of places, limits and errors.
func init() {
	mutants = append(mutants, []mutant{
		{name: "all places are one", caughtBy: "Places/AreApart", driver: func(t *twin) {
			t.open = func(ctx context.Context, _ driver.OpenOptions, _ *world, _ openNext) (driver.Store, error) {
				return t.world("the only place").store(ctx), ctx.Err()
			}
		}},
		{name: "Purge goes over all places", caughtBy: "Places/AreApart", driver: func(t *twin) {
			t.fault = func(w *world, m calls, c *calls) {
				c.purge = func(ctx context.Context, before time.Time, limit int) (int, error) {
					n, err := m.purge(ctx, before, limit)
					t.mu.Lock()
					defer t.mu.Unlock()
					for _, other := range t.worlds {
						if other != w {
							s := other.store(ctx)
							s.Purge(ctx, before, limit)
							s.Close()
						}
					}
					return n, err
				}
			}
		}},
		{name: "Search goes over all places", caughtBy: "Places/AreApart", driver: func(t *twin) {
			t.fault = func(_ *world, m calls, c *calls) {
				c.search = func(ctx context.Context, field, digest string) recordSeq {
					return func(yield func(driver.Record, error) bool) {
						all := listed(m.search(ctx, field, digest))
						t.mu.Lock()
						for _, other := range t.worlds {
							s := other.store(ctx)
							all = append(all, listed(s.Search(ctx, field, digest))...)
							s.Close()
						}
						t.mu.Unlock()
						yieldAll(all, yield)
					}
				}
			}
		}},
		{name: "Open keeps to the index fields of before", caughtBy: "Places/TakeMoreFields", driver: func(t *twin) {
			t.open = func(ctx context.Context, o driver.OpenOptions, w *world, next openNext) (driver.Store, error) {
				w.mu.Lock()
				defer w.mu.Unlock()
				fields := strings.Join(o.Indexed, " ")
				if before, opened := w.data["fields"]; opened && string(before) != fields {
					return nil, errors.New("the index fields are others than before")
				}
				w.data["fields"] = []byte(fields)
				return next(ctx)
			}
		}},
		{name: "Search knows the fields of the first handle", caughtBy: "Places/TakeMoreFields", fault: func(_ *world, m calls, c *calls) {
			c.search = func(ctx context.Context, field, digest string) recordSeq {
				if field != "user" {
					return func(func(driver.Record, error) bool) {}
				}
				return m.search(ctx, field, digest)
			}
		}},
		{name: "data beyond the limit is cut", caughtBy: "Limits/BeyondIsRefused", fault: func(_ *world, m calls, c *calls) {
			writes(m, c, func(rec *driver.Record) { rec.Data = rec.Data[:min(len(rec.Data), driver.MaxData)] })
		}},
		{name: "data of the limit is refused", caughtBy: "Limits/BeyondIsRefused", fault: func(_ *world, m calls, c *calls) {
			c.replace = func(ctx context.Context, rec driver.Record, old driver.Version) (driver.Version, error) {
				if len(rec.Data) >= driver.MaxData {
					return "", driver.NotApplied(errors.New("too large"))
				}
				return m.replace(ctx, rec, old)
			}
		}},
		{name: "too much data leaves the outcome open", caughtBy: "Limits/BeyondIsRefused", fault: func(_ *world, m calls, c *calls) {
			c.create = func(ctx context.Context, rec driver.Record) (driver.Version, error) {
				if len(rec.Data) > driver.MaxData {
					return "", errors.New("the packet is too large")
				}
				return m.create(ctx, rec)
			}
		}},
		{name: "a key beyond the limit is stored", caughtBy: "Limits/BeyondIsRefused", fault: func(_ *world, m calls, c *calls) {
			renamesKeys(m, c, func(key string) string {
				if len(key) > driver.MaxKey {
					return "long-" + key[:100]
				}
				return key
			})
		}},
		{name: "a key beyond the limit is cut", caughtBy: "Limits/BeyondIsRefused", fault: func(_ *world, m calls, c *calls) {
			renamesKeys(m, c, func(key string) string { return key[:min(len(key), driver.MaxKey)] })
		}},
		{name: "the error of a conflict names the key", caughtBy: "Errors/NameNoKeys", fault: func(_ *world, m calls, c *calls) {
			c.replace = func(ctx context.Context, rec driver.Record, old driver.Version) (driver.Version, error) {
				v, err := m.replace(ctx, rec, old)
				if errors.Is(err, driver.ErrConflict) {
					err = fmt.Errorf("session %s: %w", rec.Key, err)
				}
				return v, err
			}
		}},
		{name: "the error of an absent record names its path", caughtBy: "Errors/NameNoKeys", fault: func(_ *world, m calls, c *calls) {
			c.load = func(ctx context.Context, key string) (driver.Record, driver.Version, error) {
				rec, v, err := m.load(ctx, key)
				if err != nil {
					err = fmt.Errorf("open /var/lib/sessions/%s: %w", key, err)
				}
				return rec, v, err
			}
		}},
		{name: "the error of a search names the digest", caughtBy: "Errors/NameNoKeys", fault: func(_ *world, m calls, c *calls) {
			c.search = func(ctx context.Context, field, digest string) recordSeq {
				return func(yield func(driver.Record, error) bool) {
					for rec, err := range m.search(ctx, field, digest) {
						if err != nil {
							err = fmt.Errorf("%s=%s: %w", field, digest, err)
						}
						if !yield(rec, err) {
							return
						}
					}
				}
			}
		}},
	}...)
}

// writes changes what Create and Replace store.
func writes(m calls, c *calls, change func(rec *driver.Record)) {
	c.create = func(ctx context.Context, rec driver.Record) (driver.Version, error) {
		change(&rec)
		return m.create(ctx, rec)
	}
	c.replace = func(ctx context.Context, rec driver.Record, old driver.Version) (driver.Version, error) {
		change(&rec)
		return m.replace(ctx, rec, old)
	}
}
