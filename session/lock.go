package session

import (
	"context"
	"sync"
)

// Where the store locks, whoever loads a session waits for its lock, and has it
// until its request gives it back: see Session.unlock. A write without a request
// that has the lock joins one that this Manager has, or takes the lock for
// itself. Locks come before turns in the queue, so that nobody who has a turn
// waits for the lock of the same session. Destroy and touches take none. Nothing
// rests on a lock: the version decides, whoever believes to have it.

// hold is a lock that this Manager has: for whoever took it, and for the writes
// that joined it.
type hold struct {
	key    string
	users  int
	unlock func() error
}

// holds are the locks that writes may join.
type holds struct {
	mu sync.Mutex
	of map[string]*hold // by key
}

// noLock gives back what a store that does not lock has lent.
func noLock() {}

// lock takes the lock of a session for a request, and answers what gives it
// back: nil where the store does not lock.
func (m *Manager) lock(ctx context.Context, key string) (unlock func(), err error) {
	if m.caps.locker == nil {
		return nil, nil
	}
	if m.queue.nested(key) { // it would wait for itself
		return nil, ErrNested
	}
	return m.take(ctx, key)
}

// lockWrite takes the lock of a session for one write or Update. It joins the
// lock that this Manager has, if whoever took it still needs it: a request may
// update the session that it has, and writers of one Manager take turns anyway.
func (m *Manager) lockWrite(ctx context.Context, key string) (unlock func(), err error) {
	if m.caps.locker == nil {
		return noLock, nil
	}
	m.holds.mu.Lock()
	h := m.holds.of[key]
	if h != nil {
		h.users++
	}
	m.holds.mu.Unlock()
	if h != nil {
		return func() { m.leave(h) }, nil
	}
	return m.take(ctx, key)
}

// take waits for the lock, as long as the context and the store allow.
func (m *Manager) take(ctx context.Context, key string) (unlock func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	free, err := m.caps.locker.Lock(ctx, key)
	if err != nil {
		return nil, err
	}
	h := &hold{key, 1, free}
	m.holds.mu.Lock()
	if m.holds.of == nil {
		m.holds.of = make(map[string]*hold)
	}
	m.holds.of[key] = h
	m.holds.mu.Unlock()
	return func() {
		m.holds.mu.Lock()
		if m.holds.of[key] == h { // else it was lost, and taken again
			delete(m.holds.of, key)
		}
		m.holds.mu.Unlock()
		m.leave(h)
	}, nil
}

// leave gives a lock back when nobody uses it any more.
func (m *Manager) leave(h *hold) {
	m.holds.mu.Lock()
	h.users--
	last := h.users == 0
	m.holds.mu.Unlock()
	if !last {
		return
	}
	if err := h.unlock(); err != nil {
		m.observe(context.Background(), Event{Kind: EventLockLost, Session: m.handle(h.key), Err: err})
	}
}

// release gives the lock back that the request of s has.
func (s *Session) release() {
	s.mu.Lock()
	unlock := s.unlock
	s.unlock = nil
	s.mu.Unlock()
	if unlock != nil {
		unlock()
	}
}

// lockWrite is Manager.lockWrite, unless the request of s has the lock.
func (s *Session) lockWrite(ctx context.Context) (unlock func(), err error) {
	s.mu.Lock()
	key, has := s.key, s.unlock != nil
	s.mu.Unlock()
	if has {
		return noLock, nil
	}
	return s.m.lockWrite(ctx, key)
}

// leave ends a call that has io. After Finish it gives back the lock, which a
// call that was under way needed.
func (s *Session) leave() {
	if s.m.caps.locker == nil {
		s.io.Unlock()
		return
	}
	s.mu.Lock()
	finished := s.finished
	s.io.Unlock() // within mu: Finish finds io free, or finished is found here
	s.mu.Unlock()
	if finished {
		s.release()
	}
}
