package session

import (
	"fmt"
	"sync"
	"time"
)

// Session is one session as one request sees it: the state that was loaded, and
// what the request changed. Save stores the changes, merged with those that
// other requests saved meanwhile: each attribute has the value of the request
// that saved it last.
//
// A Session is safe for concurrent use by the goroutines of its request. After
// Finish its methods answer ErrFinished or zero values.
type Session struct {
	m *Manager

	io sync.Mutex // held by Save, Renew, Destroy and Reload

	mu       sync.Mutex
	id       ID // "" before it is needed, and in a copy
	key      string
	base     *state // nil: not stored
	unlock   func() // gives back the lock that the request has; nil: it has none
	changes  changeSet
	saving   changeSet // what a Save or Renew is storing at this moment
	seq      uint64
	exposed  bool // somebody asked for the id before it was stored
	sealed   bool
	readOnly bool
	nested   bool // belongs to the function of an Update
	finished bool
	gone     bool // a save met a destroyed session
}

// ID answers the secret that the client presents, "" for a session that was
// found by Find or All.
func (s *Session) ID() ID {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.needID()
	if s.base == nil {
		s.exposed = true
	}
	return s.id
}

// Handle names the session for people and logs.
func (s *Session) Handle() Handle {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.needID()
	return s.m.handle(s.key)
}

func (s *Session) needID() {
	if s.key == "" {
		s.id, s.key = s.m.newID()
	}
}

// Stored reports whether the session is in the store.
func (s *Session) Stored() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.base != nil
}

// Created answers when the session was stored first, the zero time if it was
// not, or if its format does not say.
func (s *Session) Created() time.Time { return s.instant(func(me meta) int64 { return me.created }) }

// Deadline answers when the session ends whatever its use, the zero time if it
// has no such limit or is not stored.
func (s *Session) Deadline() time.Time { return s.instant(func(me meta) int64 { return me.deadline }) }

func (s *Session) instant(of func(meta) int64) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ms := of(s.base.meta()); ms != 0 {
		return time.UnixMilli(ms).UTC()
	}
	return time.Time{}
}

// Expires answers when the session ends if it is not used any more, the zero
// time if never or not stored.
func (s *Session) Expires() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.base == nil {
		return time.Time{}
	}
	return s.base.expires
}

// LastUse answers when the session was used last, as far as its store knows: a
// use within Options.TouchEvery of the one before is not recorded. It is the
// zero time where that cannot be told.
func (s *Session) LastUse() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.base == nil || s.base.expires.IsZero() {
		return time.Time{}
	}
	me := s.base.meta()
	idle := s.m.idle(me)
	if idle == 0 || me.deadline != 0 && s.base.expires.UnixMilli() == me.deadline {
		return time.Time{}
	}
	return s.base.expires.Add(-idle)
}

// Ticket is what a client has to know of a session, at one moment.
type Ticket struct {
	ID         ID // "" for a session that is not stored
	Persistent bool
	Deadline   time.Time // as Session.Deadline
	Expires    time.Time // as Session.Expires
}

// Ticket answers what a client has to know of s. It is meant for packages that
// carry sessions over a protocol, as sessionhttp does.
func (s *Session) Ticket() Ticket {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ticket()
}

func (s *Session) ticket() Ticket {
	if s.base == nil {
		return Ticket{}
	}
	me := s.base.meta()
	t := Ticket{ID: s.id, Persistent: me.persistent, Expires: s.base.expires}
	if me.deadline != 0 {
		t.Deadline = time.UnixMilli(me.deadline).UTC()
	}
	if s.changes.persistent != nil {
		t.Persistent = *s.changes.persistent
	}
	return t
}

// Seal tells the session that its id can no longer reach the client, because
// the header of the answer has left. From then on Renew, and a change of a
// session that is not stored, answer ErrHeadersSent and do nothing. Seal waits
// for a Save or Renew that is under way, so that ID does not change after it,
// and answers what the client has to know. It gives back the lock, where the
// store locks: a Save that comes later takes it for its write alone.
func (s *Session) Seal() Ticket {
	s.io.Lock()
	defer s.leave()
	defer s.release()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sealed = true
	return s.ticket()
}

// Finish ends the use of s. It saves nothing. Where the store locks, it gives the
// lock back, unless Seal, Renew or Destroy have, or leaves that to a call of s
// which is under way.
func (s *Session) Finish() {
	s.mu.Lock()
	s.finished = true
	idle := s.unlock != nil && s.io.TryLock()
	s.mu.Unlock()
	if idle {
		s.leave()
	}
}

// String tells a session from others without its id.
func (s *Session) String() string { return "session " + s.Handle().short() }

var _ fmt.Stringer = (*Session)(nil)

// Format prints a session without its id and attributes, whatever the verb.
func (s *Session) Format(f fmt.State, _ rune) { fmt.Fprint(f, s.String()) }
