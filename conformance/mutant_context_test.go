package conformance

import (
	"context"
	"errors"
	"time"

	"github.com/websession/websession/session/driver"
)

// Faults of contexts.
func init() {
	end := context.WithoutCancel
	ignores := map[string]func(w *world, m calls, c *calls){
		"Create": func(_ *world, m calls, c *calls) {
			c.create = func(ctx context.Context, rec driver.Record) (driver.Version, error) { return m.create(end(ctx), rec) }
		},
		"Load": func(_ *world, m calls, c *calls) {
			c.load = func(ctx context.Context, key string) (driver.Record, driver.Version, error) {
				return m.load(end(ctx), key)
			}
		},
		"Replace": func(_ *world, m calls, c *calls) {
			c.replace = func(ctx context.Context, rec driver.Record, old driver.Version) (driver.Version, error) {
				return m.replace(end(ctx), rec, old)
			}
		},
		"Touch": func(_ *world, m calls, c *calls) {
			c.touch = func(ctx context.Context, rec driver.Record, old driver.Version) (driver.Version, error) {
				return m.touch(end(ctx), rec, old)
			}
		},
		"Delete": func(_ *world, m calls, c *calls) {
			c.delete = func(ctx context.Context, rec driver.Record, old driver.Version) error {
				return m.delete(end(ctx), rec, old)
			}
		},
		"DeleteOfAnyVersion": func(_ *world, m calls, c *calls) {
			c.delete = func(ctx context.Context, rec driver.Record, old driver.Version) error {
				if old == "" {
					ctx = end(ctx)
				}
				return m.delete(ctx, rec, old)
			}
		},
		"Scan": func(_ *world, m calls, c *calls) {
			c.scan = func(ctx context.Context) recordSeq { return m.scan(end(ctx)) }
		},
		"Search": func(_ *world, m calls, c *calls) {
			c.search = func(ctx context.Context, field, digest string) recordSeq { return m.search(end(ctx), field, digest) }
		},
		"Purge": func(_ *world, m calls, c *calls) {
			c.purge = func(ctx context.Context, before time.Time, limit int) (int, error) {
				return m.purge(end(ctx), before, limit)
			}
		},
		"Ping": func(_ *world, m calls, c *calls) {
			c.ping = func(ctx context.Context) (driver.Info, error) { return m.ping(end(ctx)) }
		},
	}
	for _, method := range methods {
		mutants = append(mutants, mutant{
			name:     method.name + " ignores its context",
			caughtBy: "Context/EndedBefore" + method.name,
			fault:    ignores[method.name],
		})
	}
	mutants = append(mutants, []mutant{
		{name: "Replace answers a time-out, and applies", caughtBy: "Context/EndedBeforeReplace", fault: func(_ *world, m calls, c *calls) {
			c.replace = func(ctx context.Context, rec driver.Record, old driver.Version) (driver.Version, error) {
				v, err := m.replace(end(ctx), rec, old)
				return v, errors.Join(err, ctx.Err())
			}
		}},
		{name: "a time-out is said to be not applied", caughtBy: "Context/EndsMeanwhile", fault: func(_ *world, m calls, c *calls) {
			c.replace = func(ctx context.Context, rec driver.Record, old driver.Version) (driver.Version, error) {
				v, err := m.replace(ctx, rec, old)
				pause()
				if err == nil && ctx.Err() != nil {
					return "", driver.NotApplied(ctx.Err())
				}
				return v, err
			}
		}},
		{name: "a time-out is said to be applied", caughtBy: "Context/EndsMeanwhile", fault: func(_ *world, m calls, c *calls) {
			c.replace = func(ctx context.Context, rec driver.Record, old driver.Version) (driver.Version, error) {
				pause()
				v, err := m.replace(ctx, rec, old)
				if errors.Is(err, context.Canceled) {
					return "v", nil
				}
				return v, err
			}
		}},
		{name: "Scan ends silently with its context", caughtBy: "Context/EndsDuringScan", fault: func(_ *world, m calls, c *calls) {
			c.scan = func(ctx context.Context) recordSeq {
				return func(yield func(driver.Record, error) bool) {
					for rec, err := range m.scan(ctx) {
						if err != nil || !yield(rec, nil) {
							return
						}
					}
				}
			}
		}},
	}...)
}

// Faults of Close.
func init() {
	mutants = append(mutants, []mutant{
		{name: "a second Close fails", caughtBy: "Close/MayBeCalledTwice", fault: func(w *world, m calls, c *calls) {
			closed := false
			c.close = func() error {
				w.mu.Lock()
				defer w.mu.Unlock()
				if closed {
					return driver.ErrClosed
				}
				closed = true
				return m.close()
			}
		}},
		{name: "a closed store works on", caughtBy: "Close/EndsEveryMethod", fault: func(_ *world, _ calls, c *calls) {
			c.close = func() error { return nil }
		}},
		{name: "a closed store answers another error", caughtBy: "Close/EndsEveryMethod", fault: func(_ *world, m calls, c *calls) {
			c.search = func(ctx context.Context, field, digest string) recordSeq {
				return func(yield func(driver.Record, error) bool) {
					for rec, err := range m.search(ctx, field, digest) {
						if errors.Is(err, driver.ErrClosed) {
							err = errors.New("use of closed connection")
						}
						if !yield(rec, err) {
							return
						}
					}
				}
			}
		}},
		{name: "Close ends all handles", caughtBy: "Close/LeavesOtherHandles", fault: func(w *world, _ calls, c *calls) {
			closeAll(w, c)
		}},
		{name: "Close loses the last write", caughtBy: "Close/LosesNothing", fault: func(w *world, m calls, c *calls) {
			var last driver.Record
			c.create = func(ctx context.Context, rec driver.Record) (driver.Version, error) {
				w.mu.Lock()
				defer w.mu.Unlock()
				last = rec
				return m.create(ctx, rec)
			}
			c.close = func() error {
				m.delete(context.Background(), last, "")
				return m.close()
			}
		}},
		{name: "a Create that overlaps Close is applied and refused", caughtBy: "Close/WhileOthersWork", fault: func(w *world, m calls, c *calls) {
			closing := make(chan struct{}, 10)
			c.create = func(ctx context.Context, rec driver.Record) (driver.Version, error) {
				v, err := m.create(ctx, rec)
				if err == nil && len(closing) > 0 {
					return "", driver.ErrClosed
				}
				return v, err
			}
			c.close = func() error {
				select {
				case closing <- struct{}{}:
				default:
				}
				pause()
				return m.close()
			}
		}},
		{name: "Close leaves a goroutine", caughtBy: "Close/LeavesNoGoroutine", fault: func(w *world, _ calls, _ *calls) {
			go func() { <-w.gone }()
		}},
	}...)
}
