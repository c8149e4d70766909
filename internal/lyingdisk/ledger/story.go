package ledger

import (
	"context"
	"errors"
	"time"

	"github.com/websession/websession/session/driver"
)

// Story asks a store, one call after the other, for everything that it can do,
// while something of it fails, and answers what the store said that was not so.
// An error is no lie. It always asks for the same, as far as the answers allow.
func (l *Ledger) Story(s driver.Store) error {
	st := &story{l: l, s: s}
	a := st.write("a", "")
	st.write("b", "")
	if a != "" {
		a = st.write("a", a)
		a = st.touch("a", a)
	}
	st.search("a")
	st.scan()
	if a != "" {
		st.delete("a", a)
	}
	st.delete("b", "")
	st.delete("b", "")
	st.write("a", "") // at its place was another one
	st.write("a", "another version")
	st.purge()
	if p, ok := s.(driver.Pinger); ok {
		p.Ping(context.Background())
	}
	return errors.Join(st.lies...)
}

type story struct {
	l    *Ledger
	s    driver.Store
	lies []error
}

func (st *story) hear(err error) {
	if err != nil {
		st.lies = append(st.lies, err)
	}
}

// write creates a record, or replaces one, and answers its version.
func (st *story) write(key string, old driver.Version) driver.Version {
	op := st.l.Write(key)
	var err error
	if old == "" {
		_, err = st.s.Create(context.Background(), op.Record())
	} else {
		_, err = st.s.Replace(context.Background(), op.Record(), old)
	}
	op.Done(err)
	return st.load(key)
}

func (st *story) touch(key string, old driver.Version) driver.Version {
	t, ok := st.s.(driver.Toucher)
	if !ok {
		return old
	}
	rec := driver.Record{Key: key, Expires: Until.Add(time.Hour), Index: map[string]string{"user": "u-" + key}}
	t.Touch(context.Background(), rec, old)
	return st.load(key)
}

func (st *story) load(key string) driver.Version {
	rec, v, err := st.s.Load(context.Background(), key)
	st.hear(st.l.Heard(key, rec, err))
	return v
}

func (st *story) delete(key string, old driver.Version) {
	op := st.l.Delete(key)
	op.Done(st.s.Delete(context.Background(), driver.Record{Key: key, Was: map[string]string{"user": "u-" + key}}, old))
	st.load(key)
}

func (st *story) scan() {
	scanner, ok := st.s.(driver.Scanner)
	if !ok {
		return
	}
	var found []driver.Record
	for rec, err := range scanner.Scan(context.Background()) {
		if err != nil {
			return
		}
		found = append(found, rec)
	}
	st.hear(st.l.Seen(found))
}

// search looks for the one record that has the field of key.
func (st *story) search(key string) {
	s, ok := st.s.(driver.Searcher)
	if !ok {
		return
	}
	var rec driver.Record
	err := driver.ErrNotFound
	for found, failed := range s.Search(context.Background(), "user", "u-"+key) {
		rec, err = found, failed
	}
	st.hear(st.l.Heard(key, rec, err))
}

// purge leaves a record that has expired, and purges.
func (st *story) purge() {
	p, ok := st.s.(driver.Purger)
	if !ok {
		return
	}
	const key = junk + "old"
	ctx := context.Background()
	st.s.Create(ctx, driver.Record{Key: key, Data: []byte("old"), Expires: time.UnixMilli(1).UTC()})
	const limit = 10
	n, err := p.Purge(ctx, time.Now(), limit)
	if _, _, there := st.s.Load(ctx, key); there == nil && err == nil && n < limit {
		st.hear(errors.New("a purge that met no error left a record that has expired"))
	}
}
