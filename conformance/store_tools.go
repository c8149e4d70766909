package conformance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/websession/websession/session/driver"
)

// supports reports whether s has an interface and does not decline it. It
// leaves nothing behind.
func supports(ctx context.Context, s driver.Store, name string) bool {
	declined := func(seq iter.Seq2[driver.Record, error]) bool {
		for _, err := range seq {
			return errors.Is(err, errors.ErrUnsupported)
		}
		return false
	}
	switch name {
	case "Toucher":
		t, ok := s.(driver.Toucher)
		if !ok {
			return false
		}
		rec := driver.Record{Key: "conformance"}
		v, err := s.Create(ctx, rec)
		if err != nil {
			return true // the case says more
		}
		_, err = t.Touch(ctx, rec, v)
		_ = s.Delete(ctx, rec, "")
		return !errors.Is(err, errors.ErrUnsupported)
	case "Scanner":
		x, ok := s.(driver.Scanner)
		return ok && !declined(x.Scan(ctx))
	case "Searcher":
		x, ok := s.(driver.Searcher)
		return ok && !declined(x.Search(ctx, "user", "nobody"))
	case "Search":
		return supports(ctx, s, "Searcher") || supports(ctx, s, "Scanner")
	case "Purger":
		x, ok := s.(driver.Purger)
		if !ok {
			return false
		}
		_, err := x.Purge(ctx, time.Unix(0, 0).UTC(), 1)
		return !errors.Is(err, errors.ErrUnsupported)
	case "Pinger":
		x, ok := s.(driver.Pinger)
		if !ok {
			return false
		}
		_, err := x.Ping(ctx)
		return !errors.Is(err, errors.ErrUnsupported)
	case "OwnExpiry":
		return !supports(ctx, s, "Purger")
	case "RandomVersions":
		_, repeats := s.(driver.ContentVersioner)
		return !repeats
	}
	panic("conformance: unknown interface " + name)
}

// handle is a handle on the place of a case. The methods that answer no error
// end the case, so they are for its own goroutine.
type handle struct {
	driver.Store
	p *place
}

// handle opens another handle, which is closed at the end.
func (p *place) handle() handle {
	p.Helper()
	return handle{p.open(), p}
}

// handles opens n handles.
func (p *place) handles(n int) []handle {
	p.Helper()
	hs := make([]handle, n)
	for i := range hs {
		hs[i] = p.handle()
	}
	return hs
}

const keyAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"

// token answers n characters of the alphabet of keys and digests.
func (p *place) token(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = keyAlphabet[p.rng.IntN(len(keyAlphabet))]
	}
	return string(b)
}

// tokens answers n different tokens of the length that the core uses.
func (p *place) tokens(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = p.token(43)
	}
	return list
}

func (p *place) bytes(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(p.rng.Uint32())
	}
	return b
}

// record answers a record that expires in an hour, with a user.
func (p *place) record() driver.Record {
	return driver.Record{
		Key:     p.token(43),
		Data:    p.bytes(200),
		Expires: in(time.Hour),
		Index:   map[string]string{"user": p.token(43)},
	}
}

// in answers a time from now in whole milliseconds.
func in(d time.Duration) time.Time { return time.Now().Add(d).UTC().Truncate(time.Millisecond) }

// after answers next as a change of rec: its key, and what was indexed.
func after(rec, next driver.Record) driver.Record {
	next.Key, next.Was = rec.Key, rec.Index
	return next
}

// copied answers a record that shares nothing with rec.
func copied(rec driver.Record) driver.Record {
	rec.Data, rec.Index, rec.Was = bytes.Clone(rec.Data), maps.Clone(rec.Index), maps.Clone(rec.Was)
	return rec
}

func (h handle) create(rec driver.Record) driver.Version {
	h.p.Helper()
	v, err := h.Create(h.p.Context(), rec)
	if err != nil {
		h.p.fatal("Create of a free key: %v", err)
	}
	return v
}

