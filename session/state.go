package session

import (
	"bytes"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/websession/websession/session/driver"
)

// state is a stored session as it was loaded or written. It never changes, but
// for the version and deadline that a touch gives it.
type state struct {
	env     *envelope // own, or that of an earlier state; see envelope
	own     envelope
	redo    *redo          // of a native state that was written
	foreign map[string]any // nil in the native format
	data    []byte         // in a foreign one
	expires time.Time
	index   map[string]string
	version driver.Version
}

// redo makes the envelope of a state that was written, if somebody asks for it:
// most requests end without, so that the bytes which went to the store can be used
// again for others.
type redo struct {
	once    sync.Once
	to      *envelope
	key     string
	meta    meta
	tags    [maxTags * len(writeTag{})]byte
	size    int       // of the tags
	base    *envelope // nil for none
	changes changeSet
}

func (r *redo) envelope() *envelope {
	r.once.Do(func() {
		r.to.meta = r.meta
		if err := r.to.encode(nil, r.key, r.tags[:r.size], r.base, &r.changes); err != nil {
			panic("session: a state that was written cannot be: " + err.Error())
		}
		r.base, r.changes = nil, changeSet{}
	})
	return r.to
}

// envelope answers the record of a native state, nil in a foreign format.
func (st *state) envelope() *envelope {
	if st.redo != nil {
		return st.redo.envelope()
	}
	return st.env
}

// stored answers the bytes of the record.
func (st *state) stored() []byte {
	if env := st.envelope(); env != nil {
		return env.data
	}
	return st.data
}

func (st *state) meta() meta {
	switch {
	case st == nil:
	case st.redo != nil:
		return st.redo.meta
	case st.env != nil:
		return st.env.meta
	}
	return meta{}
}

// lookup answers an attribute.
func (st *state) lookup(name string) (attribute, bool) {
	if env := st.envelope(); env != nil {
		raw := env.lookup(name)
		return attribute{raw: raw}, raw != nil
	}
	v, ok := st.foreign[name]
	return attribute{foreign: v}, ok
}

