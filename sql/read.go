package sql

import (
	"context"
	"database/sql"
	"encoding/binary"
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
	index   indexColumns
	key     string
	dest    []any

	fewDest [8]any // room for a few columns, so that a row is one allocation
}

func newRow(fields int, key bool) *row {
	r := &row{}
	r.index.reset()
	r.dest = append(r.fewDest[:0], &r.version, &r.data, &r.expires)
	for range fields {
		r.dest = append(r.dest, &r.index)
	}
	if key {
		r.dest = append(r.dest, &r.key)
	}
	return r
}

// indexColumns is where the columns of the index fields are read into, one after
// the other: for each a byte, 0 for NULL, and else the length and the digest.
type indexColumns struct {
	columns []byte
	there   bool // one of them is not NULL
	odd     bool // one of them has another type

	few [64]byte
}

func (x *indexColumns) reset() { x.columns, x.there, x.odd = x.few[:0], false, false }

// Scan implements sql.Scanner.
func (x *indexColumns) Scan(v any) error {
	switch v := v.(type) {
	case nil:
		x.columns = append(x.columns, 0)
	case string:
		x.add([]byte(v))
	case []byte:
		x.add(v)
	default:
		x.odd = true
	}
	return nil
}

func (x *indexColumns) add(digest []byte) {
	x.there = true
	x.columns = append(binary.AppendUvarint(append(x.columns, 1), uint64(len(digest))), digest...)
}

// decodeColumns answers the index that columns of fields are.
func decodeColumns(columns []byte, fields []string) map[string]string {
	index := make(map[string]string, len(fields))
	for _, f := range fields {
		there := columns[0] == 1
		if columns = columns[1:]; !there {
			continue
		}
		n, size := binary.Uvarint(columns)
		index[f] = string(columns[size:][:n])
		columns = columns[size+int(n):]
	}
	return index
}

var errRow = errors.New("a column has a value of another type")

// record answers what was scanned. It takes the data, which are a copy.
func (s *Store) record(r *row) (driver.Record, driver.Version, error) {
	rec := driver.Record{Key: r.key, Data: r.data}
	switch ms := r.expires.(type) {
	case nil:
	case int64:
		rec.Expires = time.UnixMilli(ms).UTC()
	default:
		return driver.Record{}, "", errRow
	}
	if len(r.version) == 0 || r.index.odd {
		return driver.Record{}, "", errRow
	}
	if r.index.there {
		rec.Index, _ = s.indexed.Get(r.index.columns, func(b []byte) (map[string]string, error) {
			return decodeColumns(b, s.fields), nil
		})
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
	err := s.again(func() error {
		r.index.reset()
		return s.load.row(ctx, s.bind(key), r.dest)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return driver.Record{}, "", driver.ErrNotFound
	}
	if err != nil {
		return driver.Record{}, "", s.fail(op, err)
	}
	rec, version, err := s.record(r)
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
		rec, _, err := s.record(r)
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
