package session

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/websession/websession/session/driver"
)

// maxRefused bounds what a Manager remembers: some 10 MiB. Beyond it the oldest
// is forgotten first.
const maxRefused = 100_000

// refused remembers the sessions that a Manager ended, for Options.RefuseEnded. A
// server that takes over from one that died may not have heard of the last
// deletes: what it then still has must not let anybody in.
type refused struct {
	n     atomic.Int64 // of graves; most loads look no further
	mu    sync.Mutex
	until map[string]time.Time
	line  []grave // oldest first
}

type grave struct {
	key   string
	was   map[string]string
	until time.Time
}

// add remembers a session until a time. It forgets those whose time has come.
func (r *refused) add(g grave, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.until == nil {
		r.until = make(map[string]time.Time)
	}
	r.until[g.key] = g.until
	r.line = append(r.line, g)
	r.expire(now)
	r.n.Store(int64(len(r.until)))
}

func (r *refused) expire(now time.Time) {
	gone := 0
	for gone < len(r.line) && (!now.Before(r.line[gone].until) || len(r.line)-gone > maxRefused) {
		g := r.line[gone]
		if r.until[g.key].Equal(g.until) { // it was not ended again later
			delete(r.until, g.key)
		}
		r.line[gone] = grave{}
		gone++
	}
	r.line = r.line[gone:]
}

// has reports whether a session is refused.
func (r *refused) has(key string, now func() time.Time) bool {
	if r.n.Load() == 0 {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	until, found := r.until[key]
	return found && now().Before(until)
}

// all answers the sessions that are refused now.
func (r *refused) all(now time.Time) []grave {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.expire(now)
	r.n.Store(int64(len(r.until)))
	return append([]grave(nil), r.line...)
}

// ended is called when a session has been deleted.
func (m *Manager) ended(key string, was map[string]string) {
	if m.opts.RefuseEnded <= 0 {
		return
	}
	now := time.Now() // and not Options.Now, which may jump
	m.refused.add(grave{key, was, now.Add(m.opts.RefuseEnded)}, now)
}

// refuses reports whether this Manager ended a session a short time ago.
func (m *Manager) refuses(key string) bool { return m.refused.has(key, time.Now) }

// PrimaryChanged tells the Manager that its store has come to talk to another
// server, which may have missed the last writes: the sessions that this Manager
// ended within Options.RefuseEnded are deleted once more, in the background, until
// that has worked, their time is over, or the Manager is closed. Stores that
// are opened by class name call it by themselves; an application that opens a
// store itself passes it on.
func (m *Manager) PrimaryChanged() {
	select {
	case m.changed <- struct{}{}:
	default: // one call more is due already, and will see what this one would
	}
}

// undertaker does what PrimaryChanged asks for, until ctx ends.
func (m *Manager) undertaker(ctx context.Context) {
	defer m.background.Done()
	for {
		select {
		case <-ctx.Done():
			return
		case <-m.changed:
		}
		m.endAgain(ctx)
	}
}

func (m *Manager) endAgain(ctx context.Context) {
	n := 0
	for try := 1; ; try++ {
		failed := false
		for _, g := range m.refused.all(time.Now()) {
			// Without a version absence is no error, so twice does no harm.
			_, err := m.mutate(ctx, func(ctx context.Context) error {
				return m.store.Delete(ctx, driver.Record{Key: g.key, Was: g.was}, "")
			})
			switch {
			case ctx.Err() != nil:
				return
			case err != nil && !isNotFound(err):
				failed = true
			default:
				n++
			}
			if failed {
				break // the server is not there yet: begin anew
			}
		}
		if !failed {
			m.observe(ctx, Event{Kind: EventPrimaryChanged, Count: n})
			return
		}
		if m.pause(ctx, try) != nil {
			return
		}
		n = 0
	}
}
