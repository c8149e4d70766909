// Package lazy has a context whose timer is made when somebody waits for it.
package lazy

import (
	"context"
	"sync"
	"time"
)

// Context ends with Parent, unless it is Detached, and Timeout after somebody
// first waited for it, or asked for its error a second time: every call of a
// store asks once before it begins. Most such calls end without a wait: for
// these it saves what context.WithTimeout allocates, the timer and the clock. It
// is a value to embed where something is allocated anyway, not to be copied.
type Context struct {
	Parent   context.Context
	Timeout  time.Duration
	Detached bool // has the values of Parent, and neither its end nor its deadline

	asked    bool // Err was called
	ended    bool
	mu       sync.Mutex
	deadline time.Time       // zero: the time does not run yet
	timed    context.Context // made by Done
	cancel   context.CancelFunc
}

// begin sets the deadline, and reports whether this very call did.
func (c *Context) begin() (first bool) {
	if c.deadline.IsZero() {
		c.deadline = time.Now().Add(c.Timeout)
		return true
	}
	return false
}

// Deadline answers the earlier of the parent's and its own.
func (c *Context) Deadline() (time.Time, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.begin()
	if !c.Detached {
		if d, ok := c.Parent.Deadline(); ok && d.Before(c.deadline) {
			return d, true
		}
	}
	return c.deadline, true
}

// Done implements context.Context.
func (c *Context) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.timed == nil {
		c.begin()
		parent := c.Parent
		if c.Detached {
			parent = context.WithoutCancel(parent)
		}
		c.timed, c.cancel = context.WithDeadline(parent, c.deadline)
		if c.ended {
			c.cancel()
		}
	}
	return c.timed.Done()
}

// Err implements context.Context.
func (c *Context) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.timed != nil {
		return c.timed.Err()
	}
	if !c.Detached {
		if err := c.Parent.Err(); err != nil {
			return err
		}
	}
	switch {
	case c.ended:
		return context.Canceled
	case !c.asked:
		c.asked = true
	case !c.begin() && !time.Now().Before(c.deadline):
		return context.DeadlineExceeded
	}
	return nil
}

// Value asks the context with the timer if there is one, so that contexts
// derived from c find it as they find those of package context.
func (c *Context) Value(key any) any {
	c.mu.Lock()
	timed := c.timed
	c.mu.Unlock()
	if timed != nil {
		return timed.Value(key)
	}
	return c.Parent.Value(key)
}

// End releases what c holds. It is the CancelFunc of the call.
func (c *Context) End() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
	if c.cancel != nil {
		c.cancel()
	}
}
