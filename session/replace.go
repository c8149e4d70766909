package session

import (
	"bytes"
	"context"
	"errors"

	"github.com/websession/websession/session/driver"
)

// replace saves a change set: once, on top of what others saved. It waits for
// its turn among the writers of this Manager, and begins with what the one before
// has stored: with what was loaded it would meet a conflict.
func (m *Manager) replace(ctx context.Context, id ID, key string, base *state, c *changeSet) (next *state, err error) {
	newest, err := m.queue.enter(ctx, key)
	if err != nil {
		return nil, err
	}
	defer func() { m.queue.leave(key, next) }()
	if newest != nil {
		base = newest
	}
	return m.rewrite(ctx, id, key, base, func(*state) (*changeSet, error) { return c, nil }, true)
}

// rewrite replaces the record of a session by what change makes of the newest
// state, until that was applied. With again, a change whose outcome cannot be
// told is applied once more, which is right for a change set and wrong for a
// function of the state.
func (m *Manager) rewrite(ctx context.Context, id ID, key string, base *state, change func(*state) (*changeSet, error), again bool) (*state, error) {
	tag := m.newTag()
	var doubt error // why an earlier attempt may have been applied
	fail := func(err error) (*state, error) {
		if doubt != nil && !errors.Is(err, ErrUnknownOutcome) {
			err = errors.Join(err, m.unknown(ctx, key, doubt))
		}
		return nil, err
	}
	for attempt := 1; ; attempt++ {
		if m.refuses(key) {
			return fail(ErrNotFound)
		}
		var err error
		if base.expiredAt(m.now()) { // unless others have used it meanwhile
			if base, err = m.load(ctx, key); err != nil {
				return fail(err)
			}
		}
		c, err := change(base)
		if err != nil {
			return fail(err)
		}
		if c.empty() {
			return base, nil
		}
		d, err := m.compose(id, key, base, c, tag)
		if err != nil {
			return fail(err)
		}
		next, err := m.attempt(ctx, key, base, d, tag)
		if next != nil {
			if attempt > 1 {
				m.observe(ctx, Event{Kind: EventConflict, Session: m.handle(key), Attempts: attempt})
			}
			return next, nil
		}
		var moved *movedError
		if !errors.As(err, &moved) {
			return fail(err)
		}
		if moved.unknown != nil && !again {
			return nil, m.unknown(ctx, key, moved.unknown)
		}
		if moved.unknown != nil {
			doubt = moved.unknown
		}
		if base = moved.to; base == nil { // a plain conflict: nobody has loaded yet
			if err := m.pause(ctx, attempt); err != nil {
				return fail(err)
			}
			if base, err = m.load(ctx, key); err != nil {
				return fail(err)
			}
		}
	}
}

// movedError says that the record has another version than the attempt asked
// for, and that the attempt was not applied, or, if unknown is not nil, that it
// may have been.
type movedError struct {
	to      *state // the newest state, if it was loaded
	unknown error
}

func (e *movedError) Error() string { return driver.ErrConflict.Error() }

// attempt replaces one state by one draft. It sends the same bytes again while
// the old version is there and it is unknown whether they arrived; at most one
// of them can be applied. The answer is the new state, or an error, which is a
// *movedError when there is another state to begin from.
func (m *Manager) attempt(ctx context.Context, key string, base *state, d draft, tag writeTag) (*state, error) {
	var doubt error // why an earlier try may be, or become, applied
	for try := 1; ; try++ {
		var v driver.Version
		out, err := m.mutate(ctx, func(ctx context.Context) (err error) {
			v, err = m.store.Replace(ctx, d.rec, base.version)
			return err
		})
		switch {
		case out == applied:
			d.next.version = v
			if doubt == nil {
				d.done()
			}
			return d.next, nil
		case out == failed && doubt != nil:
			return nil, m.unknown(ctx, key, doubt)
		case out == failed:
			return nil, err
		case out == notFound && doubt != nil:
			return nil, errors.Join(ErrNotFound, m.unknown(ctx, key, doubt))
		case out == notFound:
			return nil, ErrNotFound
		case out == conflict && doubt == nil:
			return nil, &movedError{}
		case out == unresolved:
			doubt = err
		}
		if ctx.Err() != nil {
			return nil, m.unknown(ctx, key, doubt)
		}
		st, err := m.inspect(ctx, key)
		switch {
		case isNotFound(err):
			return nil, errors.Join(ErrNotFound, m.unknown(ctx, key, doubt))
		case err != nil:
			return nil, m.unknown(ctx, key, doubt)
		case st.has(tag), m.format != nil && bytes.Equal(st.data, d.rec.Data):
			return st, nil
		case st.version == base.version:
			if try == resolveTries {
				return nil, m.unknown(ctx, key, doubt)
			}
			if m.pause(ctx, try) != nil {
				return nil, m.unknown(ctx, key, doubt)
			}
		case st.tellsAbout(tag, base):
			return nil, &movedError{to: st}
		default:
			return nil, &movedError{to: st, unknown: doubt}
		}
	}
}

// touch moves the deadline of a session that was loaded as st, if that is due,
// and answers its state. A conflict means that somebody else just wrote, which
// moved the deadline too.
func (m *Manager) touch(ctx context.Context, key string, st *state) (*state, error) {
	now := m.now()
	if st.expiredAt(now) { // it ended during the request, unless others used it: then it was touched
		return st, nil
	}
	if m.refuses(key) {
		return st, ErrNotFound
	}
	expires, due := m.touchDue(st, now)
	if !due {
		return st, nil
	}
	rec := driver.Record{Key: key, Data: st.stored(), Expires: expires, Index: st.index, Was: st.index}
	var v driver.Version
	out, err := m.mutate(ctx, func(ctx context.Context) (err error) {
		v, err = m.touchRecord(ctx, rec, st.version)
		return err
	})
	switch out {
	case applied:
		next := *st
		next.version, next.expires = v, expires
		return &next, nil
	case conflict:
		return st, nil
	}
	return st, err
}
