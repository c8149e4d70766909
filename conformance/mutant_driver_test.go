package conformance

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"sync/atomic"

	"github.com/websession/websession/session/driver"
)

type openNext = func(context.Context) (driver.Store, error)

// Faults of drivers and connectors.
func init() {
	mutants = append(mutants, []mutant{
		{name: "class name has a space", caughtBy: "Class/IsWellFormed", driver: func(t *twin) {
			t.class = func() driver.Class { return driver.Class{Name: "My Class"} }
		}},
		{name: "class changes", caughtBy: "Class/IsConstant", driver: func(t *twin) {
			var n atomic.Int64
			t.class = func() driver.Class {
				return driver.Class{Name: "Twin", Aliases: []string{fmt.Sprint("Alias", n.Add(1)%2)}}
			}
		}},
		{name: "class has a new name each time", caughtBy: "Class/RegistersOnce", driver: func(t *twin) {
			var n atomic.Int64
			t.class = func() driver.Class { return driver.Class{Name: fmt.Sprint("Twin", n.Add(1))} }
		}},
		{name: "Open fails where remarks are taken", caughtBy: "Class/OpensByName", driver: func(t *twin) {
			t.open = func(ctx context.Context, o driver.OpenOptions, _ *world, next openNext) (driver.Store, error) {
				if o.Warn != nil {
					return nil, errors.New("no remarks please")
				}
				return next(ctx)
			}
		}},
		{name: "Configure prints a secret", caughtBy: "Configure/KeepsSecrets", driver: func(t *twin) {
			t.configure = func(d *driver.Decoder, password string) error {
				if len(password) > 100 {
					d.Fail("password", fmt.Sprintf("is too long: %.20s...", password))
				}
				return nil
			}
		}},
		{name: "Configure answers an error with a secret", caughtBy: "Configure/KeepsSecrets", driver: func(t *twin) {
			t.configure = func(d *driver.Decoder, password string) error {
				_, err := url.Parse("twin://user:" + password + "@host")
				return err
			}
		}},
		{name: "Open prints a secret", caughtBy: "Configure/KeepsSecrets", driver: func(t *twin) {
			var last atomic.Value
			t.configure = func(d *driver.Decoder, password string) error {
				last.Store(password)
				return nil
			}
			t.open = func(ctx context.Context, _ driver.OpenOptions, _ *world, next openNext) (driver.Store, error) {
				s, err := next(ctx)
				if err != nil {
					err = fmt.Errorf("connecting to %v@host: %w", last.Load(), err)
				}
				return s, err
			}
		}},
		{name: "ParseURL quotes the URL", caughtBy: "Configure/URLErrorsKeepSecrets", driver: func(t *twin) {
			t.parseURL = func(u *url.URL) (map[string]any, error) {
				if u.User != nil {
					return nil, fmt.Errorf("%s has a user", u)
				}
				return nil, nil
			}
		}},
		{name: "Configure connects", caughtBy: "Configure/DoesNothingElse", driver: func(t *twin) {
			t.configure = func(*driver.Decoder, string) error {
				t.mu.Lock()
				defer t.mu.Unlock()
				for _, w := range t.worlds {
					w.mu.Lock()
					w.left["connections"] = []byte("1")
					w.mu.Unlock()
				}
				return nil
			}
		}},
		{name: "Configure starts a goroutine", caughtBy: "Configure/DoesNothingElse", driver: func(t *twin) {
			t.configure = func(*driver.Decoder, string) error {
				t.mu.Lock()
				defer t.mu.Unlock()
				for _, w := range t.worlds {
					go func() { <-w.gone }()
				}
				return nil
			}
		}},
		{name: "Open ignores its context", caughtBy: "Open/FailsWhenItsContextHasEnded", driver: func(t *twin) {
			t.open = func(ctx context.Context, _ driver.OpenOptions, _ *world, next openNext) (driver.Store, error) {
				return next(context.WithoutCancel(ctx))
			}
		}},
		{name: "Open that fails leaves a goroutine", caughtBy: "Open/FailsWhenItsContextHasEnded", driver: func(t *twin) {
			t.open = func(ctx context.Context, _ driver.OpenOptions, w *world, next openNext) (driver.Store, error) {
				s, err := next(ctx)
				if err != nil {
					go func() { <-w.gone }()
				}
				return s, err
			}
		}},
		{name: "store ends with the context of Open", caughtBy: "Open/OutlivesItsContext", driver: func(t *twin) {
			t.open = func(ctx context.Context, _ driver.OpenOptions, _ *world, next openNext) (driver.Store, error) {
				s, err := next(ctx)
				if err != nil {
					return nil, err
				}
				bound := s.(twinStore)
				create := bound.c.create
				bound.c.create = func(call context.Context, rec driver.Record) (driver.Version, error) {
					if err := ctx.Err(); err != nil {
						return "", err
					}
					return create(call, rec)
				}
				return bound, nil
			}
		}},
		{name: "Open writes a record of its own", caughtBy: "Open/LeavesThePlaceEmpty", fault: func(_ *world, m calls, _ *calls) {
			m.create(context.Background(), driver.Record{Key: "schema-version"})
		}},
		{name: "Open clears the place", caughtBy: "Open/FindsWhatIsThere", fault: func(_ *world, m calls, _ *calls) {
			for rec := range m.scan(context.Background()) {
				m.delete(context.Background(), rec, "")
			}
		}},
		{name: "Close ends the other stores of its Connector", caughtBy: "Close/OfOneOfAConnector", fault: func(w *world, _ calls, c *calls) {
			closeAll(w, c)
		}},
		{name: "Ping fails", caughtBy: "Ping/Answers", fault: func(_ *world, _ calls, c *calls) {
			c.ping = func(context.Context) (driver.Info, error) { return driver.Info{}, driver.ErrNotFound }
		}},
	}...)
}

// closeAll makes Close end every handle of a place.
func closeAll(w *world, c *calls) {
	m := *c
	c.close = func() error {
		w.flag.Store(true)
		return m.close()
	}
	c.load = func(ctx context.Context, key string) (driver.Record, driver.Version, error) {
		if w.flag.Load() {
			return driver.Record{}, "", driver.ErrClosed
		}
		return m.load(ctx, key)
	}
}
