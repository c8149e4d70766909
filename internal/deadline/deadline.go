// Package deadline has contexts that end with their deadline alone, and cost next
// to nothing: those whose deadlines lie close together share a timer.
package deadline

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// Tick is how much later than its deadline a context may end.
const Tick = 20 * time.Millisecond

// Alarms tell contexts that their time is up. Those whose deadlines lie in the
// same tick share a timer: with one for each, timers took as long as commands of
// Redis. They share few channels, too: with a single one, who waits took turns at
// its lock. The zero value is ready for use, and safe for concurrent use.
type Alarms struct {
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
func (a *Alarms) at(deadline time.Time) <-chan struct{} {
	r := a.ring(deadline.UnixNano()/int64(Tick) + 1)
	return r.rings[r.calls.Add(1)%uint32(len(r.rings))]
}

func (a *Alarms) ring(n int64) *ring {
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
		time.AfterFunc(time.Until(time.Unix(0, n*int64(Tick))), func() {
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

// Context is a context that ends with its deadline alone.
type Context struct {
	context.Context // has the values
	deadline        time.Time
	ring            <-chan struct{}
}

// Before answers a context with the values of ctx that ends with a deadline, and
// not when ctx is cancelled before.
func (a *Alarms) Before(ctx context.Context, deadline time.Time) *Context {
	return &Context{ctx, deadline, a.at(deadline)}
}

// End answers the deadline.
func (c *Context) End() time.Time { return c.deadline }

// Deadline implements context.Context.
func (c *Context) Deadline() (time.Time, bool) { return c.deadline, true }

// Done implements context.Context.
func (c *Context) Done() <-chan struct{} { return c.ring }

// Err implements context.Context.
func (c *Context) Err() error {
	select {
	case <-c.ring:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

// Detached answers the context with its values and without its end. It takes no
// memory of its own.
func (c *Context) Detached() context.Context { return (*detached)(c) }

type detached Context

func (*detached) Deadline() (deadline time.Time, ok bool) { return time.Time{}, false }
func (*detached) Done() <-chan struct{}                   { return nil }
func (*detached) Err() error                              { return nil }
