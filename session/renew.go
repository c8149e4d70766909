package session

import (
	"context"
	"errors"

	"github.com/websession/websession/session/driver"
)

// renew stores a session under a new id and deletes the old record, in the
// version that the new one continues: what others saved meanwhile is merged
// first, and if the old record is gone, the new one goes too. So of two
// renewals one wins, and a logout that came first stays a logout.
//
// A process that dies between the two calls leaves the old session as it was,
// and a record whose id nobody has, which expires.
func (m *Manager) renew(ctx context.Context, oldID ID, oldKey string, base *state, c *changeSet) (ID, string, *state, error) {
	if _, err := m.queue.enter(ctx, oldKey); err != nil {
		return "", "", nil, err
	}
	defer m.queue.leave(oldKey, nil)
	if m.refuses(oldKey) {
		return "", "", nil, ErrNotFound
	}
	if base.expiredAt(m.now()) { // unless others have used it meanwhile
		var err error
		if base, err = m.load(ctx, oldKey); err != nil {
			return "", "", nil, err
		}
	}
	id, key := m.newID()
	id, key, next, err := m.create(ctx, id, key, false, base, c)
	if err != nil {
		return "", "", nil, err
	}
	lost := func(err error) (ID, string, *state, error) {
		m.discard(ctx, key, next.index)
		return "", "", nil, err
	}
	for try := 1; ; try++ {
		err := m.deleteVersion(ctx, oldKey, base)
		if err == nil {
			m.ended(oldKey, base.index)
			m.observe(ctx, Event{Kind: EventRenewed, Session: m.handle(key)})
			return id, key, next, nil
		}
		var moved *movedError
		if !errors.As(err, &moved) {
			return lost(err)
		}
		if base = moved.to; base == nil {
			if err := m.pause(ctx, try); err != nil {
				return lost(err)
			}
			if base, err = m.load(ctx, oldKey); err != nil {
				return lost(err)
			}
		}
		// Others wrote under the old id: the new record becomes their state,
		// with the change set of this request on top.
		if next, err = m.overwrite(ctx, id, key, next, base, c); err != nil {
			return lost(err)
		}
	}
}

// deleteVersion deletes a record in the version that was loaded. A *movedError
// says that there is another; ErrNotFound, that there is none, even if this
// very call may have deleted it.
func (m *Manager) deleteVersion(ctx context.Context, key string, base *state) error {
	rec := driver.Record{Key: key, Was: base.index}
	var doubt error
	for try := 1; ; try++ {
		out, err := m.mutate(ctx, func(ctx context.Context) error {
			return m.store.Delete(ctx, rec, base.version)
		})
		switch {
		case out == applied:
			return nil
		case out == notFound && doubt != nil:
			return errors.Join(ErrNotFound, m.unknown(ctx, key, doubt))
		case out == notFound:
			return ErrNotFound
		case out == conflict && doubt == nil:
			return &movedError{}
		case out == failed && doubt != nil:
			return m.unknown(ctx, key, doubt)
		case out == failed:
			return err
		case out == unresolved:
			doubt = err
		}
		if ctx.Err() != nil {
			return m.unknown(ctx, key, doubt)
		}
		st, err := m.inspect(ctx, key)
		switch {
		case isNotFound(err):
			return errors.Join(ErrNotFound, m.unknown(ctx, key, doubt))
		case err != nil:
			return m.unknown(ctx, key, doubt)
		case st.version != base.version:
			return &movedError{to: st} // the delete cannot be applied any more
		case try == resolveTries || m.pause(ctx, try) != nil:
			return m.unknown(ctx, key, doubt)
		}
	}
}

// overwrite makes the record under a new key, which was written as mine, what
// theirs is after c.
func (m *Manager) overwrite(ctx context.Context, id ID, key string, mine, theirs *state, c *changeSet) (*state, error) {
	tag := m.newTag()
	for {
		d, err := m.composeNew(id, key, theirs, c, tag)
		if err != nil {
			return mine, err
		}
		d.rec.Was = mine.index
		next, err := m.attempt(ctx, key, mine, d, tag)
		if next != nil {
			return next, nil
		}
		var moved *movedError
		if !errors.As(err, &moved) {
			return mine, err
		}
		if moved.to == nil { // nobody knows the key: a purger or a fault
			return mine, ErrNotFound
		}
		mine = moved.to
	}
}
