package session

import (
	"context"
)

// Save stores what was changed, or moves the deadline if it is due, or does
// nothing. A session that is not stored and has no attributes stays unstored.
//
// ErrNotFound: the session was destroyed or has expired meanwhile, and stays
// so. The changes of a Save that failed stay in s.
func (s *Session) Save(ctx context.Context) error {
	s.io.Lock()
	defer s.leave()
	return s.save(ctx)
}

func (s *Session) save(ctx context.Context) error {
	s.mu.Lock()
	err := s.refusal()
	base, pending, gone, sealed := s.base, s.pending(), s.gone, s.sealed
	s.mu.Unlock()
	switch {
	case err != nil:
		return err
	case gone && pending:
		return s.m.fail("save", ErrNotFound)
	case pending && base == nil && sealed:
		return ErrHeadersSent
	case pending:
		return s.write(ctx, base)
	case base != nil && !gone:
		s.touch(ctx, base)
	}
	return nil
}

// write stores the changes, on top of base or as a new session.
func (s *Session) write(ctx context.Context, base *state) error {
	s.mu.Lock()
	s.saving = s.changes.clone()
	s.mu.Unlock()
	var next *state
	var err error
	if base == nil {
		next, err = s.create(ctx, &s.saving)
	} else {
		next, err = s.replace(ctx, base, &s.saving)
	}
	return s.settle("save", next, err)
}

// replace stores changes on top of base, under the lock of the session.
func (s *Session) replace(ctx context.Context, base *state, c *changeSet) (*state, error) {
	unlock, err := s.lockWrite(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	return s.m.replace(ctx, s.id, s.key, base, c)
}

// settle ends what Save and Renew began when they set s.saving, which nobody
// changes meanwhile.
func (s *Session) settle(op string, next *state, err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	done := s.saving
	s.saving = changeSet{}
	if err != nil {
		s.gone = s.gone || isNotFound(err)
		return s.m.fail(op, err)
	}
	s.base = next
	s.changes.forget(&done)
	return nil
}

// usable reports why s cannot be saved, renewed, destroyed or reloaded.
func (s *Session) usable() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refusal()
}

// refusal is usable for a caller that has mu.
func (s *Session) refusal() error {
	switch {
	case s.finished:
		return ErrFinished
	case s.readOnly:
		return ErrReadOnly
	case s.nested:
		return ErrNested
	}
	return nil
}

func (s *Session) noteGone(err error) {
	if isNotFound(err) {
		s.mu.Lock()
		s.gone = true
		s.mu.Unlock()
	}
}

// touch moves the deadline if it is due. What goes wrong is observed, and is no
// error: the request was served.
func (s *Session) touch(ctx context.Context, base *state) {
	next, err := s.m.touch(ctx, s.key, base)
	if err != nil {
		s.noteGone(err)
		s.m.observe(ctx, Event{Kind: EventTouchFailed, Session: s.m.handle(s.key), Err: err})
		return
	}
	if next == base { // as for most requests
		return
	}
	s.mu.Lock()
	s.base = next
	s.mu.Unlock()
}

// Renew gives the session a new id and stores it under that, with all changes;
// the old id is dead from then on. Call it at every change of privilege: at
// login above all. The creation time and the absolute deadline stay.
//
// A session that is not stored gets a new id and stays unstored.
//
// ErrNotFound: the session was destroyed, has expired, or was renewed by
// another request, and this one has nothing left. ErrHeadersSent: nothing was
// changed. ErrUnknownOutcome: the id that s has may be dead; a new one has not
// reached anybody.
func (s *Session) Renew(ctx context.Context) error {
	s.io.Lock()
	defer s.leave()
	if err := s.usable(); err != nil {
		return err
	}
	s.mu.Lock()
	if s.sealed {
		s.mu.Unlock()
		return ErrHeadersSent
	}
	if s.base == nil {
		s.id, s.key, s.exposed = "", "", false
		s.mu.Unlock()
		return nil
	}
	if s.gone {
		s.mu.Unlock()
		return s.m.fail("renew", ErrNotFound)
	}
	base := s.base
	s.saving = s.changes.clone()
	s.mu.Unlock()
	id, key, next, err := s.replaceID(ctx, base, &s.saving)
	if err == nil {
		s.mu.Lock()
		s.id, s.key, s.exposed = id, key, false
		s.mu.Unlock()
		s.release() // it was that of the old id
	}
	return s.settle("renew", next, err)
}

// replaceID stores s under a new id, under the lock of the old one. Nobody waits
// for that of the new id, which nobody knows yet.
func (s *Session) replaceID(ctx context.Context, base *state, c *changeSet) (ID, string, *state, error) {
	unlock, err := s.lockWrite(ctx)
	if err != nil {
		return "", "", nil, err
	}
	defer unlock()
	return s.m.renew(ctx, s.id, s.key, base, c)
}

// Destroy ends the session, as Manager.Destroy does. Afterwards s is a new
// session without attributes and with another id, which Save stores if
// something is set.
func (s *Session) Destroy(ctx context.Context) error {
	s.io.Lock()
	defer s.leave()
	if err := s.usable(); err != nil {
		return err
	}
	s.mu.Lock()
	base, key := s.base, s.key
	s.mu.Unlock()
	if base != nil {
		if err := s.m.destroy(ctx, key, base.index); err != nil {
			return err
		}
	}
	s.mu.Lock()
	s.id, s.key, s.base, s.exposed, s.gone = "", "", nil, false, false
	s.changes = changeSet{}
	s.mu.Unlock()
	s.release()
	return nil
}

// Reload drops all changes and loads the session again. ErrNotFound: it is
// gone, or was never stored.
func (s *Session) Reload(ctx context.Context) error {
	s.io.Lock()
	defer s.leave()
	if err := s.usable(); err != nil {
		return err
	}
	s.mu.Lock()
	stored, key := s.base != nil, s.key
	s.mu.Unlock()
	if !stored {
		return s.m.fail("reload", ErrNotFound)
	}
	st, err := s.m.load(ctx, key)
	if err != nil {
		s.noteGone(err)
		return s.m.fail("reload", err)
	}
	s.mu.Lock()
	s.base, s.changes = st, changeSet{}
	s.mu.Unlock()
	return nil
}

// create stores s for the first time.
func (s *Session) create(ctx context.Context, c *changeSet) (*state, error) {
	s.mu.Lock()
	s.needID()
	id, key, exposed := s.id, s.key, s.exposed
	s.mu.Unlock()
	id, key, next, err := s.m.create(ctx, id, key, exposed, nil, c)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.id, s.key = id, key
	s.mu.Unlock()
	s.m.observe(ctx, Event{Kind: EventCreated, Session: s.m.handle(key)})
	return next, nil
}
