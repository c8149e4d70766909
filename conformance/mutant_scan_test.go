package conformance

import (
	"context"
	"iter"
	"slices"

	"github.com/websession/websession/session/driver"
)

type recordSeq = iter.Seq2[driver.Record, error]

// Faults of Scan.
func init() {
	mutants = append(mutants, []mutant{
		{name: "Scan of an empty place fails", caughtBy: "Scan/OfAnEmptyPlaceYieldsNothing", fault: func(_ *world, m calls, c *calls) {
			c.scan = func(ctx context.Context) recordSeq {
				return func(yield func(driver.Record, error) bool) {
					if all := listed(m.scan(ctx)); len(all) == 0 {
						yield(driver.Record{}, driver.ErrNotFound)
					} else {
						yieldAll(all, yield)
					}
				}
			}
		}},
		{name: "Scan yields no Index", caughtBy: "Scan/YieldsWholeRecords", fault: func(_ *world, m calls, c *calls) {
			scans(m, c, func(all []driver.Record) []driver.Record {
				for i := range all {
					all[i].Index = nil
				}
				return all
			})
		}},
		{name: "Scan yields one buffer", caughtBy: "Scan/YieldsWholeRecords", fault: func(_ *world, m calls, c *calls) {
			scans(m, c, func(all []driver.Record) []driver.Record { return all })
			scan := c.scan
			c.scan = func(ctx context.Context) recordSeq {
				return func(yield func(driver.Record, error) bool) {
					var buffer [2 << 20]byte
					for rec, err := range scan(ctx) {
						rec.Data = buffer[:copy(buffer[:], rec.Data)]
						if !yield(rec, err) {
							return
						}
					}
				}
			}
		}},
		{name: "Scan judges expiry", caughtBy: "Scan/YieldsWholeRecords", fault: func(_ *world, m calls, c *calls) {
			scans(m, c, func(all []driver.Record) []driver.Record {
				return slices.DeleteFunc(all, func(rec driver.Record) bool { return !rec.Expires.IsZero() && rec.Expires.Before(in(0)) })
			})
		}},
		{name: "Scan yields what was deleted", caughtBy: "Scan/FollowsEveryMutation", fault: func(w *world, m calls, c *calls) {
			c.delete = func(ctx context.Context, rec driver.Record, old driver.Version) error {
				was, _, _ := m.load(ctx, rec.Key)
				err := m.delete(ctx, rec, old)
				if err == nil {
					w.mu.Lock()
					defer w.mu.Unlock()
					w.deleted[rec.Key] = was
				}
				return err
			}
			scans(m, c, func(all []driver.Record) []driver.Record {
				w.mu.Lock()
				defer w.mu.Unlock()
				for _, rec := range w.deleted {
					all = append(all, rec)
				}
				return all
			})
		}},
		{name: "Scan stops after a page", caughtBy: "Scan/YieldsAll", fault: func(_ *world, m calls, c *calls) {
			scans(m, c, func(all []driver.Record) []driver.Record { return all[:min(len(all), 1000)] })
		}},
		{name: "Scan misses one record at the end of each page", caughtBy: "Scan/YieldsAll", fault: func(_ *world, m calls, c *calls) {
			scans(m, c, func(all []driver.Record) []driver.Record {
				if len(all) > 512 {
					return slices.Delete(all, 511, 512)
				}
				return all
			})
		}},
		{name: "Scan ends where a record has gone", caughtBy: "Scan/WhileOthersWrite", fault: func(_ *world, m calls, c *calls) {
			c.scan = func(ctx context.Context) recordSeq { return endsWhereGone(ctx, m, m.scan(ctx)) }
		}},
		{name: "Scan yields husks of what has gone", caughtBy: "Scan/WhileOthersWrite", fault: func(_ *world, m calls, c *calls) {
			c.scan = func(ctx context.Context) recordSeq {
				return func(yield func(driver.Record, error) bool) {
					for _, rec := range listed(m.scan(ctx)) {
						pause()
						now, _, err := m.load(ctx, rec.Key)
						if err != nil {
							now = driver.Record{Key: rec.Key}
						}
						if !yield(now, nil) {
							return
						}
					}
				}
			}
		}},
		{name: "Scan leaves a goroutine", caughtBy: "Scan/MayBeLeft", fault: func(w *world, m calls, c *calls) {
			c.scan = func(ctx context.Context) recordSeq { return bySender(w, m.scan(ctx)) }
		}},
		{name: "Scan that is left keeps its connection", caughtBy: "Scan/MayBeLeft", fault: func(w *world, m calls, c *calls) {
			c.scan = func(ctx context.Context) recordSeq { return keepsSlot(ctx, w, m.scan(ctx)) }
		}},
		{name: "Scan holds a lock", caughtBy: "Scan/StoreMayBeUsedInTheLoop", fault: func(w *world, m calls, c *calls) {
			holdsLock(w, m, c)
			c.scan = func(ctx context.Context) recordSeq { return locked(w, m.scan(ctx)) }
		}},
		{name: "Scan ends while another one runs", caughtBy: "Scan/SeveralAtOnce", fault: func(w *world, m calls, c *calls) {
			c.scan = func(ctx context.Context) recordSeq {
				return func(yield func(driver.Record, error) bool) {
					if !w.flag.CompareAndSwap(false, true) {
						return
					}
					defer w.flag.Store(false)
					pause()
					yieldAll(listed(m.scan(ctx)), yield)
				}
			}
		}},
	}...)
}

