package conformance

import (
	"context"
	"errors"

	"github.com/websession/websession/session/driver"
)

// Faults of Replace.
func init() {
	mutants = append(mutants, []mutant{
		{name: "Replace keeps an index that should go", caughtBy: "Replace/StoresEverything", fault: func(_ *world, m calls, c *calls) {
			c.replace = func(ctx context.Context, rec driver.Record, old driver.Version) (driver.Version, error) {
				if was, _, err := m.load(ctx, rec.Key); err == nil && len(rec.Index) == 0 {
					rec.Index = was.Index
				}
				return m.replace(ctx, rec, old)
			}
		}},
		{name: "Replace is executed twice", caughtBy: "Replace/AnswersTheVersionThatIsThere", fault: func(_ *world, m calls, c *calls) {
			c.replace = func(ctx context.Context, rec driver.Record, old driver.Version) (driver.Version, error) {
				v, err := m.replace(ctx, rec, old)
				if err == nil {
					m.replace(ctx, rec, v)
				}
				return v, err
			}
		}},
		{name: "Replace creates", caughtBy: "Replace/NeverCreates", fault: func(_ *world, m calls, c *calls) {
			c.replace = func(ctx context.Context, rec driver.Record, old driver.Version) (driver.Version, error) {
				v, err := m.replace(ctx, rec, old)
				if errors.Is(err, driver.ErrNotFound) {
					return m.create(ctx, rec)
				}
				return v, err
			}
		}},
		{name: "Replace of an absent record leaves a husk", caughtBy: "Replace/NeverCreates", fault: func(w *world, m calls, c *calls) {
			c.replace = func(ctx context.Context, rec driver.Record, old driver.Version) (driver.Version, error) {
				v, err := m.replace(ctx, rec, old)
				if errors.Is(err, driver.ErrNotFound) {
					w.mu.Lock()
					defer w.mu.Unlock()
					w.left["index "+rec.Key] = nil
				}
				return v, err
			}
		}},
		{name: "Replace ignores the version", caughtBy: "Replace/RefusesAStaleVersion", fault: func(_ *world, m calls, c *calls) {
			c.replace = ofAnyVersion(m, m.replace)
		}},
		{name: "Replace answers nil to a stale version", caughtBy: "Replace/RefusesAStaleVersion", fault: func(_ *world, m calls, c *calls) {
			c.replace = func(ctx context.Context, rec driver.Record, old driver.Version) (driver.Version, error) {
				v, err := m.replace(ctx, rec, old)
				if errors.Is(err, driver.ErrConflict) {
					return v, nil
				}
				return v, err
			}
		}},
		{name: "Replace changes the Data it was given", caughtBy: "Replace/LeavesItsArgumentsAlone", fault: func(w *world, m calls, c *calls) {
			c.replace = func(ctx context.Context, rec driver.Record, old driver.Version) (driver.Version, error) {
				w.mu.Lock()
				defer w.mu.Unlock()
				v, err := m.replace(ctx, rec, old)
				rec.Data[len(rec.Data)-1] = 0
				rec.Data[0]++
				return v, err
			}
		}},
		{name: "Replace keeps the Data it was given", caughtBy: "Replace/CopiesWhatItStores", fault: func(w *world, m calls, c *calls) {
			keepsData(w, m, c)
		}},
		{name: "Replace looks first", caughtBy: "Replace/HasOneWinner", fault: func(_ *world, m calls, c *calls) {
			c.replace = looksFirst(m, ofAnyVersion(m, m.replace))
		}},
		{name: "Replace is repeated after a conflict", caughtBy: "Replace/CountsExactly", fault: func(w *world, m calls, c *calls) {
			c.replace = func(ctx context.Context, rec driver.Record, old driver.Version) (driver.Version, error) {
				v, err := looksFirst(m, m.replace)(ctx, rec, old)
				if errors.Is(err, driver.ErrConflict) {
					return ofAnyVersion(m, m.replace)(ctx, rec, old)
				}
				return v, err
			}
		}},
		{name: "Replace is lost now and then", caughtBy: "Replace/ReportsWhatHappened", fault: func(w *world, m calls, c *calls) {
			c.replace = everyTenth(w, m.replace, func(ctx context.Context, rec driver.Record, old driver.Version) (driver.Version, error) {
				return "lost", nil
			})
		}},
		{name: "Replace reports a conflict that was none", caughtBy: "Replace/ReportsWhatHappened", fault: func(w *world, m calls, c *calls) {
			c.replace = everyTenth(w, m.replace, func(ctx context.Context, rec driver.Record, old driver.Version) (driver.Version, error) {
				m.replace(ctx, rec, old)
				return "", driver.ErrConflict
			})
		}},
	}...)
}

// ofAnyVersion makes a conditional call unconditional.
func ofAnyVersion(m calls, call replaceCall) replaceCall {
	return func(ctx context.Context, rec driver.Record, old driver.Version) (driver.Version, error) {
		if _, now, err := m.load(ctx, rec.Key); err == nil {
			old = now
		}
		return call(ctx, rec, old)
	}
}

// looksFirst lets others write between the comparison and the write.
func looksFirst(m calls, call replaceCall) replaceCall {
	return func(ctx context.Context, rec driver.Record, old driver.Version) (driver.Version, error) {
		_, now, err := m.load(ctx, rec.Key)
		if err == nil && now != old {
			err = driver.ErrConflict
		}
		if err != nil {
			return "", err
		}
		pause()
		return call(ctx, rec, old)
	}
}

// everyTenth does something else at each tenth call.
func everyTenth(w *world, call, other replaceCall) replaceCall {
	return func(ctx context.Context, rec driver.Record, old driver.Version) (driver.Version, error) {
		w.mu.Lock()
		w.count["calls"]++
		tenth := w.count["calls"]%10 == 0
		w.mu.Unlock()
		if tenth {
			return other(ctx, rec, old)
		}
		return call(ctx, rec, old)
	}
}
