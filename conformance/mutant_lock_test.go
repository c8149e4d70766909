package conformance

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/websession/websession/session/driver"
)

// lockFunc is Lock of a handle.
type lockFunc = func(context.Context, string) (func() error, error)

// noLocks is Lock of a handle that was not asked to lock.
func noLocks(context.Context, string) (func() error, error) { return nil, errors.ErrUnsupported }

// lockWait is how long the twin waits for a lock.
const lockWait = 2 * time.Second

var errLockWait = errors.New("somebody else has the lock")

// locker answers Lock of a handle on w; alive fails when the handle is closed.
func (w *world) locker(alive func(context.Context) (driver.Info, error)) lockFunc {
	return func(ctx context.Context, key string) (func() error, error) {
		if _, err := alive(ctx); err != nil {
			return nil, err
		}
		turn := w.turn(key)
		t := time.NewTimer(lockWait)
		defer t.Stop()
		select {
		case turn <- struct{}{}:
			return func() error { <-turn; return nil }, nil
		case <-t.C:
			return nil, errLockWait
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// turn answers a channel that holds a value while somebody has the lock of key.
func (w *world) turn(key string) chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.locks[key] == nil {
		w.locks[key] = make(chan struct{}, 1)
	}
	return w.locks[key]
}

// lockFault is a fault of Lock on a place where it locks.
func lockFault(change func(w *world, lock lockFunc) lockFunc) func(*world, calls, *calls) {
	return func(w *world, m calls, c *calls) {
		if _, err := m.lock(context.Background(), "locks?"); errors.Is(err, errors.ErrUnsupported) {
			return
		}
		<-w.turn("locks?")
		c.lock = change(w, m.lock)
	}
}

// Faults of locks.
func init() {
	end := context.WithoutCancel
	mutants = append(mutants, []mutant{
		{name: "every store locks", caughtBy: "Locking/OnlyWhenAsked", fault: func(w *world, m calls, c *calls) {
			c.lock = w.locker(m.ping)
		}},
		{name: "a store that does not lock says that its context has ended", caughtBy: "Locking/OnlyWhenAsked", fault: func(_ *world, m calls, c *calls) {
			c.lock = func(ctx context.Context, key string) (func() error, error) {
				if err := ctx.Err(); err != nil {
					return nil, err
				}
				return m.lock(ctx, key)
			}
		}},
		{name: "each handle has locks of its own", caughtBy: "Locking/OneAtATime", fault: lockFault(func(_ *world, _ lockFunc) lockFunc {
			var mu sync.Mutex
			return func(context.Context, string) (func() error, error) {
				mu.Lock()
				return func() error { mu.Unlock(); return nil }, nil
			}
		})},
		{name: "a handle has its lock as often as it likes", caughtBy: "Locking/OneAtATime", fault: lockFault(func(_ *world, lock lockFunc) lockFunc {
			var mu sync.Mutex
			users := make(map[string]int)
			unlocks := make(map[string]func() error)
			return func(ctx context.Context, key string) (func() error, error) {
				mu.Lock()
				defer mu.Unlock()
				if users[key]++; users[key] == 1 {
					unlock, err := lock(ctx, key)
					if err != nil {
						users[key]--
						return nil, err
					}
					unlocks[key] = unlock
				}
				return func() error {
					mu.Lock()
					defer mu.Unlock()
					if users[key]--; users[key] > 0 {
						return nil
					}
					return unlocks[key]()
				}, nil
			}
		})},
		{name: "a lock is given back with its connection only", caughtBy: "Locking/UnlockLetsTheNextIn", fault: lockFault(func(w *world, lock lockFunc) lockFunc {
			return func(ctx context.Context, key string) (func() error, error) {
				_, err := lock(ctx, key)
				return func() error { return nil }, err
			}
		})},
		{name: "Lock ignores its context while it waits", caughtBy: "Locking/WaitEndsWithItsContext", fault: lockFault(func(_ *world, lock lockFunc) lockFunc {
			return func(ctx context.Context, key string) (func() error, error) {
				if err := ctx.Err(); err != nil {
					return nil, err
				}
				return lock(end(ctx), key)
			}
		})},
		{name: "a wait that was given up takes the lock later", caughtBy: "Locking/WaitEndsWithItsContext", fault: lockFault(func(_ *world, lock lockFunc) lockFunc {
			return func(ctx context.Context, key string) (func() error, error) {
				type answer struct {
					unlock func() error
					err    error
				}
				got := make(chan answer, 1)
				go func() {
					unlock, err := lock(end(ctx), key)
					got <- answer{unlock, err}
				}()
				select {
				case a := <-got:
					return a.unlock, a.err
				case <-ctx.Done():
					return nil, ctx.Err()
				}
			}
		})},
		{name: "Lock waits for ever", caughtBy: "Locking/WaitIsBounded", fault: lockFault(func(w *world, _ lockFunc) lockFunc {
			return func(ctx context.Context, key string) (func() error, error) {
				turn := w.turn(key)
				select {
				case turn <- struct{}{}:
					return func() error { <-turn; return nil }, nil
				case <-ctx.Done():
					return nil, ctx.Err()
				case <-w.gone:
					return nil, errLockWait
				}
			}
		})},
		{name: "a wait in vain ends with a lock that is none", caughtBy: "Locking/WaitIsBounded", fault: lockFault(func(_ *world, lock lockFunc) lockFunc {
			return func(ctx context.Context, key string) (func() error, error) {
				ctx, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
				defer cancel()
				unlock, err := lock(ctx, key)
				if err != nil { // as GET_LOCK, whose answer nobody looks at
					return func() error { return nil }, nil
				}
				return unlock, nil
			}
		})},
		{name: "Lock takes a free lock without a look at its context", caughtBy: "Locking/EndedBeforeLock", fault: lockFault(func(w *world, lock lockFunc) lockFunc {
			return func(ctx context.Context, key string) (func() error, error) { return lock(end(ctx), key) }
		})},
		{name: "a lock ends with its context", caughtBy: "Locking/OutlivesItsContext", fault: lockFault(func(_ *world, lock lockFunc) lockFunc {
			return func(ctx context.Context, key string) (func() error, error) {
				unlock, err := lock(ctx, key)
				if err == nil {
					once := sync.OnceValue(unlock)
					unlock = once
					context.AfterFunc(ctx, func() { _ = once() })
				}
				return unlock, err
			}
		})},
		{name: "an unlock goes out in the context of its lock", caughtBy: "Locking/OutlivesItsContext", fault: lockFault(func(_ *world, lock lockFunc) lockFunc {
			return func(ctx context.Context, key string) (func() error, error) {
				unlock, err := lock(ctx, key)
				return func() error {
					if err := ctx.Err(); err != nil {
						return err
					}
					return unlock()
				}, err
			}
		})},
		{name: "a lock is a record", caughtBy: "Locking/AbsentKey", fault: func(w *world, m calls, c *calls) {
			lockFault(func(_ *world, lock lockFunc) lockFunc {
				return func(ctx context.Context, key string) (func() error, error) {
					unlock, err := lock(ctx, key)
					if err == nil {
						_, _ = m.create(ctx, driver.Record{Key: key})
					}
					return unlock, err
				}
			})(w, m, c)
		}},
		{name: "a lock leaves its name behind", caughtBy: "Locking/AbsentKey", fault: lockFault(func(w *world, lock lockFunc) lockFunc {
			return func(ctx context.Context, key string) (func() error, error) {
				unlock, err := lock(ctx, key)
				w.mu.Lock()
				w.left["lock "+key] = nil
				w.mu.Unlock()
				return unlock, err
			}
		})},
		{name: "Delete waits for the lock", caughtBy: "Locking/KeepsNoCallAway", fault: func(w *world, m calls, c *calls) {
			c.delete = func(ctx context.Context, rec driver.Record, old driver.Version) error {
				unlock, err := m.lock(ctx, rec.Key)
				if err != nil {
					return err
				}
				defer unlock()
				return m.delete(ctx, rec, old)
			}
		}},
		{name: "Create waits for the lock, for ever", caughtBy: "Locking/KeepsNoCallAway", fault: func(w *world, m calls, c *calls) {
			c.create = func(ctx context.Context, rec driver.Record) (driver.Version, error) {
				select {
				case w.turn(rec.Key) <- struct{}{}:
					defer func() { <-w.turn(rec.Key) }()
					return m.create(ctx, rec)
				case <-w.gone:
					return "", driver.NotApplied(errLockWait)
				}
			}
		}},
		{name: "names of locks are cut", caughtBy: "Locking/KeysAreApart", fault: lockFault(func(_ *world, lock lockFunc) lockFunc {
			return func(ctx context.Context, key string) (func() error, error) { return lock(ctx, key[:min(len(key), 64)]) }
		})},
		{name: "names of locks are compared without regard to case", caughtBy: "Locking/KeysAreApart", fault: lockFault(func(_ *world, lock lockFunc) lockFunc {
			return func(ctx context.Context, key string) (func() error, error) { return lock(ctx, strings.ToLower(key)) }
		})},
		{name: "a handle holds one lock", caughtBy: "Locking/KeysAreApart", fault: lockFault(func(_ *world, lock lockFunc) lockFunc {
			one := make(chan struct{}, 1)
			return func(ctx context.Context, key string) (func() error, error) {
				select {
				case one <- struct{}{}:
				case <-time.After(100 * time.Millisecond):
					return nil, errLockWait
				}
				unlock, err := lock(ctx, key)
				if err != nil {
					<-one
				}
				return func() error { defer func() { <-one }(); return unlock() }, err
			}
		})},
		{name: "a closed store locks", caughtBy: "Locking/ClosedStore", fault: lockFault(func(w *world, _ lockFunc) lockFunc {
			return w.locker(func(context.Context) (driver.Info, error) { return driver.Info{}, nil })
		})},
		{name: "a lock leaves a goroutine", caughtBy: "Locking/LeavesNoGoroutine", fault: lockFault(func(w *world, lock lockFunc) lockFunc {
			return func(ctx context.Context, key string) (func() error, error) {
				go func() { <-w.gone }()
				return lock(ctx, key)
			}
		})},
		{name: "locks are of handles, not of keys", caughtBy: "Locking/RequestsQueue", fault: lockFault(func(_ *world, _ lockFunc) lockFunc {
			var mu sync.Mutex
			return func(context.Context, string) (func() error, error) {
				mu.Lock()
				return func() error { mu.Unlock(); return nil }, nil
			}
		})},
	}...)
}
