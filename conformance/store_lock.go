package conformance

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/websession/websession/session"
	"github.com/websession/websession/session/driver"
)

// lockCases are the promises of driver.Locker, on places of Env.Locking.
func lockCases() []testCase {
	locker := []string{"Locker"}
	return []testCase{{
		name: "Locking/OnlyWhenAsked",
		why:  "a store that locks makes the page views of a user queue, reads included: nobody should meet that by surprise",
		run: func(p *place) {
			q := *p
			q.props, q.hide = p.env.Place(p.TB), false
			l, is := q.open().(driver.Locker)
			if !is {
				return
			}
			ended, cancel := context.WithCancel(p.Context())
			cancel()
			for _, ctx := range []context.Context{p.Context(), ended} {
				if _, err := l.Lock(ctx, p.token(43)); !errors.Is(err, errors.ErrUnsupported) {
					p.fail("Lock of a store that was not asked to lock (context: %v) answered %v; it should match errors.ErrUnsupported", ctx.Err(), err)
				}
			}
		},
	}, {
		name:  "Locking/OneAtATime",
		why:   "a lock that two have keeps nobody away",
		needs: locker,
		run: func(p *place) {
			ls := p.lockers(3)
			key := p.token(43)
			const workers = 6
			var inside, sum atomic.Int64
			each := p.scale(200, 10)
			p.within("taking turns", func() {
				together(workers, func(w int) {
					for range each {
						unlock, err := ls[w%3].Lock(p.Context(), key)
						if err != nil {
							p.fail("Lock, while others take it by turns, answered %v", err)
							return
						}
						if n := inside.Add(1); n != 1 {
							p.fail("%d have the lock", n)
						}
						n := sum.Load()
						pauseBriefly()
						sum.Store(n + 1)
						inside.Add(-1)
						if err := unlock(); err != nil {
							p.fail("unlock of a lock that was had answered %v", err)
						}
					}
				})
			})
			if n := sum.Load(); !p.Failed() && n != int64(workers*each) {
				p.fail("%d turns were counted of %d", n, workers*each)
			}
		},
	}, {
		name:  "Locking/UnlockLetsTheNextIn",
		why:   "a lock that stays behind closes a session to its user",
		needs: locker,
		run: func(p *place) {
			ls := p.lockers(2)
			key := p.token(43)
			for i := range 4 {
				unlock := p.lock(ls[i%2], key)
				next := make(chan func() error, 1)
				go func() {
					if u, err := ls[(i+1)%2].Lock(p.Context(), key); err != nil {
						p.fail("Lock, which waited for one that was given back, answered %v", err)
					} else {
						next <- u
					}
				}()
				p.unlock(unlock)
				if !p.eventually(func() bool { return len(next) > 0 }) {
					p.fatal("nobody got the lock that was given back")
				}
				p.unlock(<-next)
			}
		},
	}, {
		name:  "Locking/WaitEndsWithItsContext",
		why:   "a request that was given up must not wait, nor take the lock when its turn comes",
		needs: locker,
		run: func(p *place) {
			ls := p.lockers(3)
			key := p.token(43)
			unlock := p.lock(ls[0], key)
			for i, end := range []func() (context.Context, context.CancelFunc){
				func() (context.Context, context.CancelFunc) {
					return context.WithTimeout(p.Context(), 50*time.Millisecond)
				},
				func() (context.Context, context.CancelFunc) {
					ctx, cancel := context.WithCancel(p.Context())
					time.AfterFunc(50*time.Millisecond, cancel)
					return ctx, cancel
				},
			} {
				for _, l := range ls { // the holder's own handle, too
					ctx, cancel := end()
					begin := time.Now()
					var err error
					returned := p.within("Lock whose context ends", func() { _, err = l.Lock(ctx, key) })
					cancel()
					if !returned {
						return
					}
					if !errors.Is(err, ctx.Err()) {
						p.fail("Lock whose context ended answered %v after %v; it should match %v", err, time.Since(begin), []error{context.DeadlineExceeded, context.Canceled}[i])
					}
				}
			}
			p.unlock(unlock)
			p.unlock(p.lock(ls[1], key))
			p.unlock(p.lock(ls[2], key))
		},
	}, {
		name:  "Locking/WaitIsBounded",
		why:   "a holder that hangs must not hang everybody: a wait ends by itself, with an error",
		needs: locker,
		run: func(p *place) {
			ls := p.lockers(2)
			key := p.token(43)
			unlock := p.lock(ls[0], key)
			for _, l := range ls {
				if !p.within("Lock of what somebody else has", func() {
					if _, err := l.Lock(p.Context(), key); err == nil || errors.Is(err, errors.ErrUnsupported) {
						p.fail("Lock of what somebody else has answered %v", err)
					}
				}) {
					return
				}
			}
			p.unlock(unlock)
			p.unlock(p.lock(ls[1], key))
		},
	}, {
		name:  "Locking/EndedBeforeLock",
		why:   "a request that is over would hold a lock which nobody gives back",
		needs: locker,
		run: func(p *place) {
			ls := p.lockers(2)
			key := p.token(43)
			ended, cancel := context.WithCancel(p.Context())
			cancel()
			if _, err := ls[0].Lock(ended, key); !errors.Is(err, context.Canceled) {
				p.fail("Lock with a context that had ended answered %v; it should match its error", err)
			}
			p.unlock(p.lock(ls[1], key))
		},
	}, {
		name:  "Locking/OutlivesItsContext",
		why:   "a request gives its lock back when it is over: its context may have ended by then",
		needs: locker,
		run: func(p *place) {
			ls := p.lockers(2)
			key := p.token(43)
			ctx, cancel := context.WithCancel(p.Context())
			unlock, err := ls[0].Lock(ctx, key)
			cancel()
			if err != nil {
				p.fatal("Lock of what nobody has answered %v", err)
			}
			short, cancel := context.WithTimeout(p.Context(), 50*time.Millisecond)
			defer cancel()
			if _, err := ls[1].Lock(short, key); err == nil {
				p.fail("the lock was lost when its context ended")
			}
			p.unlock(unlock)
			p.unlock(p.lock(ls[1], key))
		},
	}, {
		name:  "Locking/AbsentKey",
		why:   "a lock is taken before the record is looked for; it must leave nothing behind that looks like one",
		needs: locker,
		run: func(p *place) {
			l := p.lockers(1)[0]
			key := p.token(43)
			unlock := p.lock(l, key)
			l.absent(key, "under the lock of a key that is not there")
			p.unlock(unlock)
			l.absent(key, "after the lock of a key that is not there")
			p.empty("after the lock of a key that is not there")
		},
	}, {
		name:  "Locking/KeepsNoCallAway",
		why:   "a logout waits for nobody, and versions decide: calls neither take locks nor look at them",
		needs: locker,
		run: func(p *place) {
			ls := p.lockers(2)
			rec := p.record()
			unlock := p.lock(ls[0], rec.Key)
			if !p.within("the calls of others under a lock", func() {
				v := ls[1].create(rec)
				next := after(rec, p.record())
				v = ls[1].replace(next, v)
				ls[1].holds(next, v, "after a write of others under a lock")
				ls[1].delete(next, "")
			}) {
				return
			}
			p.unlock(unlock)
			ls[0].absent(rec.Key, "after the unlock of a key that was deleted")
		},
	}, {
		name:  "Locking/KeysAreApart",
		why:   "visitors who wait for each other's locks wait in vain, and may wait in a circle",
		needs: locker,
		run: func(p *place) {
			ls := p.lockers(2)
			base := p.token(driver.MaxKey)
			keys := []string{base, base[:driver.MaxKey-1], base[:64], base[:43], base[:1], "aBc", "abc", "ABC", "aBc-", "aBc_"}
			var unlocks []func() error
			for i, key := range keys {
				unlocks = append(unlocks, p.lock(ls[i%2], key))
			}
			for _, unlock := range unlocks {
				p.unlock(unlock)
			}
		},
	}, {
		name:  "Locking/ClosedStore",
		why:   "a server that stops must not take locks which nobody gives back",
		needs: locker,
		run: func(p *place) {
			ls := p.lockers(2)
			key := p.token(43)
			if err := ls[1].Close(); err != nil {
				p.fail("Close answered %v", err)
			}
			if _, err := ls[1].Lock(p.Context(), key); !errors.Is(err, driver.ErrClosed) {
				p.fail("Lock after Close answered %v; it should match ErrClosed", err)
			}
			p.unlock(p.lock(ls[0], key))
		},
	}, {
		name:  "Locking/LeavesNoGoroutine",
		why:   "what one lock leaves behind grows with every request",
		needs: locker,
		run: func(p *place) {
			l := p.lockers(1)[0]
			key := p.token(43)
			use := func() { p.unlock(p.lock(l, key)) }
			use() // what is made once may stay
			before := p.goroutines()
			const times = 32
			for range times {
				use()
			}
			p.noGoroutines(before, times, "locks that were given back")
		},
	}, {
		name:  "Locking/RequestsQueue",
		why:   "with locks a request sees what the one before it has made of the session, from its load to its end",
		needs: locker,
		run:   func(p *place) { newApp(p).queueForTheLock() },
	}}
}

