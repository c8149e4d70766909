package session

import (
	"bytes"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/websession/websession/session/driver"
)

// state is a stored session as it was loaded or written. It never changes, but
// for the version and deadline that a touch gives it.
type state struct {
	env     *envelope      // nil in a foreign format
	foreign map[string]any // nil in the native one
	data    []byte
	expires time.Time
	index   map[string]string
	version driver.Version
}

func (st *state) meta() meta {
	if st == nil || st.env == nil {
		return meta{}
	}
	return st.env.meta
}

// lookup answers an attribute.
func (st *state) lookup(name string) (attribute, bool) {
	if st.env != nil {
		raw := st.env.lookup(name)
		return attribute{raw: raw}, raw != nil
	}
	v, ok := st.foreign[name]
	return attribute{foreign: v}, ok
}

func (st *state) names() []string {
	if st.env == nil {
		return slices.Sorted(maps.Keys(st.foreign))
	}
	names := make([]string, len(st.env.spans))
	for i := range names {
		names[i] = string(st.env.nameAt(i))
	}
	return names
}

// expiredAt reports whether a session is over at a time: from its deadline on.
func (st *state) expiredAt(now time.Time) bool {
	if !st.expires.IsZero() && !now.Before(st.expires) {
		return true
	}
	deadline := st.meta().deadline
	return deadline != 0 && now.UnixMilli() >= deadline
}

// has reports whether the write with this tag is among those that made the
// state.
func (st *state) has(tag writeTag) bool {
	return st.env != nil && slices.Contains(st.env.tags(), tag)
}

// tellsAbout reports whether the state shows that a write with this tag, which it
// does not have, was not applied after earlier: it names all its writers, or one
// that wrote before this write and not since.
func (st *state) tellsAbout(tag writeTag, earlier *state) bool {
	if st.env == nil || earlier.env == nil {
		return false
	}
	tags := st.env.tags()
	return len(tags) < maxTags || slices.ContainsFunc(tags, func(t writeTag) bool {
		return t.writer() == tag.writer() || earlier.has(t)
	})
}

// decodeState reads a record. The error matches driver.ErrCorrupt.
func (m *Manager) decodeState(rec driver.Record, v driver.Version) (*state, error) {
	st := &state{data: rec.Data, expires: rec.Expires, index: rec.Index, version: v}
	var err error
	if m.format != nil {
		if st.foreign, err = m.format.Attributes(rec.Key, rec.Data); err != nil && !errors.Is(err, driver.ErrCorrupt) {
			err = &corruptError{err.Error()}
		}
	} else {
		st.env, err = decodeEnvelope(rec.Key, rec.Data)
	}
	if err != nil {
		return nil, err
	}
	return st, nil
}

// draft is a record that is to be written, and the state that it will be.
type draft struct {
	rec  driver.Record
	next *state
}

// compose makes the record of a session: base (nil for a new one) after c,
// written under tag. What is to be found later must say when: its index.
func (m *Manager) compose(id ID, key string, base *state, c *changeSet, tag writeTag) (draft, error) {
	now := m.now()
	me := base.meta()
	if base == nil {
		me.created = now.UnixMilli()
		if m.opts.Absolute > 0 {
			me.deadline = now.Add(m.opts.Absolute).UnixMilli()
		}
	}
	me = c.apply(me)
	next := &state{expires: m.expiry(base, me, c.idle != nil, now)}
	var index map[string]string
	indexed := func(field, value string) {
		if value != "" {
			if index == nil {
				index = make(map[string]string, len(m.opts.Indexed))
			}
			index[field] = m.digest(field, value)
		}
	}
	var err error
	if m.format != nil {
		var changes driver.Changes
		if changes, err = foreignChanges(c); err != nil {
			return draft{}, err
		}
		var old []byte
		if base != nil {
			old = bytes.Clone(base.data)
		}
		if next.data, err = m.format.Apply(string(id), old, changes); err != nil {
			return draft{}, err
		}
		if len(next.data) > MaxSize {
			return draft{}, ErrTooLarge
		}
		if next.foreign, err = m.format.Attributes(key, next.data); err != nil {
			return draft{}, err
		}
		for _, f := range m.opts.Indexed {
			if v, ok := next.foreign[f]; ok {
				raw, _ := encodeValue(f, v)
				if raw != nil {
					indexed(f, indexText(raw))
				}
			}
		}
	} else {
		var env *envelope
		if base != nil {
			env = base.env
		}
		next.data, err = encodeEnvelope(key, me, env.tagsWith(tag), env, c, func(name, raw []byte) {
			for _, f := range m.opts.Indexed {
				if string(name) == f {
					indexed(f, indexText(raw))
				}
			}
		})
		if err != nil {
			return draft{}, err
		}
		if next.env, err = decodeEnvelope(key, next.data); err != nil {
			return draft{}, err
		}
	}
	next.index = index
	rec := driver.Record{Key: key, Data: next.data, Expires: next.expires, Index: index}
	if base != nil {
		rec.Was = base.index
	}
	return draft{rec, next}, nil
}

// expiry answers the deadline of a session that is written or touched now.
// A write never brings it nearer, unless it sets the idle time-out.
func (m *Manager) expiry(base *state, me meta, reset bool, now time.Time) time.Time {
	idle := m.idle(me)
	var e time.Time
	if idle > 0 {
		e = now.Add(idle)
		if base != nil && !reset && base.expires.After(e) {
			e = base.expires
		}
	}
	if me.deadline != 0 {
		if d := time.UnixMilli(me.deadline).UTC(); e.IsZero() || e.After(d) {
			e = d
		}
	}
	return e
}

// idle answers the idle time-out of a session, 0 for none.
func (m *Manager) idle(me meta) time.Duration {
	switch {
	case me.idle != 0:
		return time.Duration(me.idle) * time.Millisecond
	case m.opts.Idle > 0:
		return m.opts.Idle.Truncate(time.Millisecond) // as stores keep it
	}
	return 0
}

// touchDue answers the deadline that a session that is used now should have,
// and whether it is far enough from the one it has to be worth a write.
func (m *Manager) touchDue(st *state, now time.Time) (time.Time, bool) {
	me := st.meta()
	idle := m.idle(me)
	if m.opts.TouchEvery <= 0 || idle == 0 || st.expires.IsZero() {
		return time.Time{}, false
	}
	e := m.expiry(st, me, false, now)
	every := m.opts.TouchEvery
	if me.idle != 0 { // a time-out of its own may be shorter than TouchEvery
		every = min(every, max(idle/10, time.Millisecond))
	}
	gain := e.Sub(st.expires)
	// The last step to the absolute deadline is taken however small it is.
	last := me.deadline != 0 && e.UnixMilli() == me.deadline
	return e, gain >= every || last && gain > 0
}

func foreignChanges(c *changeSet) (driver.Changes, error) {
	fc := driver.Changes{Clear: c.clear}
	for _, name := range slices.Sorted(maps.Keys(c.attrs)) {
		raw := c.attrs[name].raw
		if raw == nil {
			fc.Delete = append(fc.Delete, name)
			continue
		}
		v, err := attribute{raw: raw}.any()
		if err != nil {
			return fc, err
		}
		if fc.Set == nil {
			fc.Set = make(map[string]any)
		}
		fc.Set[name] = v
	}
	return fc, nil
}
