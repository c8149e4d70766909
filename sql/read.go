package sql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/websession/websession/session/driver"
)

// A page of Scan and Search ends when it has as many rows, or as many bytes.
const (
	pageRows  = 256
	pageBytes = 4 << 20
)

// row is what a SELECT answers: version, data, expires, the index fields, and
// where there are several rows session_key.
type row struct {
	version string
	data    []byte
	expires any
	key     string
	index   []any
	dest    []any

	// Room for a few fields, so that a row is one allocation.
	fewIndex [4]any
	fewDest  [8]any
}

func newRow(fields int, key bool) *row {
	r := &row{}
	r.index, r.dest = r.fewIndex[:0], r.fewDest[:0]
	if fields > len(r.fewIndex) {
		r.index = make([]any, 0, fields)
	}
	r.index = r.index[:fields]
	r.dest = append(r.dest, &r.version, &r.data, &r.expires)
	for i := range r.index {
		r.dest = append(r.dest, &r.index[i])
	}
	if key {
		r.dest = append(r.dest, &r.key)
	}
	return r
}

var errRow = errors.New("a column has a value of another type")

// record answers what was scanned. It takes the data, which are a copy.
func (r *row) record(fields []string) (driver.Record, driver.Version, error) {
	rec := driver.Record{Key: r.key, Data: r.data}
	switch ms := r.expires.(type) {
	case nil:
	case int64:
		rec.Expires = time.UnixMilli(ms).UTC()
	default:
		return driver.Record{}, "", errRow
	}
	for i, v := range r.index {
		var digest string
		switch v := v.(type) {
		case nil:
			continue
		case string:
			digest = v
		case []byte:
			digest = string(v)
		default:
			return driver.Record{}, "", errRow
		}
		if rec.Index == nil {
			rec.Index = make(map[string]string, len(fields))
		}
		rec.Index[fields[i]] = digest
	}
	if len(r.version) == 0 {
		return driver.Record{}, "", errRow
	}
	return rec, driver.Version(r.version), nil
}

// Load implements driver.Store.
func (s *Store) Load(ctx context.Context, key string) (driver.Record, driver.Version, error) {
	const op = "load"
	if err := s.enterRead(ctx); err != nil {
		return driver.Record{}, "", s.fail(op, err)
	}
	defer s.life.RUnlock()
	ctx, cancel := s.bound(ctx)
	defer cancel()
	r := newRow(len(s.fields), false)
	err := s.again(func() error { return s.load.row(ctx, s.bind(key), r.dest) })
	if errors.Is(err, sql.ErrNoRows) {
		return driver.Record{}, "", driver.ErrNotFound
	}
	if err != nil {
		return driver.Record{}, "", s.fail(op, err)
	}
	rec, version, err := r.record(s.fields)
	if err != nil {
		return driver.Record{}, "", s.damaged(op, err)
	}
	rec.Key = key
	return rec, version, nil
}

// again reads, and again while the database undoes that in favour of another
// statement, or had forgotten a prepared one. Where there is a single writer, a
// lock has been waited for.
func (s *Store) again(read func() error) error {
	for try := 1; ; try++ {
		err := read()
		if err == nil || try == busyTries || s.dialect.Writer != nil || s.dialect.Classify(err) != Busy {
			return err
		}
	}
}

func (s *Store) damaged(op string, reason error) error {
	return fmt.Errorf("%s: %s: %w: %w", s.dialect.Name, op, driver.ErrCorrupt, reason)
}

// Scan implements driver.Scanner.
func (s *Store) Scan(ctx context.Context) iter.Seq2[driver.Record, error] {
	return s.pages(ctx, "scan", &s.scan)
}

// Search implements driver.Searcher. A field that is not indexed is
// errors.ErrUnsupported.
func (s *Store) Search(ctx context.Context, field, digest string) iter.Seq2[driver.Record, error] {
	i := slices.Index(s.fields, field)
	if i < 0 {
		return func(yield func(driver.Record, error) bool) {
			err := s.enter(ctx)
			if err == nil {
				s.life.RUnlock()
				err = fmt.Errorf("%q is no index field: %w", field, errors.ErrUnsupported)
			}
			yield(driver.Record{}, s.fail("search", err))
		}
	}
	return s.pages(ctx, "search", &s.searches[i], s.bind(digest))
}

// pages yields the records of a SELECT, a page at a time: what a page holds is
// read before the first of it is yielded.
func (s *Store) pages(ctx context.Context, op string, q *query, args ...any) iter.Seq2[driver.Record, error] {
	return func(yield func(driver.Record, error) bool) {
		after := ""
		for more := true; more; {
			var page []driver.Record
			var err error
			page, more, err = s.page(ctx, op, q, append(slices.Clip(args), s.bind(after), pageRows))
			for _, rec := range page {
				after = rec.Key
				if !yield(rec, nil) {
					return
				}
			}
			if err != nil {
				yield(driver.Record{}, err)
				return
			}
		}
	}
}

// page answers the records of a page, and whether there may be another one.
func (s *Store) page(ctx context.Context, op string, q *query, args []any) (page []driver.Record, more bool, err error) {
	if err := s.enterRead(ctx); err != nil {
		return nil, false, s.fail(op, err)
	}
	defer s.life.RUnlock()
	ctx, cancel := s.bound(ctx)
	defer cancel()
	var rows *sql.Rows
	err = s.again(func() (err error) { rows, err = q.rows(ctx, args...); return err })
	if err != nil {
		return nil, false, s.fail(op, err)
	}
	defer rows.Close()
	size := 0
	for size < pageBytes && rows.Next() {
		r := newRow(len(s.fields), true)
		if err := rows.Scan(r.dest...); err != nil {
			return page, false, s.fail(op, err)
		}
		rec, _, err := r.record(s.fields)
		if err != nil {
			return page, false, s.damaged(op, err)
		}
		page = append(page, rec)
		size += len(rec.Data)
	}
	if size >= pageBytes {
		return page, true, nil
	}
	if err := rows.Err(); err != nil {
		return nil, false, s.fail(op, err)
	}
	return page, len(page) == pageRows, nil
}
