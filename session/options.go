package session

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/websession/websession/session/driver"
)

// Defaults of Options.
const (
	DefaultIdle         = 8 * time.Hour
	DefaultAbsolute     = 7 * 24 * time.Hour
	DefaultStoreTimeout = 3 * time.Second
	DefaultPurgeEvery   = 5 * time.Minute
	DefaultRefuseEnded  = 10 * time.Minute
)

// NoLimit, as a duration of Options, means that there is none.
const NoLimit time.Duration = -1

// Options are the choices of a Manager. Nil, and the zero value of each field,
// mean the default.
type Options struct {
	// Idle is how long a session lives after its last use. NoLimit: for ever.
	Idle time.Duration

	// Absolute is how long a session lives after its creation, whatever its
	// use. It is set before the first save, kept by Renew, and never extended.
	Absolute time.Duration

	// TouchEvery is how far the deadline of a session must be able to move
	// before a request that changes nothing moves it. The default is a tenth
	// of Idle; NoLimit: such requests never move it.
	TouchEvery time.Duration

	// Indexed names the attributes by which sessions can be found, each a
	// string or an int64. Nil means "user". Sessions that were stored before
	// an attribute was indexed are not found by it.
	Indexed []string

	// StoreTimeout bounds each call of the store, but for the wait for a lock,
	// which the store bounds. NoLimit: only the caller's context does.
	StoreTimeout time.Duration

	// PurgeEvery is the pause, give or take a fifth, between two purges of
	// expired records, where the store does not expire them by itself. The
	// Manager rests half of the time that a purge takes.
	// NoLimit: the application calls Purge.
	PurgeEvery time.Duration

	// RefuseEnded is how long this Manager remembers the sessions that it ended
	// or renewed, up to 100,000 of them: whatever the store says, it lets nobody
	// in by them. That matters when a server took over that had not heard of
	// the last deletes; see PrimaryChanged. NoLimit: it remembers none.
	RefuseEnded time.Duration

	// Observe is told of events. It is called in the request that they happen
	// in and must not block; it may be called concurrently.
	Observe func(context.Context, Event)

	// Now is the clock that expiry is judged by. The default is time.Now.
	Now func() time.Time

	// Format is how sessions look when the store was not opened by class name
	// and keeps them in the format of another program. Nil: the native one.
	Format driver.Format

	// Class names the store in errors and events when it was not opened by
	// class name.
	Class string
}

// withDefaults answers a copy that has no zero fields but Observe and Format.
func (o *Options) withDefaults() (Options, error) {
	var c Options
	if o != nil {
		c = *o
	}
	var faults []error
	duration := func(name string, d *time.Duration, def, most time.Duration) {
		switch {
		case *d == 0:
			*d = def
		case *d == NoLimit:
		case *d < 0:
			faults = append(faults, fmt.Errorf("%s is negative", name))
		case *d < time.Millisecond:
			faults = append(faults, fmt.Errorf("%s is %v, below a millisecond", name, *d))
		case *d > most:
			faults = append(faults, fmt.Errorf("%s is %v, above %v: use NoLimit", name, *d, most))
		}
	}
	duration("Idle", &c.Idle, DefaultIdle, maxLife)
	duration("Absolute", &c.Absolute, DefaultAbsolute, maxLife)
	switch {
	case c.TouchEvery != 0:
		duration("TouchEvery", &c.TouchEvery, 0, maxLife)
	case c.Idle > 0:
		c.TouchEvery = c.Idle / 10
	default:
		c.TouchEvery = NoLimit
	}
	if c.Idle > 0 && c.TouchEvery >= c.Idle {
		faults = append(faults, fmt.Errorf("TouchEvery is %v, not below Idle %v: active sessions would expire", c.TouchEvery, c.Idle))
	}
	duration("StoreTimeout", &c.StoreTimeout, DefaultStoreTimeout, maxLife)
	duration("PurgeEvery", &c.PurgeEvery, DefaultPurgeEvery, maxLife)
	duration("RefuseEnded", &c.RefuseEnded, DefaultRefuseEnded, 24*time.Hour)
	if c.Indexed == nil {
		c.Indexed = []string{"user"}
	}
	c.Indexed = slices.Clone(c.Indexed)
	slices.Sort(c.Indexed)
	for i, f := range c.Indexed {
		if !validIndexName(f) {
			faults = append(faults, fmt.Errorf("index field %q: a name has 1 to 32 of a-z, A-Z, 0-9, _, and begins with a letter", f))
		}
		if slices.ContainsFunc(c.Indexed[:i], func(g string) bool { return strings.EqualFold(f, g) }) {
			faults = append(faults, fmt.Errorf("index field %q is named twice, perhaps in another case", f))
		}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Observe == nil {
		c.Observe = func(context.Context, Event) {}
	}
	if err := errors.Join(faults...); err != nil {
		return c, fmt.Errorf("session options: %w", err)
	}
	return c, nil
}

// maxLife keeps every deadline far from the limits of stores and of int64.
const maxLife = 100 * 365 * 24 * time.Hour

// validIndexName: SQL makes a column ix_<field> of it.
func validIndexName(f string) bool {
	if len(f) < 1 || len(f) > 32 {
		return false
	}
	for i := range len(f) {
		letter := f[i] >= 'a' && f[i] <= 'z' || f[i] >= 'A' && f[i] <= 'Z'
		if !letter && (i == 0 || f[i] != '_' && (f[i] < '0' || f[i] > '9')) {
			return false
		}
	}
	return true
}
