// Package bolt keeps sessions in one file of go.etcd.io/bbolt: class "Bolt",
// URLs bolt:///var/lib/app/sessions.db. It is the example of docs/drivers.md.
//
// The property file names the file. It is made, mode 0600, in a folder that
// exists. The stores of a process share it; while one of them is open, other
// processes cannot open it. A mutation that has returned survives a power cut, if
// the disk keeps what it was told to keep.
package bolt

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/url"
	"sync"
	"time"

	"go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"

	"github.com/websession/websession/session/driver"
)

func init() { driver.Register(Driver{}) }

// Driver is the class "Bolt".
type Driver struct{}

// Class implements driver.Driver.
func (Driver) Class() driver.Class {
	return driver.Class{Name: "Bolt", Schemes: []string{"bolt"}}
}

// Configure implements driver.Driver.
func (Driver) Configure(d *driver.Decoder) (driver.Connector, error) {
	return connector{file: d.Required("file", "the file that keeps the sessions")}, nil
}

// ParseURL implements driver.URLParser: bolt:///folder/sessions.db.
func (Driver) ParseURL(u *url.URL) (map[string]any, error) {
	if u.User != nil || u.Host != "" || u.Opaque != "" || u.Path == "" {
		return nil, errors.New("it should look like bolt:///folder/sessions.db")
	}
	return map[string]any{"file": u.Path}, nil
}

type connector struct{ file string }

// Open implements driver.Connector.
func (c connector) Open(ctx context.Context, _ driver.OpenOptions) (driver.Store, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	db, err := acquire(c.file)
	if err != nil {
		return nil, fmt.Errorf("file %q: %w", c.file, err)
	}
	return &Store{db: db, done: make(chan struct{})}, nil
}

// The buckets of a file: the entries of all records by key, and the keys of
// those that expire, by deadline and key.
var sessions, deadlines = []byte("sessions"), []byte("deadlines")

// entry is how a record is stored.
type entry struct {
	Version []byte
	Expires time.Time
	Index   map[string]string
	Data    []byte
}

// encode makes the entry of rec in a new version.
func encode(rec driver.Record) ([]byte, driver.Version, error) {
	if rec.Key == "" || len(rec.Key) > driver.MaxKey || len(rec.Data) > driver.MaxData {
		return nil, "", driver.NotApplied(errors.New("the record is beyond the limits"))
	}
	version := make([]byte, 16)
	rand.Read(version)
	value, err := json.Marshal(entry{version, rec.Expires, rec.Index, rec.Data})
	return value, driver.Version(version), driver.NotApplied(err)
}

// decode answers a record that shares nothing with value.
func decode(key, value []byte) (driver.Record, driver.Version, error) {
	var e entry
	if err := json.Unmarshal(value, &e); err != nil || len(e.Version) == 0 {
		return driver.Record{}, "", driver.ErrCorrupt
	}
	return driver.Record{Key: string(key), Data: e.Data, Expires: e.Expires, Index: e.Index}, driver.Version(e.Version), nil
}

// deadline answers the name of a record in the bucket deadlines. Such names sort
// by time.
func deadline(t time.Time, key string) []byte {
	return []byte(t.UTC().Format("2006-01-02T15:04:05.000 ") + key)
}

// get answers the record of key and its version.
func get(tx *bbolt.Tx, key string) (driver.Record, driver.Version, error) {
	value := tx.Bucket(sessions).Get([]byte(key))
	if value == nil {
		return driver.Record{}, "", driver.ErrNotFound
	}
	return decode([]byte(key), value)
}

// put stores a record where there is none.
func put(tx *bbolt.Tx, rec driver.Record, value []byte) error {
	if !rec.Expires.IsZero() {
		if err := tx.Bucket(deadlines).Put(deadline(rec.Expires, rec.Key), []byte(rec.Key)); err != nil {
			return err
		}
	}
	return tx.Bucket(sessions).Put([]byte(rec.Key), value)
}

// remove deletes a record that get answered.
func remove(tx *bbolt.Tx, rec driver.Record) error {
	if err := tx.Bucket(deadlines).Delete(deadline(rec.Expires, rec.Key)); err != nil {
		return err
	}
	return tx.Bucket(sessions).Delete([]byte(rec.Key))
}

// Store keeps sessions in a file.
type Store struct {
	db     *database
	done   chan struct{} // closed by Close
	closed sync.Once
}

var (
	_ driver.Store   = (*Store)(nil)
	_ driver.Scanner = (*Store)(nil)
	_ driver.Purger  = (*Store)(nil)
	_ driver.Pinger  = (*Store)(nil)
)

// usable reports why no call can be served.
func (s *Store) usable(ctx context.Context) error {
	select {
	case <-s.done:
		return driver.ErrClosed
	default:
		return driver.NotApplied(ctx.Err())
	}
}

// read runs do in a transaction that sees one state of the file.
func (s *Store) read(ctx context.Context, do func(*bbolt.Tx) error) error {
	if err := s.usable(ctx); err != nil {
		return err
	}
	err := s.db.View(do)
	if errors.Is(err, bbolterrors.ErrDatabaseNotOpen) {
		return driver.ErrClosed // meanwhile
	}
	return err
}

