package file

import (
	"context"
	"errors"
	"iter"
	"os"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/websession/websession/session/driver"
)

const (
	searchers  = 8       // at most; more than processors, since disks answer several at once
	searchSize = 1 << 10 // bytes that are read of each record: its header and, nearly always, its index
)

// errNoMatch says that a record is not what Search looks for.
var errNoMatch = errors.New("another record")

// Search implements driver.Searcher. It reads the front part of every record,
// in several folders at once, and the whole of those that it yields. It yields
// no others, each as Scan would.
//
// There is no index apart from the records. It could miss one after a power cut,
// or when a backup comes back, and the session would outlive the logout of its
// user.
func (s *Store) Search(ctx context.Context, field, digest string) iter.Seq2[driver.Record, error] {
	return func(yield func(driver.Record, error) bool) {
		type result struct {
			rec driver.Record
			err error
		}
		ctx, cancel := context.WithCancel(ctx)
		found := make(chan result)
		defer func() { // also when the loop panics: nothing runs on
			cancel()
			for range found {
			}
		}()
		send := func(rec driver.Record, err error) bool {
			found <- result{rec, err}
			return err == nil
		}
		var next atomic.Int32
		var workers sync.WaitGroup
		for range min(searchers, 2*runtime.GOMAXPROCS(0)) {
			workers.Go(func() {
				read := s.matcher(field, digest)
				for i := next.Add(1) - 1; i < folders; i = next.Add(1) - 1 {
					if !s.scanFolder(ctx, folderName(byte(i)), read, send) {
						return
					}
				}
			})
		}
		go func() {
			workers.Wait()
			close(found)
		}()
		for f := range found {
			if !yield(f.rec, f.err) || f.err != nil {
				return
			}
		}
	}
}

// matcher answers a function that reads the record at a place, which lies in
// dir, or answers errNoMatch. It is not safe for concurrent use.
func (s *Store) matcher(field, digest string) func(context.Context, *os.File, place) (driver.Record, error) {
	buf := make([]byte, searchSize)
	return func(ctx context.Context, dir *os.File, p place) (driver.Record, error) {
		index, err := s.peek(ctx, dir, p, buf)
		if err != nil {
			return driver.Record{}, err
		}
		if got, ok := index[field]; index != nil && (!ok || got != digest) {
			return driver.Record{}, errNoMatch
		}
		// Only now the checksum of the index is looked at, and it may be another
		// record by now.
		rec, err := s.scanFile(ctx, dir, p)
		if err != nil {
			return driver.Record{}, err
		}
		if got, ok := rec.Index[field]; !ok || got != digest {
			return driver.Record{}, errNoMatch
		}
		return rec, nil
	}
}

// peek answers the index of the record at p, unless buf is too small for it.
func (s *Store) peek(ctx context.Context, dir *os.File, p place, buf []byte) (map[string]string, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.life.RUnlock()
	n, size, err := s.readFront(dir, p, buf)
	if err != nil {
		return nil, err
	}
	h, err := parseHeader(buf[:n], size)
	if err != nil || h.size+h.index > n {
		return nil, err
	}
	index, err := parseIndex(buf[h.size:h.size+h.index], h.fields)
	if err == nil && index == nil {
		err = errNoMatch // it has none
	}
	return index, err
}
