package session

import (
	"slices"
	"strings"
)

// changeSet is what a request did to a session.
type changeSet struct {
	clear      bool
	clearSeq   uint64
	attrs      []change // in order of their names; a clone shares them
	shared     bool     // attrs belongs to a clone, too
	persistent *bool
	idle       *int64 // ms, 0: the Manager's
	metaSeq    uint64
}

type change struct {
	name string
	raw  []byte // nil: delete
	seq  uint64 // tells a later change of the same attribute from this one
}

func (c *changeSet) empty() bool {
	return !c.clear && len(c.attrs) == 0 && c.persistent == nil && c.idle == nil
}

// find answers where the change of an attribute is, or would be.
func (c *changeSet) find(name string) (int, bool) {
	if n := len(c.attrs); n == 0 || c.attrs[n-1].name < name {
		return n, false
	}
	return slices.BinarySearchFunc(c.attrs, name, func(ch change, name string) int {
		return strings.Compare(ch.name, name)
	})
}

// get answers the change of an attribute, nil if there is none.
func (c *changeSet) get(name string) *change {
	if i, found := c.find(name); found {
		return &c.attrs[i]
	}
	return nil
}

func (c *changeSet) set(ch change) {
	c.own()
	i, found := c.find(ch.name)
	if found {
		c.attrs[i] = ch
		return
	}
	c.attrs = slices.Insert(c.attrs, i, ch)
}

func (c *changeSet) remove(name string) {
	if i, found := c.find(name); found {
		c.own()
		c.attrs = slices.Delete(c.attrs, i, i+1)
	}
}

// own is called before attrs is changed.
func (c *changeSet) own() {
	if c.shared {
		c.attrs, c.shared = slices.Clone(c.attrs), false
	}
}

// clone answers a copy that stays as it is. To clone a clone only reads it.
func (c *changeSet) clone() changeSet {
	if !c.shared {
		c.shared = true
	}
	return *c
}

// forget removes what done has saved and nobody changed since.
func (c *changeSet) forget(done *changeSet) {
	if done.clear && c.clearSeq == done.clearSeq {
		c.clear = false
	}
	var left []change
	for _, ch := range c.attrs {
		if d := done.get(ch.name); d == nil || d.seq != ch.seq {
			left = append(left, ch)
		}
	}
	c.attrs, c.shared = left, false
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
