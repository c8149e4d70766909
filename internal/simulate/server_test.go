package simulate

import (
	"context"
	"time"

	"github.com/websession/websession/session"
)

// server is a Manager, its connection, and its clock.
type server struct {
	n       int
	m       *session.Manager
	world   *world
	offset  time.Duration // of the clock now
	lowest  time.Duration // it ever was
	highest time.Duration
}

// newServer answers a server of w. Its clock goes wrong by offset.
func newServer(w *world, n int, offset time.Duration) (*server, error) {
	v := &server{n: n, world: w, offset: offset, lowest: offset, highest: offset}
	m, err := session.New(w.store(w.place, &w.mu), w.options(v))
	v.m = m
	return v, err
}

// now is the server's clock. It stands still within a tick, in which pauses of
// the core end at random.
func (v *server) now() time.Time {
	v.world.mu.Lock()
	defer v.world.mu.Unlock()
	return v.world.now().Add(v.offset)
}

// jump sets the clock to another offset.
func (v *server) jump(offset time.Duration) {
	v.offset = offset
	v.lowest, v.highest = min(v.lowest, offset), max(v.highest, offset)
}

func (v *server) observe(ctx context.Context, e session.Event) {
	c, _ := ctx.Value(clientKey{}).(*client)
	if c == nil {
		return
	}
	v.world.mu.Lock()
	defer v.world.mu.Unlock()
	switch e.Kind {
	case session.EventLeftover:
		c.op.leftovers++
	case session.EventConflict:
		c.op.merged++
	case session.EventTouchFailed:
		c.op.touchFailed = e.Err
	}
}
