package session

import (
	"maps"
)

// changeSet is what a request did to a session.
type changeSet struct {
	clear      bool
	clearSeq   uint64
	attrs      map[string]change
	persistent *bool
	idle       *int64 // ms, 0: the Manager's
	metaSeq    uint64
}

type change struct {
	raw []byte // nil: delete
	seq uint64 // tells a later change of the same attribute from this one
}

func (c *changeSet) empty() bool {
	return !c.clear && len(c.attrs) == 0 && c.persistent == nil && c.idle == nil
}

func (c *changeSet) clone() changeSet {
	d := *c
	d.attrs = maps.Clone(c.attrs)
	return d
}

// forget removes what done has saved and nobody changed since.
func (c *changeSet) forget(done *changeSet) {
	if done.clear && c.clearSeq == done.clearSeq {
		c.clear = false
	}
	for name, ch := range done.attrs {
		if c.attrs[name].seq == ch.seq {
			delete(c.attrs, name)
		}
	}
	if c.metaSeq == done.metaSeq {
		c.persistent, c.idle = nil, nil
	}
}

// apply answers m as c changes it.
func (c *changeSet) apply(m meta) meta {
	if c.persistent != nil {
		m.persistent = *c.persistent
	}
	if c.idle != nil {
		m.idle = *c.idle
	}
	return m
}

// merge yields the attributes of base after c, in order of their names.
func merge(base *envelope, c *changeSet, names []string, yield func(name, raw []byte)) {
	n := 0
	if base != nil && !c.clear {
		n = len(base.spans)
	}
	i, j := 0, 0
	for i < n || j < len(names) {
		order := -1 // the next one is of base
		switch {
		case i == n:
			order = 1
		case j < len(names):
			order = compareName(base.nameAt(i), names[j])
		}
		if order < 0 {
			yield(base.nameAt(i), base.valueAt(i))
			i++
			continue
		}
		if raw := c.attrs[names[j]].raw; raw != nil {
			yield([]byte(names[j]), raw)
		}
		j++
		if order == 0 {
			i++
		}
	}
}
