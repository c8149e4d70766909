package session

import (
	"context"
	"errors"
	"iter"

	"github.com/websession/websession/session/driver"
	"github.com/websession/websession/session/internal/lazy"
)

// Support says how a Manager does what a store may do by itself.
type Support string

// Values of Support.
const (
	Native      Support = "native"      // the store does it
	Emulated    Support = "emulated"    // the core does it, with the same result
	Unavailable Support = "unavailable" // it answers errors.ErrUnsupported
	NotNeeded   Support = "not needed"  // the store expires sessions by itself
)

// Capability is one thing that stores may do by themselves.
type Capability struct {
	Name    string // "touch", "list", "find", "purge", "ping", "lock"
	Support Support
}

// capabilities is the table of what a store implements beyond driver.Store. It
// is filled once; nothing else asserts types.
type capabilities struct {
	toucher        driver.Toucher
	scanner        driver.Scanner
	searcher       driver.Searcher
	purger         driver.Purger
	pinger         driver.Pinger
	locker         driver.Locker
	separateIndex  bool
	contentVersion bool
}

func resolve(s driver.Store) (c capabilities) {
	c.toucher, _ = s.(driver.Toucher)
	c.scanner, _ = s.(driver.Scanner)
	c.searcher, _ = s.(driver.Searcher)
	c.purger, _ = s.(driver.Purger)
	c.pinger, _ = s.(driver.Pinger)
	if l, is := s.(driver.Locker); is && locks(l) {
		c.locker = l
	}
	_, c.separateIndex = s.(driver.SeparateIndexer)
	_, c.contentVersion = s.(driver.ContentVersioner)
	return c
}

// locks asks a store whether it locks, in a context that has ended, so that it
// takes no lock.
func locks(l driver.Locker) bool {
	ctx, end := context.WithCancel(context.Background())
	end()
	unlock, err := l.Lock(ctx, "websession")
	if err == nil {
		_ = unlock()
	}
	return !errors.Is(err, errors.ErrUnsupported)
}

// Capabilities answers what the store does by itself and what the core does for
// it. Locks are listed where sessions take them.
func (m *Manager) Capabilities() []Capability {
	support := func(native, emulated bool, otherwise Support) Support {
		switch {
		case native:
			return Native
		case emulated:
			return Emulated
		}
		return otherwise
	}
	scans := m.caps.scanner != nil
	all := []Capability{
		{"touch", support(m.caps.toucher != nil, true, "")},
		{"list", support(scans, false, Unavailable)},
		{"find", support(m.caps.searcher != nil, scans, Unavailable)},
		{"purge", support(m.caps.purger != nil, false, NotNeeded)},
		{"ping", support(m.caps.pinger != nil, true, "")},
	}
	if m.caps.locker != nil {
		all = append(all, Capability{"lock", Native})
	}
	return all
}

// touchRecord moves a deadline, by Touch or by Replace with the same data.
func (m *Manager) touchRecord(ctx context.Context, rec driver.Record, old driver.Version) (driver.Version, error) {
	if m.caps.toucher != nil {
		v, err := m.caps.toucher.Touch(ctx, rec, old)
		if !errors.Is(err, errors.ErrUnsupported) {
			return v, err
		}
	}
	return m.store.Replace(ctx, rec, old)
}

// scan yields all records.
func (m *Manager) scan(ctx context.Context) iter.Seq2[driver.Record, error] {
	if m.caps.scanner == nil {
		return func(yield func(driver.Record, error) bool) {
			yield(driver.Record{}, errors.ErrUnsupported)
		}
	}
	return m.caps.scanner.Scan(ctx)
}

// search yields the records whose Index[field] is digest, by Search or by a
// filtered Scan.
func (m *Manager) search(ctx context.Context, field, digest string) iter.Seq2[driver.Record, error] {
	return func(yield func(driver.Record, error) bool) {
		if m.caps.searcher != nil {
			declined := false
			for rec, err := range m.caps.searcher.Search(ctx, field, digest) {
				if declined = errors.Is(err, errors.ErrUnsupported); declined {
					break
				}
				if (err != nil || rec.Index[field] == digest) && !yield(rec, err) {
					return
				}
			}
			if !declined {
				return
			}
		}
		for rec, err := range m.scan(ctx) {
			if (err != nil || rec.Index[field] == digest) && !yield(rec, err) {
				return
			}
		}
	}
}

// ping asks the server, or loads a key that cannot exist.
func (m *Manager) ping(ctx context.Context) (driver.Info, error) {
	if m.caps.pinger != nil {
		var call lazy.Context
		m.bound(ctx, &call)
		defer call.End()
		info, err := m.caps.pinger.Ping(&call)
		if !errors.Is(err, errors.ErrUnsupported) {
			return info, err
		}
	}
	_, key := m.newID()
	_, _, err := m.loadRecord(ctx, new(lazy.Context), key)
	if isNotFound(err) {
		err = nil
	}
	return driver.Info{}, err
}
