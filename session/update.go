package session

import (
	"context"
)

// Update changes the session of an id by a function that reads it first: a
// counter, a list that grows. It loads, calls fn, and saves; when another
// request saved meanwhile, it does so again, until what fn made of the newest
// state was applied. Nothing is lost, and nothing is applied twice.
//
// fn may run several times, each time with another Session, which is its own
// until it returns. It must not keep it, nor call Update, Save or Renew for the
// same session: on its goroutine they answer ErrNested, on another they wait
// until their context ends. An error of fn ends Update unsaved and is returned
// as it is.
//
// Where the store locks, Update does this under the lock of the session, or under
// the one that a request of this Manager has.
//
// Update ends when ctx does; it has no other bound but that of the store for a
// lock. If ctx ends while Update
// waits, nothing was applied; if it ends during a call of the store, the error
// matches ErrUnknownOutcome and that of ctx. ErrUnknownOutcome is also the
// answer when a cut connection hides what became of a write, and eight other
// Managers wrote the same session before this one could look. ErrNotFound: there
// is no such session, or not any more.
func (m *Manager) Update(ctx context.Context, id ID, fn func(*Session) error) error {
	key, _, ok := m.keyOf(id)
	if !ok {
		return m.fail("update", ErrNotFound)
	}
	unlock, err := m.lockWrite(ctx, key)
	if err != nil {
		return m.fail("update", err)
	}
	defer unlock()
	if _, err := m.queue.enter(ctx, key); err != nil {
		return m.fail("update", err)
	}
	var next *state
	defer func() { m.queue.leave(key, next) }()
	base, err := m.load(ctx, key) // not what the writer before stored: fn may but look
	if err != nil {
		return m.fail("update", err)
	}
	var fnErr error
	next, err = m.rewrite(ctx, id, key, base, func(st *state) (*changeSet, error) {
		s := &Session{m: m, id: id, key: key, base: st, nested: true}
		fnErr = m.queue.run(key, func() error { return fn(s) })
		s.Finish()
		return &s.changes, fnErr
	}, false)
	if fnErr != nil {
		return fnErr
	}
	return m.fail("update", err)
}
