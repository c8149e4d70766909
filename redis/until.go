package redis

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// tick is how much later than its deadline a call on the shared connection may
// learn that its time is up.
const tick = 20 * time.Millisecond

// alarms tell calls that their time is up. Calls whose deadlines lie in the same
// tick share a timer: with one for each, timers took as long as commands. They
// share few channels, too: with a single one, who waits took turns at its lock.
type alarms struct {
	last  atomic.Pointer[ring] // that was asked for
	mu    sync.Mutex
	rings map[int64]*ring // by the number of their tick
}

// ring is what the calls of a tick wait for.
type ring struct {
	tick  int64
	calls atomic.Uint32
	rings [8]chan struct{}
}

// at answers a channel that is closed once a time has come, within a tick.
func (a *alarms) at(deadline time.Time) <-chan struct{} {
	r := a.ring(deadline.UnixNano()/int64(tick) + 1)
	return r.rings[r.calls.Add(1)%uint32(len(r.rings))]
}

func (a *alarms) ring(n int64) *ring {
	if last := a.last.Load(); last != nil && last.tick == n {
		return last
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	r := a.rings[n]
	if r == nil {
		if a.rings == nil {
			a.rings = make(map[int64]*ring)
		}
		r = &ring{tick: n}
		for i := range r.rings {
			r.rings[i] = make(chan struct{})
		}
		a.rings[n] = r
		time.AfterFunc(time.Until(time.Unix(0, n*int64(tick))), func() {
			a.mu.Lock()
			delete(a.rings, n)
			a.mu.Unlock()
			for _, c := range r.rings {
				close(c)
			}
		})
	}
	a.last.Store(r)
	return r
}

// until is a context that ends with its deadline alone.
type until struct {
	context.Context // has the values
	deadline        time.Time
	ring            <-chan struct{}
}

// before answers a context that ends with the deadline of ctx, and not when ctx
// is cancelled before.
func (a *alarms) before(ctx context.Context, deadline time.Time) *until {
	return &until{ctx, deadline, a.at(deadline)}
}

func (u *until) Deadline() (time.Time, bool) { return u.deadline, true }
func (u *until) Done() <-chan struct{}       { return u.ring }

func (u *until) Err() error {
	select {
	case <-u.ring:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

// detached answers the context with its values and without its end. It takes no
// memory of its own.
func (u *until) detached() context.Context { return (*detached)(u) }

type detached until

func (*detached) Deadline() (deadline time.Time, ok bool) { return time.Time{}, false }
func (*detached) Done() <-chan struct{}                   { return nil }
func (*detached) Err() error                              { return nil }
