package sql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Options are what may be chosen for New and Open.
type Options struct {
	Table   string       // "" means DefaultTable
	Indexed []string     // names of the index fields, as in driver.OpenOptions
	Warn    func(string) // takes remarks for people; nil or safe for concurrent use

	// Timeout bounds each call, as the deadline of its context does; 0 means that
	// only the context does. Where there is a single writer, it bounds reading.
	Timeout time.Duration

	// Locks is the pool of the connections that hold locks, one lock each. It is
	// not that of the store, bounds how many locks are held (SetMaxOpenConns), and
	// is closed by whoever made it. With it the requests of a session queue. Nil:
	// Lock is errors.ErrUnsupported, and nothing is locked.
	Locks    *sql.DB
	LockWait time.Duration           // how long Lock waits; 0 means 10 s
	LockName func(key string) string // names of locks; nil: the dialect's

	// The rest is for packages that open the database themselves.

	Writer *sql.DB      // pool of the connections that write; nil: the same as for reading
	Close  func() error // called once, by Store.Close, when nothing is used any more; not by Open that fails
}

// openWait bounds New.
const openWait = 30 * time.Second

// New opens a store in a pool of the application, which stays open when the
// store is closed. Where the dialect asks for a single writer, the store keeps
// one connection of the pool for itself, so the pool must allow two. o may be
// nil. The caller closes the store.
func New(db *sql.DB, dialect Dialect, o *Options) (*Store, error) {
	ctx, cancel := context.WithTimeout(context.Background(), openWait)
	defer cancel()
	return Open(ctx, db, dialect, o)
}

// Open is New with a context, which the store outlives.
func Open(ctx context.Context, db *sql.DB, dialect Dialect, o *Options) (*Store, error) {
	if o == nil {
		o = &Options{}
	}
	s := &Store{
		dialect: &dialect,
		db:      db,
		table:   o.Table,
		fields:  slices.Clone(o.Indexed),
		release: o.Close,
		timeout: o.Timeout,
		done:    make(chan struct{}),
		short:   shortcut{native: dialect.Native},
	}
	if s.release == nil {
		s.release = func() error { return nil }
	}
	warn := o.Warn
	if warn == nil {
		warn = func(string) {}
	}
	if err := s.open(ctx, o, warn); err != nil {
		return nil, fail(&dialect, s.database, "open", err)
	}
	return s, nil
}

func (s *Store) open(ctx context.Context, o *Options, warn func(string)) error {
	if s.table == "" {
		s.table = DefaultTable
	}
	if err := CheckTable(s.table); err != nil {
		return fmt.Errorf("the table %.40q %w", s.table, err)
	}
	if err := checkFields(s.fields); err != nil {
		return err
	}
	if o.Locks != nil {
		var err error
		if s.locks, err = newLocks(s, o); err != nil {
			return err
		}
	}
	writers := o.Writer
	if writers == nil {
		if writers = s.db; s.dialect.Writer != nil && s.db.Stats().MaxOpenConnections == 1 {
			return errors.New("the pool allows one connection, and the store keeps one for writing: allow two or more (SetMaxOpenConns)")
		}
	}
	s.texts = build(s.dialect, s.table, s.fields)
	if err := s.openWrites(ctx, writers, warn); err != nil {
		return err
	}
	err := s.openReads(ctx)
	if err == nil {
		var remarks []string
		if remarks, err = s.remarks(ctx); err == nil {
			for _, r := range remarks {
				warn(r)
			}
			return nil
		}
	}
	s.writes.stop()
	s.closeReads()
	return errors.Join(err, s.writes.close())
}

// openWrites attaches the database, makes the schema, and starts what writes.
func (s *Store) openWrites(ctx context.Context, db *sql.DB, warn func(string)) error {
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	if s.database, err = s.dialect.Attach(ctx, conn, s.table); err == nil {
		err = schema{s.dialect, s.table, s.fields, warn}.ready(ctx, conn)
	}
	switch {
	case err != nil:
		drop(conn)
	case s.dialect.Writer != nil:
		var w *writer
		if w, err = newWriter(ctx, db, conn, s.dialect, s.database, s.texts); err == nil {
			s.writes = w
		}
	default:
		conn.Close()
		var d *direct
		if d, err = newDirect(ctx, db, s.dialect, s.database, s.texts, &s.short); err == nil {
			s.writes = d
		}
	}
	return err
}

func (s *Store) openReads(ctx context.Context) (err error) {
	prepare := func(text string) (q query) {
		if err == nil {
			q, err = newQuery(ctx, s.db, s.dialect, &s.short, text)
		}
		return q
	}
	s.load, s.scan, s.expiry = prepare(s.texts.load), prepare(s.texts.scan), prepare(s.texts.expiry)
	s.searches = make([]query, len(s.texts.searches))
	for i, text := range s.texts.searches {
		s.searches[i] = prepare(text)
	}
	return err
}

func (s *Store) closeReads() {
	for _, q := range append(s.searches, s.load, s.scan, s.expiry) {
		q.close()
	}
}

func (s *Store) remarks(ctx context.Context) ([]string, error) {
	info, err := s.info(ctx)
	return info.Warnings, err
}