// queueForTheLock has requests count by what they loaded. Without the lock the
// later save of the counter would win.
func (a *app) queueForTheLock() {
	ms := a.servers(3)
	id := a.visit(ms[0]).ID()
	const workers = 6
	each := a.scale(200, 10)
	a.within("requests that queue", func() {
		together(workers, func(w int) {
			for range each {
				s, err := ms[w%len(ms)].Load(a.Context(), id)
				if err != nil {
					a.fail("Load, while others take turns, answered %v", err)
					return
				}
				pauseBriefly()
				err = increment(s)
				if err == nil {
					err = s.Save(a.Context())
				}
				s.Finish()
				if err != nil {
					a.fail("a request that had the lock could not save: %v", err)
				}
			}
		})
	})
	s := a.load(ms[0], id)
	holds(a, s, countKey, int64(workers*each))

	// A logout does not wait for the lock that s has.
	a.within("a logout", func() {
		if err := ms[1].Destroy(a.Context(), id); err != nil {
			a.fail("a logout, while a request has the lock, answered %v", err)
		}
	})
	a.notFound("Save after the logout", a.setSave(s, colorKey, "blue"))
	s.Finish()
	a.dead(ms[2], id, "after the logout")
	for _, m := range ms {
		if !takesLocks(m) {
			a.fail("the Manager does not say that it locks: %v", m.Capabilities())
		}
	}
}

