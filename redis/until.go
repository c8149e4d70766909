package redis

import (
	"context"
	"sync"
	"time"
)

// tick is how much later than its deadline a call on the shared connection may
// learn that its time is up.
const tick = 20 * time.Millisecond

// alarms tell calls that their time is up. Calls whose deadlines lie in the same
// tick share one timer: with a timer for each, timers took as long as commands.
type alarms struct {
	mu    sync.Mutex
	rings map[int64]chan struct{} // by the number of their tick
}

// at answers a channel that is closed once a time has come, within a tick.
func (a *alarms) at(deadline time.Time) <-chan struct{} {
	n := deadline.UnixNano()/int64(tick) + 1
	a.mu.Lock()
	defer a.mu.Unlock()
	ring := a.rings[n]
	if ring == nil {
		if a.rings == nil {
			a.rings = make(map[int64]chan struct{})
		}
		ring = make(chan struct{})
		a.rings[n] = ring
		time.AfterFunc(time.Until(time.Unix(0, n*int64(tick))), func() {
			a.mu.Lock()
			delete(a.rings, n)
			a.mu.Unlock()
			close(ring)
		})
	}
	return ring
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
