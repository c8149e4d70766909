package sql

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/websession/websession/internal/stored"
	"github.com/websession/websession/session/driver"
)

// Store keeps sessions in a table. It is safe for concurrent use, also with
// other Stores and other processes that use the same table.
//
// Close waits for calls that use the database, not for mutations that wait for
// the writer: these end with driver.ErrClosed.
type Store struct {
	dialect  *Dialect
	database Database
	db       *sql.DB // for reading
	table    string
	fields   []string
	texts    *statements
	writes   applier

	indexed            stored.Indexes
	short              shortcut
	load, scan, expiry query
	searches           []query // by field

	locks   *locks        // nil: there are none
	timeout time.Duration // of each call; 0: none
	release func() error
	life    sync.RWMutex  // held for reading by whoever uses the database
	done    chan struct{} // closed by Close
	closed  sync.Once
}

var (
	_ driver.Store    = (*Store)(nil)
	_ driver.Toucher  = (*Store)(nil)
	_ driver.Scanner  = (*Store)(nil)
	_ driver.Searcher = (*Store)(nil)
	_ driver.Purger   = (*Store)(nil)
	_ driver.Pinger   = (*Store)(nil)
	_ driver.Locker   = (*Store)(nil)
)

// applier applies one statement of a mutation in a transaction, and answers how
// many rows it affected.
type applier interface {
	apply(ctx context.Context, statement int, args []any) (int64, Outcome, error)

	// stop wakes whoever waits; close, when nobody is in apply, releases.
	stop()
	close() error
}

var _, _ applier = (*writer)(nil), (*direct)(nil)

// versionSize is the number of random bytes in a version.
const versionSize = 16

func newVersion() []byte {
	b := make([]byte, versionSize)
	rand.Read(b)
	return b
}

// enter begins a use of the database, which ends with s.life.RUnlock.
func (s *Store) enter(ctx context.Context) error {
	if s.isClosed() { // before a Close that waits for others
		return driver.ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	s.life.RLock()
	if s.isClosed() {
		s.life.RUnlock()
		return driver.ErrClosed
	}
	return nil
}

func (s *Store) isClosed() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

// enterRead is enter for what needs no write.
func (s *Store) enterRead(ctx context.Context) error {
	err := s.enter(ctx)
	if err == nil {
		if err = s.database.Check(false); err != nil {
			s.life.RUnlock()
		}
	}
	return err
}

// bound answers a context that ends when a call must have.
func (s *Store) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	if s.timeout <= 0 {
		return ctx, func() {}
	}
	if end, ok := ctx.Deadline(); ok && time.Until(end) <= s.timeout {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, s.timeout)
}

// bind answers a key, a version or a digest as the columns take it.
func (s *Store) bind(text string) any {
	if s.dialect.Binary {
		return []byte(text)
	}
	return text
}

// fail answers the error of an operation.
func (s *Store) fail(op string, err error) error {
	return fail(s.dialect, s.database, op, err)
}

func fail(d *Dialect, db Database, op string, err error) error {
	switch {
	case errors.Is(err, driver.ErrClosed), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
	case db != nil:
		err = db.Describe(err)
	}
	return fmt.Errorf("%s: %s: %w", d.Name, op, err)
}

// mutate applies a statement, and answers how many rows it affected.
func (s *Store) mutate(ctx context.Context, op string, statement int, args ...any) (int64, error) {
	if err := s.enter(ctx); err != nil {
		return 0, driver.NotApplied(s.fail(op, err))
	}
	defer s.life.RUnlock()
	if s.dialect.Writer == nil {
		var cancel context.CancelFunc
		ctx, cancel = s.bound(ctx)
		defer cancel()
	}
	n, outcome, err := s.writes.apply(ctx, statement, args)
	switch {
	case err == nil:
		return n, nil
	case outcome == Taken:
		return 0, driver.ErrExists
	case outcome == Unknown:
		return 0, driver.UnknownOutcome(s.fail(op, err))
	}
	return 0, driver.NotApplied(s.fail(op, err))
}

// Create implements driver.Store.
func (s *Store) Create(ctx context.Context, rec driver.Record) (driver.Version, error) {
	version, args, err := s.arguments("create", rec, true)
	if err != nil {
		return "", err
	}
	n, err := s.mutate(ctx, "create", insertRow, append(args, s.bind(rec.Key))...)
	switch {
	case err != nil:
		return "", err
	case n == 0:
		return "", driver.ErrExists
	}
	return version, nil
}

// Replace implements driver.Store. An absent record is driver.ErrConflict.
func (s *Store) Replace(ctx context.Context, rec driver.Record, old driver.Version) (driver.Version, error) {
	return s.update(ctx, "replace", replaceRow, rec, old)
}