// write runs do in a transaction that is committed if do answers nil. It waits
// for other writers no longer than its context and its store live.
func (s *Store) write(ctx context.Context, do func(*bbolt.Tx) error) error {
	select {
	case s.db.writer <- struct{}{}:
		defer func() { <-s.db.writer }()
	case <-ctx.Done():
	case <-s.done:
	}
	if err := s.usable(ctx); err != nil {
		return err
	}
	var refusal error
	err := s.db.Update(func(tx *bbolt.Tx) error {
		refusal = do(tx)
		return refusal
	})
	switch {
	case refusal != nil:
		return driver.NotApplied(refusal) // rolled back
	case errors.Is(err, bbolterrors.ErrDatabaseNotOpen):
		return driver.ErrClosed // not begun
	}
	return driver.UnknownOutcome(err) // Commit failed, or nil
}

// Create implements driver.Store.
func (s *Store) Create(ctx context.Context, rec driver.Record) (driver.Version, error) {
	value, version, err := encode(rec)
	if err != nil {
		return "", err
	}
	return version, s.write(ctx, func(tx *bbolt.Tx) error {
		if tx.Bucket(sessions).Get([]byte(rec.Key)) != nil {
			return driver.ErrExists
		}
		return put(tx, rec, value)
	})
}

// Load implements driver.Store.
func (s *Store) Load(ctx context.Context, key string) (rec driver.Record, version driver.Version, err error) {
	err = s.read(ctx, func(tx *bbolt.Tx) (err error) {
		rec, version, err = get(tx, key)
		return err
	})
	return rec, version, err
}

// Replace implements driver.Store.
func (s *Store) Replace(ctx context.Context, rec driver.Record, old driver.Version) (driver.Version, error) {
	value, version, err := encode(rec)
	if err != nil {
		return "", err
	}
	return version, s.write(ctx, func(tx *bbolt.Tx) error {
		was, v, err := get(tx, rec.Key)
		switch {
		case err != nil:
			return err
		case v != old:
			return driver.ErrConflict
		}
		return errors.Join(remove(tx, was), put(tx, rec, value))
	})
}

// Delete implements driver.Store.
func (s *Store) Delete(ctx context.Context, rec driver.Record, old driver.Version) error {
	return s.write(ctx, func(tx *bbolt.Tx) error {
		was, v, err := get(tx, rec.Key)
		switch {
		case old == "" && errors.Is(err, driver.ErrNotFound):
			return nil
		case old == "" && errors.Is(err, driver.ErrCorrupt):
			return tx.Bucket(sessions).Delete([]byte(rec.Key)) // Purge finds its deadline
		case err != nil:
			return err
		case old != "" && v != old:
			return driver.ErrConflict
		}
		return remove(tx, was)
	})
}

// Close implements driver.Store.
func (s *Store) Close() (err error) {
	s.closed.Do(func() {
		close(s.done)
		err = s.db.release()
	})
	return err
}

// pageSize is how many bytes Scan reads in one transaction, more or less.
const pageSize = 256 << 10

// Scan implements driver.Scanner. No transaction is open while the loop runs: a
// writer that must grow the file would wait for it.
func (s *Store) Scan(ctx context.Context) iter.Seq2[driver.Record, error] {
	return func(yield func(driver.Record, error) bool) {
		for after := ""; ; {
			page, last, err := s.page(ctx, after)
			if err != nil {
				yield(driver.Record{}, err)
				return
			}
			for _, rec := range page {
				if !yield(rec, nil) {
					return
				}
			}
			if last == "" {
				return
			}
			after = last
		}
	}
}

// page answers the next records behind a key, and the last key that it has
// seen. What cannot be read is left out.
func (s *Store) page(ctx context.Context, after string) (page []driver.Record, last string, err error) {
	err = s.read(ctx, func(tx *bbolt.Tx) error {
		c, size := tx.Bucket(sessions).Cursor(), 0
		for k, v := c.Seek([]byte(after + "\x00")); k != nil && size < pageSize; k, v = c.Next() {
			if rec, _, err := decode(k, v); err == nil {
				page = append(page, rec)
			}
			last, size = string(k), size+len(v)
		}
		return nil
	})
	return page, last, err
}

// Purge implements driver.Purger.
func (s *Store) Purge(ctx context.Context, before time.Time, limit int) (n int, err error) {
	end := deadline(before.Add(time.Millisecond-1), "") // rounded up to milliseconds
	err = s.write(ctx, func(tx *bbolt.Tx) error {
		c := tx.Bucket(deadlines).Cursor()
		for n < limit {
			name, key := c.First()
			if name == nil || bytes.Compare(name, end) >= 0 {
				return nil
			}
			rec, _, err := get(tx, string(key))
			if err == nil && bytes.Equal(name, deadline(rec.Expires, rec.Key)) {
				n++
				err = remove(tx, rec)
			} else { // Delete could not read the record that had this deadline
				err = tx.Bucket(deadlines).Delete(name)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

// Ping implements driver.Pinger.
func (s *Store) Ping(ctx context.Context) (info driver.Info, err error) {
	err = s.read(ctx, func(tx *bbolt.Tx) error {
		info.Server = "bbolt"
		info.Facts = map[string]string{"file": s.db.path, "size": fmt.Sprint(tx.Size(), " bytes")}
		info.Guarantee = "A kill of the application or a power cut loses nothing that was answered."
		return nil
	})
	return info, err
}
