package redis

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// watch asks the masters who they are after a connection was made or lost, where
// that cannot be asked on the connection itself: in a cluster, where the master of
// a slot may be a server that was there all the time, and on clients of an
// application. Nothing runs while nothing happens.
type watch struct {
	server  *adapter
	primary *primary
	cluster bool

	mu      sync.Mutex
	running bool
	again   bool
	stopped bool
	ended   sync.WaitGroup
	ctx     context.Context // of stop
	stop    context.CancelFunc
}

const (
	watchPause = 250 * time.Millisecond
	watchFor   = time.Minute // how long servers that do not answer are asked again
)

func newWatch(a *adapter, changed func()) *watch {
	w := &watch{server: a, primary: &primary{changed: changed}, cluster: a.cluster != nil}
	w.ctx, w.stop = context.WithCancel(context.Background())
	return w
}

// close ends the watch.
func (w *watch) close() {
	w.mu.Lock()
	w.stopped = true
	w.mu.Unlock()
	w.stop()
	w.ended.Wait()
}

// nudge has the masters asked soon.
func (w *watch) nudge() {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.stopped:
	case w.running:
		w.again = true
	default:
		w.running = true
		w.ended.Go(w.run)
	}
}

// run asks until all masters answer.
func (w *watch) run() {
	for began := time.Now(); ; {
		all := w.look()
		w.mu.Lock()
		more := (w.again || !all && time.Since(began) < watchFor) && !w.stopped
		fresh := w.again
		w.again = false
		if !more {
			w.running = false
		}
		w.mu.Unlock()
		if !more {
			return
		}
		if fresh && all {
			began = time.Now()
			continue
		}
		_ = pause(w.ctx, watchPause)
	}
}

// look asks all masters, and reports whether all of them answered.
func (w *watch) look() bool {
	ctx, cancel := context.WithTimeout(w.ctx, 5*time.Second)
	defer cancel()
	nodes, err := w.server.masters(ctx)
	if err != nil || len(nodes) == 0 {
		return false
	}
	all := true
	for _, n := range nodes {
		id, err := identify(asking(ctx, n))
		if err != nil || id.role != "master" {
			all = all && err == nil && id.role == "" // nobody is allowed to know
			continue
		}
		addr := ""
		if w.cluster {
			addr = n.address()
		}
		w.primary.see(addr, id.run)
	}
	if all && w.cluster {
		w.primary.isComplete()
	}
	return all
}

// hook tells a watch that a client has dialed.
type hook struct{ watch *watch }

var _ goredis.Hook = hook{}

// DialHook is called by go-redis.
func (h hook) DialHook(next goredis.DialHook) goredis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := next(ctx, network, addr)
		if !errors.Is(err, context.Canceled) {
			h.watch.nudge()
		}
		return conn, err
	}
}

// ProcessHook is called by go-redis.
func (hook) ProcessHook(next goredis.ProcessHook) goredis.ProcessHook { return next }

// ProcessPipelineHook is called by go-redis.
func (hook) ProcessPipelineHook(next goredis.ProcessPipelineHook) goredis.ProcessPipelineHook {
	return next
}

// hookInto has the watch told whenever the client dials.
func (w *watch) hookInto(ctx context.Context) error {
	h := hook{w}
	if !w.cluster {
		w.server.client.AddHook(h)
		return nil
	}
	w.server.cluster.OnNewNode(func(c *goredis.Client) { c.AddHook(h) })
	return w.server.cluster.ForEachShard(ctx, func(_ context.Context, c *goredis.Client) error {
		c.AddHook(h)
		return nil
	})
}