// takesLocks reports whether a Manager says so.
func takesLocks(m *session.Manager) bool {
	for _, c := range m.Capabilities() {
		if c.Name == "lock" {
			return c.Support == session.Native
		}
	}
	return false
}

// locker is a handle that locks.
type locker struct {
	handle
	driver.Locker
}

// lockers opens n handles that lock.
func (p *place) lockers(n int) []locker {
	p.Helper()
	ls := make([]locker, n)
	for i, h := range p.handles(n) {
		l, is := h.Store.(driver.Locker)
		if !is {
			p.fatal("the store of Env.Locking has no Lock: its type is %T", h.Store)
		}
		ls[i] = locker{h, l}
	}
	return ls
}

// lock takes a lock that nobody has.
func (p *place) lock(l locker, key string) (unlock func() error) {
	p.Helper()
	got := make(chan func() error, 1) // a Lock that is late finds nobody
	p.within("Lock of what nobody has", func() {
		unlock, err := l.Lock(p.Context(), key)
		if err != nil {
			p.fail("Lock of a key of %d characters that nobody has answered %v", len(key), err)
			return
		}
		got <- unlock
	})
	select {
	case unlock = <-got:
	default:
		p.fatal("there is no lock to go on with")
	}
	return unlock
}

// unlock gives a lock back.
func (p *place) unlock(unlock func() error) {
	p.Helper()
	p.within("unlock", func() {
		if err := unlock(); err != nil {
			p.fail("unlock of a lock that was had answered %v", err)
		}
	})
}

// pauseBriefly lets others try to get in.
func pauseBriefly() { time.Sleep(100 * time.Microsecond) }
