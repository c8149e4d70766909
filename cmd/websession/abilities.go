package main

import (
	"encoding/json"
	"strings"

	"github.com/websession/websession/session"
)

// abilities say what a store does by itself, and what the core does for it. In
// JSON they are an object; nil, where nobody knows, is null.
type abilities []session.Capability

// MarshalJSON implements json.Marshaler.
func (a abilities) MarshalJSON() ([]byte, error) {
	if a == nil {
		return []byte("null"), nil
	}
	object := make(map[string]session.Support, len(a))
	for _, c := range a {
		object[c.Name] = c.Support
	}
	return json.Marshal(object)
}

// of answers how an operation is done, "" if a has none of that name.
func (a abilities) of(name string) session.Support {
	for _, c := range a {
		if c.Name == name {
			return c.Support
		}
	}
	return ""
}

// with answers the names of the operations that are done in a way.
func (a abilities) with(s session.Support) string {
	var names []string
	for _, c := range a {
		if c.Support == s {
			names = append(names, c.Name)
		}
	}
	return strings.Join(names, ", ")
}

// supports are the ways, for tables.
var supports = []session.Support{session.Native, session.Emulated, session.Unavailable, session.NotNeeded}