// Touch implements driver.Toucher. An absent record is driver.ErrConflict.
func (s *Store) Touch(ctx context.Context, rec driver.Record, old driver.Version) (driver.Version, error) {
	return s.update(ctx, "touch", touchRow, rec, old)
}

func (s *Store) update(ctx context.Context, op string, statement int, rec driver.Record, old driver.Version) (driver.Version, error) {
	version, args, err := s.arguments(op, rec, statement == replaceRow)
	if err != nil {
		return "", err
	}
	n, err := s.mutate(ctx, op, statement, append(args, s.bind(rec.Key), []byte(old))...)
	switch {
	case err != nil:
		return "", err
	case n == 0:
		return "", driver.ErrConflict
	}
	return version, nil
}

// Delete implements driver.Store. With a version, an absent record is
// driver.ErrConflict.
func (s *Store) Delete(ctx context.Context, rec driver.Record, old driver.Version) error {
	const op = "delete"
	if old == "" {
		_, err := s.mutate(ctx, op, deleteRow, s.bind(rec.Key))
		return err
	}
	n, err := s.mutate(ctx, op, deleteVersion, s.bind(rec.Key), []byte(old))
	if err == nil && n == 0 {
		err = driver.ErrConflict
	}
	return err
}

// arguments answers a new version, and what the columns of a row are set to:
// version, data unless it stays, expires, index fields. Where there is a writer,
// which may be late, they share nothing with rec.
func (s *Store) arguments(op string, rec driver.Record, data bool) (driver.Version, []any, error) {
	var err error
	switch {
	case len(rec.Key) > driver.MaxKey:
		err = fmt.Errorf("the key has %d bytes, more than %d", len(rec.Key), driver.MaxKey)
	case len(rec.Data) > driver.MaxData:
		err = fmt.Errorf("the data has %d bytes, more than %d", len(rec.Data), driver.MaxData)
	default:
		if l, ok := s.database.(Limiter); ok && data {
			if most, advice := l.MaxData(); len(rec.Data) > most {
				err = fmt.Errorf("the data has %d bytes, more than %d: %s", len(rec.Data), most, advice)
			}
		}
	}
	for field, digest := range rec.Index {
		if len(digest) > driver.MaxKey { // a server may cut it instead of refusing it
			err = fmt.Errorf("the digest of %q has %d bytes, more than %d", field, len(digest), driver.MaxKey)
		}
	}
	if err != nil {
		return "", nil, driver.NotApplied(s.fail(op, err))
	}
	version := newVersion()
	args := make([]any, 0, 5+len(s.fields))
	args = append(args, version)
	if data {
		b := rec.Data
		if s.dialect.Writer != nil {
			b = bytes.Clone(b)
		}
		if b == nil { // which would be NULL
			b = []byte{}
		}
		args = append(args, b)
	}
	if rec.Expires.IsZero() {
		args = append(args, nil)
	} else {
		args = append(args, rec.Expires.UnixMilli())
	}
	for _, f := range s.fields {
		if digest, there := rec.Index[f]; there {
			args = append(args, s.bind(digest))
		} else {
			args = append(args, nil)
		}
	}
	return driver.Version(version), args, nil
}

// Ping implements driver.Pinger. It fails when the database must not be used any
// more, as when its file was deleted.
func (s *Store) Ping(ctx context.Context) (driver.Info, error) {
	const op = "ping"
	if err := s.enterRead(ctx); err != nil {
		return driver.Info{}, s.fail(op, err)
	}
	defer s.life.RUnlock()
	info, err := s.info(ctx)
	if err != nil {
		return driver.Info{}, s.fail(op, err)
	}
	info.Facts["table"] = s.table
	return info, nil
}

func (s *Store) info(ctx context.Context) (driver.Info, error) {
	ctx, cancel := s.bound(ctx)
	defer cancel()
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return driver.Info{}, err
	}
	defer conn.Close()
	return s.database.Info(ctx, conn)
}

// Close implements driver.Store.
func (s *Store) Close() (err error) {
	s.closed.Do(func() {
		close(s.done)
		s.writes.stop()
		s.life.Lock()
		defer s.life.Unlock()
		err = s.writes.close()
		s.closeReads()
		err = errors.Join(err, s.release())
	})
	return err
}

// millis answers a time so that whatever expires before it has a smaller number.
func millis(t time.Time) int64 {
	ms := t.UnixMilli()
	if t.After(time.UnixMilli(ms)) {
		ms++
	}
	return ms
}
