package session

import (
	"fmt"
	"slices"
	"time"
	"unicode/utf8"
)

// Names answers the names of all attributes, sorted.
func (s *Session) Names() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	if s.finished {
		return nil
	}
	if s.base != nil && !s.changes.clear {
		for _, n := range s.base.names() {
			if s.changes.get(n) == nil {
				names = append(names, n)
			}
		}
	}
	for _, ch := range s.changes.attrs {
		if ch.raw != nil {
			names = append(names, ch.name)
		}
	}
	slices.Sort(names)
	return names
}

// Has reports whether an attribute is set.
func (s *Session) Has(name string) bool {
	_, err := s.attribute(name)
	return err == nil
}

// Value answers an attribute without a type: string, []byte, bool, int64,
// uint64, float64, time.Time, or what encoding/json decodes into an any; in a
// foreign format, what that format decodes. Use a Key where the type is known.
func (s *Session) Value(name string) (any, error) { return Key[any]{name}.Get(s) }

func (s *Session) attribute(name string) (attribute, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.finished {
		return attribute{}, ErrFinished
	}
	if ch := s.changes.get(name); ch != nil {
		if ch.raw == nil {
			return attribute{}, ErrNoValue
		}
		return attribute{raw: ch.raw}, nil
	}
	if s.base == nil || s.changes.clear {
		return attribute{}, ErrNoValue
	}
	a, ok := s.base.lookup(name)
	if !ok {
		return attribute{}, ErrNoValue
	}
	if a.raw == nil { // the caller gets a copy, and the session keeps its own
		if err := s.copyForeign(name, &a); err != nil {
			return attribute{}, err
		}
	}
	return a, nil
}

// copyForeign decodes once more, because a foreign value may be a tree that the
// caller is free to change.
func (s *Session) copyForeign(name string, a *attribute) error {
	switch a.foreign.(type) {
	case nil, string, bool, int64, uint64, float64, time.Time:
		return nil
	}
	fresh, err := s.m.format.Attributes(s.key, s.base.data)
	a.foreign = fresh[name]
	return err
}

func (s *Session) set(name string, v any) error {
	if err := checkName(name); err != nil {
		return err
	}
	raw, err := encodeValue(name, v)
	if err != nil {
		return err
	}
	if raw == nil {
		return s.Delete(name)
	}
	if len(raw) > MaxSize {
		return fmt.Errorf("%w: attribute %q has %d bytes, the limit is %d", ErrTooLarge, name, len(raw), MaxSize)
	}
	if raw[0] != tagString && raw[0] != tagInt && slices.Contains(s.m.opts.Indexed, name) {
		return &TypeError{Attribute: name, Go: fmt.Sprintf("%T", v), Err: fmt.Errorf("it is indexed: use a string or an int64")}
	}
	return s.change(func() {
		s.put(name, raw)
	})
}

func checkName(name string) error {
	if name == "" || len(name) > MaxName || !utf8.ValidString(name) {
		return fmt.Errorf("session attribute %.64q: a name has 1 to %d bytes of valid UTF-8", name, MaxName)
	}
	return nil
}

// Delete deletes an attribute. Where there is none it does nothing: another
// request's that is not visible here stays.
func (s *Session) Delete(name string) error {
	return s.change(func() {
		stored := false
		if s.base != nil && !s.changes.clear {
			_, stored = s.base.lookup(name)
		}
		if stored || s.saving.get(name) != nil {
			s.put(name, nil)
		} else {
			s.changes.remove(name)
		}
	})
}

// Clear deletes all attributes, those included that other requests set before
// this one saves. The session, its id and its deadlines stay.
func (s *Session) Clear() error {
	return s.change(func() {
		s.seq++
		s.changes.clear, s.changes.clearSeq = s.base != nil || len(s.saving.attrs) > 0, s.seq
		s.changes.attrs, s.changes.shared = nil, false
	})
}

// Persistent reports whether the session is to outlive the browser.
func (s *Session) Persistent() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.changes.persistent != nil {
		return *s.changes.persistent
	}
	return s.base.meta().persistent
}

// SetPersistent says whether the session is to outlive the browser: "remember
// me". It is a change like that of an attribute. Native sessions only.
func (s *Session) SetPersistent(p bool) error {
	if s.m.format != nil {
		return errForeignMeta
	}
	return s.change(func() {
		s.changes.persistent = &p
		s.changes.metaSeq = s.seq + 1
		s.seq++
	})
}

// SetIdle gives this session an idle time-out of its own; 0 means the
// Manager's. When it is saved, the deadline is set to it, sooner or later than
// before. The absolute deadline stays. Native sessions only.
func (s *Session) SetIdle(d time.Duration) error {
	if s.m.format != nil {
		return errForeignMeta
	}
	if d != 0 && (d < time.Millisecond || d > maxLife) {
		return fmt.Errorf("session: idle time-out %v is not between 1ms and %v", d, maxLife)
	}
	return s.change(func() {
		ms := d.Milliseconds()
		s.changes.idle = &ms
		s.changes.metaSeq = s.seq + 1
		s.seq++
	})
}

var errForeignMeta = fmt.Errorf("session: the format of this store has no such setting: %w", ErrReadOnly)

// change lets fn change the change set.
func (s *Session) change(fn func()) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.finished:
		return ErrFinished
	case s.readOnly:
		return ErrReadOnly
	case s.sealed && s.base == nil:
		return ErrHeadersSent
	}
	fn()
	return nil
}

func (s *Session) put(name string, raw []byte) {
	s.seq++
	s.changes.set(change{name, raw, s.seq})
}

// Changed reports whether there is something to save.
func (s *Session) Changed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.finished && s.pending()
}

func (s *Session) pending() bool {
	if s.base == nil {
		return len(s.changes.attrs) > 0
	}
	return !s.changes.empty()
}
