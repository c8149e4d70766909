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
		done:    make(chan struct{}),
	}
	if s.release == nil {
		s.release = func() error { return nil }
	}
	warn := o.Warn
	if warn == nil {
		warn = func(string) {}
	}
	if err := s.open(ctx, o.Writer, warn); err != nil {
		return nil, fail(&dialect, s.database, "open", err)
	}
	return s, nil
}

func (s *Store) open(ctx context.Context, writers *sql.DB, warn func(string)) error {
	if s.table == "" {
		s.table = DefaultTable
	}
	if err := CheckTable(s.table); err != nil {
		return fmt.Errorf("the table %.40q %w", s.table, err)
	}
	if err := checkFields(s.fields); err != nil {
		return err
	}
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
	if s.database, err = s.dialect.Attach(ctx, conn); err == nil {
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
		err = conn.Close()
		s.writes = &direct{db, s.dialect, s.database, s.texts.mutation}
	}
	return err
}

func (s *Store) openReads(ctx context.Context) (err error) {
	prepare := func(text string) *sql.Stmt {
		if err != nil {
			return nil
		}
		var stmt *sql.Stmt
		stmt, err = s.db.PrepareContext(ctx, text)
		return stmt
	}
	s.load, s.scan, s.expiry = prepare(s.texts.load), prepare(s.texts.scan), prepare(s.texts.expiry)
	for _, text := range s.texts.searches {
		s.searches = append(s.searches, prepare(text))
	}
	return err
}

func (s *Store) closeReads() {
	for _, stmt := range append(s.searches, s.load, s.scan, s.expiry) {
		if stmt != nil {
			stmt.Close()
		}
	}
}

func (s *Store) remarks(ctx context.Context) ([]string, error) {
	info, err := s.info(ctx)
	return info.Warnings, err
}