func (st *state) names() []string {
	env := st.envelope()
	if env == nil {
		return slices.Sorted(maps.Keys(st.foreign))
	}
	names := make([]string, len(env.places))
	for i := range names {
		names[i] = string(env.nameAt(i))
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
	env := st.envelope()
	return env != nil && slices.Contains(env.tags(), tag)
}

// tellsAbout reports whether the state shows that a write with this tag, which it
// does not have, was not applied after earlier: it names all its writers, or one
// that wrote before this write and not since.
func (st *state) tellsAbout(tag writeTag, earlier *state) bool {
	env := st.envelope()
	if env == nil || earlier.envelope() == nil {
		return false
	}
	tags := env.tags()
	return len(tags) < maxTags || slices.ContainsFunc(tags, func(t writeTag) bool {
		return t.writer() == tag.writer() || earlier.has(t)
	})
}

// decodeState reads a record. The error matches driver.ErrCorrupt.
func (m *Manager) decodeState(rec driver.Record, v driver.Version) (*state, error) {
	var key sum
	if m.format == nil {
		var ok bool
		if key, ok = sumOfKey(rec.Key); !ok {
			return nil, &corruptError{"record of another session"}
		}
	}
	st := new(state)
	if err := m.decodeInto(st, &key, rec, v); err != nil {
		return nil, err
	}
	return st, nil
}

// decodeInto is decodeState into st, which must be zero.
func (m *Manager) decodeInto(st *state, key *sum, rec driver.Record, v driver.Version) (err error) {
	st.expires, st.index, st.version = rec.Expires, rec.Index, v
	if m.format == nil {
		st.env = &st.own
		return st.env.decode(key, rec.Data)
	}
	st.data = rec.Data
	if st.foreign, err = m.format.Attributes(rec.Key, rec.Data); err != nil && !errors.Is(err, driver.ErrCorrupt) {
		err = &corruptError{err.Error()}
	}
	return err
}

// draft is a record that is to be written, and the state that it will be.
type draft struct {
	rec    driver.Record
	next   *state
	buffer *[]byte // that has rec.Data, or nil
}

// buffers has room for records. A state that was written does not refer to its
// record's bytes: see redo.
//
// They were a quarter of what a request that modifies a session allocates.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

// mostBuffer bounds what is kept for later.
const mostBuffer = 64 << 10

// done is called when a store has answered that rec is written. After an error
// the bytes are not used again: a driver may break its word and still send them.
func (d *draft) done() {
	if d.buffer != nil && cap(d.rec.Data) <= mostBuffer {
		*d.buffer = d.rec.Data[:0]
		buffers.Put(d.buffer)
	}
	d.rec.Data, d.buffer = nil, nil
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
	d := draft{rec: driver.Record{Key: key, Expires: next.expires}, next: next}
	var err error
	if m.format != nil {
		err = m.composeForeign(next, id, key, base, c)
		d.rec.Data = next.data
	} else {
		err = m.composeNative(&d, me, base, c, tag)
	}
	if err != nil {
		return draft{}, err
	}
	d.rec.Index = next.index
	if base != nil {
		d.rec.Was = base.index
	}
	return d, nil
}

func (m *Manager) composeNative(d *draft, me meta, base *state, c *changeSet, tag writeTag) error {
	next := d.next
	r := &redo{to: &next.own, key: d.rec.Key, meta: me, changes: c.clone()}
	if base != nil {
		r.base = base.envelope()
	}
	r.size = len(r.base.appendTags(r.tags[:0], tag))
	d.buffer = buffers.Get().(*[]byte)
	env := envelope{meta: me}
	if err := env.encode(*d.buffer, r.key, r.tags[:r.size], r.base, c); err != nil {
		return err
	}
	d.rec.Data, next.redo = env.data, r
	if base != nil && !m.reindexes(base, c) {
		next.index = base.index // maps of records never change
		return nil
	}
	for _, f := range m.opts.Indexed {
		if raw := env.lookup(f); raw != nil {
			m.indexAs(next, f, indexText(raw))
		}
	}
	return nil
}

// reindexes reports whether base after c may be indexed otherwise than base.
func (m *Manager) reindexes(base *state, c *changeSet) bool {
	known := 0
	for _, f := range m.opts.Indexed {
		_, is := base.index[f]
		if is {
			known++
		}
		// A session that was stored before the field was indexed is found from
		// now on.
		if c.clear || c.get(f) != nil || !is && base.envelope().lookup(f) != nil {
			return true
		}
	}
	return known != len(base.index) // another Manager indexes other fields
}

// indexAs adds the entry of a field; "" has none.
func (m *Manager) indexAs(next *state, field, value string) {
	if value == "" {
		return
	}
	if next.index == nil {
		next.index = make(map[string]string, len(m.opts.Indexed))
	}
	next.index[field] = m.digest(field, value)
}

func (m *Manager) composeForeign(next *state, id ID, key string, base *state, c *changeSet) error {
	changes, err := foreignChanges(c)
	if err != nil {
		return err
	}
	var old []byte
	if base != nil {
		old = bytes.Clone(base.data)
	}
	if next.data, err = m.format.Apply(string(id), old, changes); err != nil {
		return err
	}
	if len(next.data) > MaxSize {
		return ErrTooLarge
	}
	if next.foreign, err = m.format.Attributes(key, next.data); err != nil {
		return err
	}
	for _, f := range m.opts.Indexed {
		if v, ok := next.foreign[f]; ok {
			if raw, _ := encodeValue(f, v); raw != nil {
				m.indexAs(next, f, indexText(raw))
			}
		}
	}
	return nil
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
	every := m.opts.TouchEvery
	if me.idle != 0 { // a time-out of its own may be shorter than TouchEvery
		every = min(every, max(idle/10, time.Millisecond))
	}
	if e := now.Add(idle); e.Sub(st.expires) < every && (me.deadline == 0 || e.UnixMilli() < me.deadline) {
		return time.Time{}, false // as for most requests
	}
	e := m.expiry(st, me, false, now)
	gain := e.Sub(st.expires)
	// The last step to the absolute deadline is taken however small it is.
	last := me.deadline != 0 && e.UnixMilli() == me.deadline
	return e, gain >= every || last && gain > 0
}

func foreignChanges(c *changeSet) (driver.Changes, error) {
	fc := driver.Changes{Clear: c.clear}
	for _, ch := range c.attrs {
		if ch.raw == nil {
			fc.Delete = append(fc.Delete, ch.name)
			continue
		}
		v, err := attribute{raw: ch.raw}.any()
		if err != nil {
			return fc, err
		}
		if fc.Set == nil {
			fc.Set = make(map[string]any)
		}
		fc.Set[ch.name] = v
	}
	return fc, nil
}