func (h handle) load(key string) (driver.Record, driver.Version) {
	h.p.Helper()
	rec, v, err := h.Load(h.p.Context(), key)
	if err != nil {
		h.p.fatal("Load of a record that is there: %v", err)
	}
	return rec, v
}

func (h handle) replace(rec driver.Record, old driver.Version) driver.Version {
	h.p.Helper()
	v, err := h.Replace(h.p.Context(), rec, old)
	if err != nil {
		h.p.fatal("Replace in the version that is there: %v", err)
	}
	return v
}

func (h handle) delete(rec driver.Record, old driver.Version) {
	h.p.Helper()
	if err := h.Delete(h.p.Context(), after(rec, driver.Record{}), old); err != nil {
		h.p.fatal("Delete of a record that is there: %v", err)
	}
}

// touch is Touch or, without it, what the core does instead.
func (h handle) touch(ctx context.Context, rec driver.Record, old driver.Version) (driver.Version, error) {
	if t, ok := h.Store.(driver.Toucher); ok {
		v, err := t.Touch(ctx, rec, old)
		if !errors.Is(err, errors.ErrUnsupported) {
			return v, err
		}
	}
	return h.Replace(ctx, rec, old)
}

// holds reports unless Load answers rec in the version v. An empty v is any.
func (h handle) holds(rec driver.Record, v driver.Version, when string) {
	h.p.Helper()
	got, gotV, err := h.Load(h.p.Context(), rec.Key)
	switch diff := differ(got, rec); {
	case err != nil:
		h.p.fail("%s, Load answered: %v", when, err)
	case diff != "":
		h.p.fail("%s, Load answered another record: %s", when, diff)
	case v != "" && v != gotV:
		h.p.fail("%s, Load answered the version %q; the write had answered %q", when, gotV, v)
	}
}

// absent reports unless there is no record of key.
func (h handle) absent(key string, when string) {
	h.p.Helper()
	if _, _, err := h.Load(h.p.Context(), key); !errors.Is(err, driver.ErrNotFound) {
		h.p.fail("%s, Load answered %v; it should be ErrNotFound", when, err)
	}
}

// differ says how a record that was read differs from the one that was written.
func differ(got, want driver.Record) string {
	var d []string
	if got.Key != want.Key {
		d = append(d, fmt.Sprintf("key %q, not %q", got.Key, want.Key))
	}
	if !bytes.Equal(got.Data, want.Data) {
		at := 0
		for at < min(len(got.Data), len(want.Data)) && got.Data[at] == want.Data[at] {
			at++
		}
		d = append(d, fmt.Sprintf("other data from byte %d on (%d bytes instead of %d)", at, len(got.Data), len(want.Data)))
	}
	if !got.Expires.Equal(want.Expires) {
		d = append(d, fmt.Sprintf("expires %v, not %v", got.Expires.Format(time.RFC3339Nano), want.Expires.Format(time.RFC3339Nano)))
	} else if got.Expires.Location() != time.UTC {
		d = append(d, fmt.Sprintf("expires in the zone %v, not UTC", got.Expires.Location()))
	}
	if !maps.Equal(got.Index, want.Index) {
		d = append(d, fmt.Sprintf("index %v, not %v", got.Index, want.Index))
	}
	return strings.Join(d, "; ")
}

// isGone reports whether err says that a record is absent, as Replace, Touch
// and Delete with a version do.
func isGone(err error) bool {
	return errors.Is(err, driver.ErrNotFound) || errors.Is(err, driver.ErrConflict)
}

// isSeparate reports whether a write that fails may leave an index entry for a
// while.
func (h handle) isSeparate() bool {
	_, ok := h.Store.(driver.SeparateIndexer)
	return ok
}

// empty reports unless nothing lies in the place.
func (p *place) empty(when string) {
	p.Helper()
	if all, ok := p.raw(); ok && len(all) > 0 {
		p.fail("%s, the place is not empty: %q", when, slices.Sorted(maps.Keys(all)))
	}
}
