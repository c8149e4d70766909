package file

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"iter"
	"os"

	"github.com/websession/websession/session/driver"
)

// batch is how many names of a folder are held at a time.
const batch = 256

// Scan implements driver.Scanner. Files that are no session, or are damaged, are
// left out; a remark about them goes to Warn once.
func (s *Store) Scan(ctx context.Context) iter.Seq2[driver.Record, error] {
	return func(yield func(driver.Record, error) bool) {
		for i := range folders {
			if !s.scanFolder(ctx, folderName(byte(i)), s.scanFile, yield) {
				return
			}
		}
	}
}

// scanFolder yields what read answers for the records of a folder, and reports
// whether to go on. It uses the root only between two yields, so that the loop
// may close the store.
func (s *Store) scanFolder(ctx context.Context, folder string,
	read func(context.Context, *os.File, place) (driver.Record, error), yield func(driver.Record, error) bool) bool {
	var l listing
	defer l.close()
	for {
		name, err := s.nextName(ctx, folder, &l)
		if name == "" && err == nil {
			return true
		}
		var rec driver.Record
		if err == nil {
			rec, err = read(ctx, l.dir, place{path: folder + "/" + name})
		}
		switch {
		case err == nil:
			if !yield(rec, nil) {
				return false
			}
		case isDamage(err):
			s.remarkForeign()
		case err == errNoMatch, errors.Is(err, fs.ErrNotExist): // it went meanwhile
		default:
			yield(driver.Record{}, fail("scan", "reading", err))
			return false
		}
	}
}

func (s *Store) nextName(ctx context.Context, folder string, l *listing) (string, error) {
	if err := s.enter(ctx); err != nil {
		return "", err
	}
	defer s.life.RUnlock()
	return s.next(folder, l)
}

func (s *Store) scanFile(ctx context.Context, _ *os.File, p place) (driver.Record, error) {
	if err := s.enter(ctx); err != nil {
		return driver.Record{}, err
	}
	defer s.life.RUnlock()
	h, rec, err := s.read(p)
	if err == nil && !p.holds(h.key) {
		err = errOtherKey
	}
	if err != nil {
		return driver.Record{}, err
	}
	rec.Key = string(h.key)
	return rec, nil
}

// listing reads the names in a folder, batch by batch.
type listing struct {
	dir   *os.File
	names []string
	end   bool
}

// next answers the next name of a record in a folder, or "" at the end, which
// includes a folder that is not there.
func (s *Store) next(folder string, l *listing) (string, error) {
	if l.dir == nil && !l.end {
		dir, err := s.openFolder(folder)
		if err == errNotFolder {
			s.remarkForeign()
		}
		if err == errNotFolder || errors.Is(err, fs.ErrNotExist) {
			l.end = true
			return "", nil
		}
		if err != nil {
			return "", err
		}
		l.dir = dir
	}
	for {
		for len(l.names) > 0 {
			name := l.names[0]
			l.names = l.names[1:]
			if isHex(name, nameSize) {
				return name, nil
			}
			s.remarkForeign()
		}
		if l.end {
			return "", nil
		}
		names, err := l.dir.Readdirnames(batch)
		l.names = names
		l.end = err == io.EOF || errors.Is(err, fs.ErrNotExist) // a purge removed it
		if err != nil && !l.end {
			return "", err
		}
	}
}

func (l *listing) close() {
	if l.dir != nil {
		l.dir.Close()
	}
	*l = listing{}
}
