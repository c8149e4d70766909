package session

import (
	"bytes"
	"context"
	"time"

	"github.com/websession/websession/session/driver"
)

// create stores a session under a free key and answers id, key and state. The
// id changes when it has not left the process and it cannot be told whether the
// record under it was stored, or the key is taken. Under an id that others know
// a record is sent once: a first request that came late would bring the session
// back after a logout.
func (m *Manager) create(ctx context.Context, id ID, key string, exposed bool, base *state, c *changeSet) (ID, string, *state, error) {
	tag := m.newTag()
	doubt := false // an earlier attempt under this key may be, or become, applied
	for try := 1; ; try++ {
		d, err := m.composeNew(id, key, base, c, tag)
		if err != nil {
			return id, key, nil, err
		}
		var v driver.Version
		out, err := m.mutate(ctx, func(ctx context.Context) (err error) {
			v, err = m.store.Create(ctx, d.rec)
			return err
		})
		switch {
		case out == applied:
			d.next.version = v
			if !doubt {
				d.done()
			}
			return id, key, d.next, nil
		case out == failed && doubt:
			return id, key, nil, m.unknown(ctx, key, err)
		case out == failed, out == notFound:
			return id, key, nil, err
		case out == conflict && !doubt && (exposed || try > 3):
			return id, key, nil, err
		case out == conflict && !doubt:
			id, key = m.newID()
			continue
		}
		// Unresolved, or taken after that: perhaps by this very mutation.
		doubt = true
		if ctx.Err() == nil {
			st, lerr := m.inspect(ctx, key)
			switch {
			case lerr == nil && (st.has(tag) || m.format != nil && bytes.Equal(st.data, d.rec.Data)):
				return id, key, st, nil
			case isNotFound(lerr) && try < resolveTries && !exposed:
				m.discard(ctx, key, d.rec.Index)
				id, key = m.newID()
				doubt = false
				if m.pause(ctx, try) == nil {
					continue
				}
			}
		}
		if !exposed {
			m.discard(ctx, key, d.rec.Index)
		}
		return id, key, nil, m.unknown(ctx, key, err)
	}
}

// composeNew is compose for a record under a new key: of a new session, or of
// base under a new id, with its creation time and deadlines.
func (m *Manager) composeNew(id ID, key string, base *state, c *changeSet, tag writeTag) (draft, error) {
	d, err := m.compose(id, key, base, c, tag)
	d.rec.Was = nil
	return d, err
}

// discard deletes a record whose id nobody has. It is tried once: if that
// fails, the record expires.
func (m *Manager) discard(ctx context.Context, key string, index map[string]string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if err := m.store.Delete(ctx, driver.Record{Key: key, Was: index}, ""); err != nil {
		m.observe(ctx, Event{Kind: EventLeftover, Session: m.handle(key), Err: err})
	}
}
