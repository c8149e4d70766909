package session

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/websession/websession/session/driver"
)

// Find yields the sessions whose indexed attribute has a value: a user's. They
// are read-only copies without ID, each once, in no order; those that have
// expired or cannot be read are left out. One that is created or changed
// meanwhile may or may not be among them.
//
// An error ends the sequence. It matches errors.ErrUnsupported for a store that
// can neither search nor list.
func (m *Manager) Find(ctx context.Context, field, value string) iter.Seq2[*Session, error] {
	return func(yield func(*Session, error) bool) {
		if !slices.Contains(m.opts.Indexed, field) {
			yield(nil, m.fail("find", fmt.Errorf("attribute %q is not among Options.Indexed", field)))
			return
		}
		if value == "" {
			return
		}
		seen := make(map[string]bool)
		for s, err := range m.copies(ctx, "find", m.search(ctx, field, m.digest(field, value))) {
			if err == nil && (seen[s.key] || s.text(field) != value) {
				continue
			}
			if !yield(s, err) || err != nil {
				return
			}
			seen[s.key] = true
		}
	}
}

// All yields all sessions as Find does, except that one may come twice.
func (m *Manager) All(ctx context.Context) iter.Seq2[*Session, error] {
	return m.copies(ctx, "list", m.scan(ctx))
}

// copies makes sessions of records.
func (m *Manager) copies(ctx context.Context, op string, records iter.Seq2[driver.Record, error]) iter.Seq2[*Session, error] {
	return func(yield func(*Session, error) bool) {
		for rec, err := range records {
			if err != nil {
				yield(nil, m.fail(op, err))
				return
			}
			st, err := m.decodeState(rec, "")
			if err != nil {
				m.observe(ctx, Event{Kind: EventCorrupt, Session: m.handle(rec.Key), Err: err})
				continue
			}
			if st.expiredAt(m.now()) || m.refuses(rec.Key) {
				continue
			}
			if !yield(&Session{m: m, key: rec.Key, base: st, readOnly: true}, nil) {
				return
			}
		}
	}
}

// text answers an attribute as the index knows it.
func (s *Session) text(name string) string {
	a, err := s.attribute(name)
	if err != nil {
		return ""
	}
	if a.raw == nil {
		if a.raw, err = encodeValue(name, a.foreign); err != nil || a.raw == nil {
			return ""
		}
	}
	return indexText(a.raw)
}

// DestroyFound ends the sessions that Find finds and that match accepts (all,
// if match is nil), and answers how many. It goes on after an error and answers
// all of them, joined; those sessions may still be there.
//
//	m.DestroyFound(ctx, "user", name, nil)                         // log out everywhere
//	m.DestroyFound(ctx, "user", name, session.OtherThan(s))        // ... but here
//	m.DestroyFound(ctx, "user", name, session.HasHandle(h))        // one of them
//
// A session that is created for the value while DestroyFound runs may survive.
func (m *Manager) DestroyFound(ctx context.Context, field, value string, match func(*Session) bool) (int, error) {
	n := 0
	var errs []error
	for s, err := range m.Find(ctx, field, value) {
		if err != nil {
			errs = append(errs, err)
			break
		}
		if match != nil && !match(s) {
			continue
		}
		if err := m.destroy(ctx, s.key, s.base.index); err != nil {
			errs = append(errs, err)
			continue
		}
		n++
	}
	return n, errors.Join(errs...)
}

// OtherThan accepts every session but s.
func OtherThan(s *Session) func(*Session) bool {
	h := s.Handle()
	return func(o *Session) bool { return o.Handle() != h }
}

// HasHandle accepts the session with a handle.
func HasHandle(h Handle) func(*Session) bool {
	return func(s *Session) bool { return s.Handle() == h }
}
