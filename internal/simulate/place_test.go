package simulate

import (
	"bytes"
	"slices"
	"strconv"
	"time"

	"github.com/websession/websession/session/driver"
)

// place is where the records lie. Each of its methods is one moment: what the
// contract says of one call that meets no other and no fault.
type place struct {
	records  map[string]*stored
	order    []string // keys, oldest first
	versions int
	vague    bool // Replace, Touch and Delete with a version answer ErrConflict for an absent record

	purgedTo time.Time // the latest time that records were purged up to
}

type stored struct {
	rec     driver.Record
	version driver.Version
}

func newPlace(vague bool) *place { return &place{records: make(map[string]*stored), vague: vague} }

func (p *place) newVersion() driver.Version {
	p.versions++
	return driver.Version("v" + strconv.Itoa(p.versions))
}

func private(rec driver.Record) driver.Record {
	return driver.Record{Key: rec.Key, Data: bytes.Clone(rec.Data), Expires: rec.Expires, Index: rec.Index}
}

func (p *place) create(rec driver.Record) (driver.Version, error) {
	if p.records[rec.Key] != nil {
		return "", driver.ErrExists
	}
	s := &stored{private(rec), p.newVersion()}
	p.records[rec.Key] = s
	p.order = append(p.order, rec.Key)
	return s.version, nil
}

func (p *place) load(key string) (driver.Record, driver.Version, error) {
	s := p.records[key]
	if s == nil {
		return driver.Record{}, "", driver.ErrNotFound
	}
	return private(s.rec), s.version, nil
}

// find answers the record that a conditional mutation is about.
func (p *place) find(key string, old driver.Version) (*stored, error) {
	s := p.records[key]
	switch {
	case s == nil && p.vague:
		return nil, driver.ErrConflict
	case s == nil:
		return nil, driver.ErrNotFound
	case s.version != old:
		return nil, driver.ErrConflict
	}
	return s, nil
}

func (p *place) replace(rec driver.Record, old driver.Version) (driver.Version, error) {
	s, err := p.find(rec.Key, old)
	if err != nil {
		return "", err
	}
	s.rec, s.version = private(rec), p.newVersion()
	return s.version, nil
}

func (p *place) touch(rec driver.Record, old driver.Version) (driver.Version, error) {
	s, err := p.find(rec.Key, old)
	if err != nil {
		return "", err
	}
	s.rec.Expires, s.rec.Index, s.version = rec.Expires, rec.Index, p.newVersion()
	return s.version, nil
}

func (p *place) delete(key string, old driver.Version) error {
	if old != "" {
		if _, err := p.find(key, old); err != nil {
			return err
		}
	}
	p.remove(key)
	return nil
}

func (p *place) remove(key string) {
	if p.records[key] != nil {
		delete(p.records, key)
		p.order = slices.DeleteFunc(p.order, func(k string) bool { return k == key })
	}
}

func (p *place) scan() []driver.Record {
	var all []driver.Record
	for _, key := range p.order {
		all = append(all, private(p.records[key].rec))
	}
	return all
}

// purge deletes what expired before a time.
func (p *place) purge(before time.Time, limit int) int {
	if before.After(p.purgedTo) {
		p.purgedTo = before
	}
	n := 0
	for _, key := range slices.Clone(p.order) {
		if e := p.records[key].rec.Expires; n < limit && !e.IsZero() && e.Before(before) {
			p.remove(key)
			n++
		}
	}
	return n
}
