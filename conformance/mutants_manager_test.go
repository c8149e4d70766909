package conformance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/websession/websession/session/driver"
)

// Faults of stores as applications meet them: each is caught by a case of the
// Manager alone.
func init() {
	mutants = append(mutants, []mutant{
		{name: "the client library repeats a Replace that was applied", caughtBy: "Concurrency/CounterIsExact", fault: func(_ *world, m calls, c *calls) {
			var n atomic.Int64
			c.replace = func(ctx context.Context, rec driver.Record, old driver.Version) (driver.Version, error) {
				v, err := m.replace(ctx, rec, old)
				if err == nil && n.Add(1)%20 == 0 {
					return m.replace(ctx, rec, old) // ErrConflict, with itself
				}
				return v, err
			}
		}},
		{name: "the client library repeats a Delete that was applied", caughtBy: "Renewing/ManySessions", fault: func(_ *world, m calls, c *calls) {
			var n atomic.Int64
			c.delete = func(ctx context.Context, rec driver.Record, old driver.Version) error {
				err := m.delete(ctx, rec, old)
				if err == nil && n.Add(1)%20 == 0 {
					return m.delete(ctx, rec, old)
				}
				return err
			}
		}},
		{name: "a save resurrects", caughtBy: "Saving/DestroyedIsGone", fault: func(_ *world, m calls, c *calls) {
			c.replace = func(ctx context.Context, rec driver.Record, old driver.Version) (driver.Version, error) {
				v, err := m.replace(ctx, rec, old)
				if errors.Is(err, driver.ErrNotFound) {
					return m.create(ctx, rec)
				}
				return v, err
			}
		}},
		{name: "a save resurrects when it is slow", caughtBy: "Concurrency/LogoutAtEveryStepOfARequest", fault: func(_ *world, m calls, c *calls) {
			c.replace = func(ctx context.Context, rec driver.Record, old driver.Version) (driver.Version, error) {
				v, err := m.replace(ctx, rec, old)
				if errors.Is(err, driver.ErrNotFound) {
					return m.create(ctx, rec)
				}
				return v, err
			}
		}},
		{name: "a touch resurrects", caughtBy: "Touching/DestroyedStaysDead", fault: func(_ *world, m calls, c *calls) {
			c.touch = func(ctx context.Context, rec driver.Record, old driver.Version) (driver.Version, error) {
				v, err := m.touch(ctx, rec, old)
				if errors.Is(err, driver.ErrNotFound) {
					return m.create(ctx, rec)
				}
				return v, err
			}
		}},
		{name: "a touch writes what was loaded", caughtBy: "Touching/NeverRestoresOldData", fault: func(_ *world, m calls, c *calls) {
			c.touch = func(ctx context.Context, rec driver.Record, _ driver.Version) (driver.Version, error) {
				_, now, err := m.load(ctx, rec.Key)
				if err != nil {
					return "", err
				}
				return m.replace(ctx, rec, now)
			}
		}},
		{name: "a touch loses the index", caughtBy: "Touching/KeepsTheIndexEntry", fault: func(_ *world, m calls, c *calls) {
			c.touch = func(ctx context.Context, rec driver.Record, old driver.Version) (driver.Version, error) {
				rec.Index = nil
				return m.touch(ctx, rec, old)
			}
		}},
		{name: "a touch leaves the version", caughtBy: "Touching/AtMostOncePerTouchEvery", fault: func(w *world, m calls, c *calls) {
			c.touch = func(ctx context.Context, rec driver.Record, old driver.Version) (driver.Version, error) {
				w.mu.Lock()
				defer w.mu.Unlock()
				if _, now, err := m.load(ctx, rec.Key); err != nil || now == old {
					v, err := m.touch(ctx, rec, old)
					w.version[rec.Key+string(old)] = v
					return v, err
				}
				return w.version[rec.Key+string(old)], nil // as if it were the old one
			}
		}},
		{name: "Search forgets what was changed", caughtBy: "Finding/UnrelatedChangeKeepsTheEntry", fault: func(w *world, m calls, c *calls) {
			c.replace = func(ctx context.Context, rec driver.Record, old driver.Version) (driver.Version, error) {
				w.mu.Lock()
				defer w.mu.Unlock()
				w.count[rec.Key]++
				return m.replace(ctx, rec, old)
			}
			c.search = func(ctx context.Context, field, digest string) recordSeq {
				return func(yield func(driver.Record, error) bool) {
					for rec, err := range m.search(ctx, field, digest) {
						w.mu.Lock()
						forgotten := w.count[rec.Key] > 0
						w.mu.Unlock()
						if !forgotten && !yield(rec, err) {
							return
						}
					}
				}
			}
		}},
		{name: "Search finds the first of a value only", caughtBy: "Finding/DestroyAllOfAUser", fault: func(_ *world, m calls, c *calls) {
			c.search = func(ctx context.Context, field, digest string) recordSeq {
				return func(yield func(driver.Record, error) bool) {
					for rec, err := range m.search(ctx, field, digest) {
						yield(rec, err)
						return
					}
				}
			}
		}},
		{name: "the index keeps what was destroyed", caughtBy: "Destroying/LeavesNothingBehind", fault: func(w *world, m calls, c *calls) {
			c.create = func(ctx context.Context, rec driver.Record) (driver.Version, error) {
				w.mu.Lock()
				defer w.mu.Unlock()
				for f, d := range rec.Index {
					w.left[fmt.Sprint("ix:", f, ":", d)] = []byte(rec.Key)
				}
				return m.create(ctx, rec)
			}
		}},
		{name: "a Delete with a version deletes any", caughtBy: "Renewing/OfTwoRenewalsOneWins", fault: func(_ *world, m calls, c *calls) {
			c.delete = func(ctx context.Context, rec driver.Record, _ driver.Version) error { return m.delete(ctx, rec, "") }
		}},
		{name: "a Delete with a version deletes any but an absent one", caughtBy: "Renewing/RenewalAgainstSave", fault: func(_ *world, m calls, c *calls) {
			c.delete = func(ctx context.Context, rec driver.Record, old driver.Version) error {
				for {
					err := m.delete(ctx, rec, old)
					if old == "" || !errors.Is(err, driver.ErrConflict) {
						return err
					}
					_, old, _ = m.load(ctx, rec.Key)
				}
			}
		}},
		{name: "the last save wins", caughtBy: "Concurrency/DifferentAttributesBothSurvive", fault: func(_ *world, m calls, c *calls) {
			c.replace = func(ctx context.Context, rec driver.Record, old driver.Version) (driver.Version, error) {
				for {
					v, err := m.replace(ctx, rec, old)
					if !errors.Is(err, driver.ErrConflict) {
						return v, err
					}
					_, old, _ = m.load(ctx, rec.Key)
				}
			}
		}},
		{name: "a handle answers from its cache", caughtBy: "Destroying/EndsTheSession", fault: func(_ *world, m calls, c *calls) {
			cache(m, c, func() bool { return true })
		}},
		{name: "a handle answers from its cache now and then", caughtBy: "Linearizable/History", fault: func(_ *world, m calls, c *calls) {
			var n atomic.Int64
			cache(m, c, func() bool { return n.Add(1)%10 == 0 })
		}},
		{name: "one write in five is lost", caughtBy: "Linearizable/History", fault: func(_ *world, m calls, c *calls) {
			var n atomic.Int64
			c.replace = func(ctx context.Context, rec driver.Record, old driver.Version) (driver.Version, error) {
				if n.Add(1)%5 == 0 {
					if _, v, err := m.load(ctx, rec.Key); err == nil && v == old {
						return "lost", nil
					}
				}
				return m.replace(ctx, rec, old)
			}
		}},
		{name: "one save in ten is lost", caughtBy: "Model/RandomRequests", fault: func(_ *world, m calls, c *calls) {
			var n atomic.Int64
			c.replace = func(ctx context.Context, rec driver.Record, old driver.Version) (driver.Version, error) {
				if n.Add(1)%10 == 0 {
					return old, nil
				}
				return m.replace(ctx, rec, old)
			}
		}},
		{name: "sessions live whole seconds", caughtBy: "Reading/BoundaryIsExact", fault: func(_ *world, m calls, c *calls) {
			deadlines(m, c, func(t time.Time) time.Time { return t.Truncate(time.Second) })
		}},
		{name: "sessions end in 2038", caughtBy: "Expiry/LongLife", fault: func(_ *world, m calls, c *calls) {
			deadlines(m, c, func(t time.Time) time.Time { return time.UnixMilli(min(t.UnixMilli(), (1<<31-1)*1000)).UTC() })
		}},
		{name: "every record gets a deadline", caughtBy: "Expiry/NoLimit", fault: func(_ *world, m calls, c *calls) {
			deadlines(m, c, func(t time.Time) time.Time {
				if t.IsZero() {
					return in(24 * time.Hour)
				}
				return t
			})
		}},
		{name: "Load judges expiry, by a clock that is ahead", caughtBy: "Expiry/LongLife", fault: func(_ *world, m calls, c *calls) {
			c.load = func(ctx context.Context, key string) (driver.Record, driver.Version, error) {
				rec, v, err := m.load(ctx, key)
				if err == nil && rec.Expires.Before(in(time.Second)) {
					return driver.Record{}, "", driver.ErrNotFound
				}
				return rec, v, err
			}
		}},
		{name: "Purge looks, and deletes later", caughtBy: "Purging/TouchedMeanwhileStays", fault: func(_ *world, m calls, c *calls) {
			c.purge = func(ctx context.Context, before time.Time, _ int) (int, error) {
				var old []driver.Record
				for rec := range m.scan(ctx) {
					if rec.Expires.Before(before) {
						old = append(old, rec)
					}
				}
				for _, rec := range old {
					pause()
					m.delete(ctx, rec, "")
				}
				return len(old), nil
			}
		}},
		{name: "Purge takes no deadline for the year 1", caughtBy: "Purging/RemovesExpiredOnly", fault: func(_ *world, m calls, c *calls) {
			c.purge = func(ctx context.Context, before time.Time, limit int) (int, error) {
				for rec := range m.scan(ctx) {
					if rec.Expires.IsZero() {
						m.delete(ctx, rec, "")
					}
				}
				return m.purge(ctx, before, limit)
			}
		}},
		{name: "Scan misses records while others come and go", caughtBy: "Listing/SurvivesChanges", fault: func(w *world, m calls, c *calls) {
			c.create = func(ctx context.Context, rec driver.Record) (driver.Version, error) {
				w.mu.Lock()
				w.count["created"]++
				w.mu.Unlock()
				return m.create(ctx, rec)
			}
			c.scan = func(ctx context.Context) recordSeq {
				return func(yield func(driver.Record, error) bool) {
					w.mu.Lock()
					before := w.count["created"]
					w.mu.Unlock()
					for rec, err := range m.scan(ctx) {
						pause()
						w.mu.Lock()
						moved := w.count["created"] != before
						before = w.count["created"]
						w.mu.Unlock()
						if !moved && !yield(rec, err) {
							return
						}
					}
				}
			}
		}},
		{name: "data ends after a megabyte", caughtBy: "Values/LargeSession", fault: func(_ *world, m calls, c *calls) {
			c.create = func(ctx context.Context, rec driver.Record) (driver.Version, error) {
				rec.Data = rec.Data[:min(len(rec.Data), 1<<20)]
				return m.create(ctx, rec)
			}
		}},
		{name: "data is text", caughtBy: "Values/TypesRoundTrip", fault: func(_ *world, m calls, c *calls) {
			c.replace = func(ctx context.Context, rec driver.Record, old driver.Version) (driver.Version, error) {
				rec.Data = bytes.ToValidUTF8(rec.Data, []byte("\ufffd"))
				return m.replace(ctx, rec, old)
			}
		}},
		{name: "overlapping creates share a buffer", caughtBy: "Concurrency/VisitorsDoNotCross", fault: func(w *world, m calls, c *calls) {
			c.create = func(ctx context.Context, rec driver.Record) (driver.Version, error) {
				w.mu.Lock()
				w.data["buffer"] = slices.Clone(rec.Data)
				w.mu.Unlock()
				pause()
				w.mu.Lock()
				rec.Data = w.data["buffer"]
				w.mu.Unlock()
				return m.create(ctx, rec)
			}
		}},
		{name: "every call is answered by a time-out", caughtBy: "Budget/StoreCalls", fault: func(_ *world, m calls, c *calls) {
			c.replace = func(ctx context.Context, rec driver.Record, old driver.Version) (driver.Version, error) {
				_, err := m.replace(ctx, rec, old)
				if err == nil {
					err = driver.UnknownOutcome(context.DeadlineExceeded)
				}
				return "", err
			}
		}},
		{name: "Load hands out what it keeps", caughtBy: "Saving/InPlaceChangeNeedsSet", fault: func(w *world, m calls, c *calls) {
			c.load = func(ctx context.Context, key string) (driver.Record, driver.Version, error) {
				rec, v, err := m.load(ctx, key)
				w.mu.Lock()
				defer w.mu.Unlock()
				if kept, ok := w.data[key]; ok && err == nil {
					rec.Data = kept // as it was when it was loaded first
				} else if err == nil {
					w.data[key] = rec.Data
				}
				return rec, v, err
			}
		}},
	}...)
}

// cache makes a handle answer again what it loaded once, when it likes to.
func cache(m calls, c *calls, likes func() bool) {
	type answer struct {
		rec driver.Record
		v   driver.Version
	}
	answers := make(map[string]answer)
	lock := make(chan struct{}, 1)
	c.load = func(ctx context.Context, key string) (driver.Record, driver.Version, error) {
		lock <- struct{}{}
		defer func() { <-lock }()
		if a, ok := answers[key]; ok && likes() {
			return copied(a.rec), a.v, nil
		}
		rec, v, err := m.load(ctx, key)
		if err == nil {
			answers[key] = answer{copied(rec), v}
		}
		return rec, v, err
	}
}

// deadlines changes the deadlines that are written.
func deadlines(m calls, c *calls, change func(time.Time) time.Time) {
	c.create = func(ctx context.Context, rec driver.Record) (driver.Version, error) {
		rec.Expires = change(rec.Expires)
		return m.create(ctx, rec)
	}
	c.replace = func(ctx context.Context, rec driver.Record, old driver.Version) (driver.Version, error) {
		rec.Expires = change(rec.Expires)
		return m.replace(ctx, rec, old)
	}
}