// listed answers the records of a sequence.
func listed(seq recordSeq) []driver.Record {
	var all []driver.Record
	for rec, err := range seq {
		if err == nil {
			all = append(all, rec)
		}
	}
	return all
}

func yieldAll(all []driver.Record, yield func(driver.Record, error) bool) {
	for _, rec := range all {
		if !yield(rec, nil) {
			return
		}
	}
}

// scans makes Scan yield something else.
func scans(m calls, c *calls, change func([]driver.Record) []driver.Record) {
	c.scan = func(ctx context.Context) recordSeq {
		return func(yield func(driver.Record, error) bool) { yieldAll(change(listed(m.scan(ctx))), yield) }
	}
}

// endsWhereGone lists keys first and records then.
func endsWhereGone(ctx context.Context, m calls, seq recordSeq) recordSeq {
	return func(yield func(driver.Record, error) bool) {
		all := listed(seq)
		pause()
		for _, rec := range all {
			now, _, err := m.load(ctx, rec.Key)
			if err != nil || !yield(now, nil) {
				return
			}
		}
	}
}

// bySender yields what a goroutine sends, which waits for ever once the loop is
// left.
func bySender(w *world, seq recordSeq) recordSeq {
	return func(yield func(driver.Record, error) bool) {
		ch := make(chan driver.Record)
		go func() {
			defer close(ch)
			for _, rec := range listed(seq) {
				select {
				case ch <- rec:
				case <-w.gone:
					return
				}
			}
		}()
		for rec := range ch {
			if !yield(rec, nil) {
				return
			}
		}
	}
}

// keepsSlot takes one of 16 connections, and does not give it back once the loop
// is left.
func keepsSlot(ctx context.Context, w *world, seq recordSeq) recordSeq {
	return func(yield func(driver.Record, error) bool) {
		select {
		case w.slots <- struct{}{}:
		case <-ctx.Done():
			yield(driver.Record{}, ctx.Err())
			return
		}
		for rec, err := range seq {
			if !yield(rec, err) {
				return
			}
		}
		<-w.slots
	}
}

// holdsLock makes deletions take the lock that locked holds.
func holdsLock(w *world, m calls, c *calls) {
	c.delete = func(ctx context.Context, rec driver.Record, old driver.Version) error {
		w.mu.Lock()
		defer w.mu.Unlock()
		return m.delete(ctx, rec, old)
	}
}

func locked(w *world, seq recordSeq) recordSeq {
	return func(yield func(driver.Record, error) bool) {
		all := listed(seq)
		w.mu.Lock()
		defer w.mu.Unlock()
		yieldAll(all, yield)
	}
}
