package file

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"sync"

	"github.com/websession/websession/session/driver"
)

// Store keeps sessions in a folder. It is safe for concurrent use, also with
// other Stores and other processes that use the same folder.
//
// Close waits for calls that work on files, not for those that wait for a lock:
// these end with driver.ErrClosed.
type Store struct {
	directory  string // for people
	durability Durability
	warn       func(string)
	root       *os.Root
	dir        *os.File               // the same folder
	owner      *owner                 // of new files; nil: nothing to do
	sync       func(*os.File) error   // flush; tests replace it
	stripes    [folders]chan struct{} // one token each
	rooted     [folders]bool          // the folder is known to survive a power cut; used with its stripe
	purging    chan struct{}          // one token, guards cursor
	cursor     cursor                 // where Purge goes on
	foreign    sync.Once              // the remark about foreign files

	life   sync.RWMutex  // held for reading by whoever uses root or dir
	done   chan struct{} // closed by Close
	closed sync.Once
}

type owner struct{ uid, gid int }

var (
	_ driver.Store    = (*Store)(nil)
	_ driver.Scanner  = (*Store)(nil)
	_ driver.Searcher = (*Store)(nil)
	_ driver.Purger   = (*Store)(nil)
	_ driver.Pinger   = (*Store)(nil)
)

// enter begins a use of the folder, which ends with s.life.RUnlock.
func (s *Store) enter(ctx context.Context) error {
	s.life.RLock()
	var err error
	select {
	case <-s.done:
		err = driver.ErrClosed
	default:
		err = ctx.Err()
	}
	if err != nil {
		s.life.RUnlock()
	}
	return err
}

// Close implements driver.Store.
func (s *Store) Close() error {
	s.closed.Do(func() {
		close(s.done)
		s.life.Lock()
		defer s.life.Unlock()
		s.cursor.close()
		s.dir.Close() // of nil, too, when open failed
		if s.root != nil {
			s.root.Close()
		}
	})
	return nil
}

// Load implements driver.Store. It takes no lock.
func (s *Store) Load(ctx context.Context, key string) (driver.Record, driver.Version, error) {
	if err := s.enter(ctx); err != nil {
		return driver.Record{}, "", fail("load", "not begun", err)
	}
	defer s.life.RUnlock()
	h, rec, err := s.read(placeOf(key))
	if err == nil && string(h.key) != key {
		err = errOtherKey
	}
	switch {
	case err == nil:
		rec.Key = key
		return rec, h.Version(), nil
	case errors.Is(err, fs.ErrNotExist):
		return driver.Record{}, "", driver.ErrNotFound
	case isDamage(err):
		return driver.Record{}, "", damaged("load", err)
	}
	return driver.Record{}, "", fail("load", "reading the file", err)
}

// read reads and checks the whole record at p. The record has no Key yet.
func (s *Store) read(p place) (header, driver.Record, error) {
	f, info, err := s.openFile(p.folder(), p.name())
	if err != nil {
		return header{}, driver.Record{}, err
	}
	defer f.Close()
	if info.Size() > maxFile {
		return header{}, driver.Record{}, errSize
	}
	b := make([]byte, info.Size())
	if err := readFull(f, b); err != nil {
		return header{}, driver.Record{}, err
	}
	return parse(b)
}

// readHeader reads and checks the header of the record at p, whose data may be
// damaged.
func (s *Store) readHeader(p place) (header, error) {
	f, info, err := s.openFile(p.folder(), p.name())
	if err != nil {
		return header{}, err
	}
	defer f.Close()
	b := make([]byte, min(info.Size(), maxHeader))
	if err := readFull(f, b); err != nil {
		return header{}, err
	}
	h, err := parseHeader(b, info.Size())
	if err == nil && !p.holds(h.key) {
		err = errOtherKey
	}
	return h, err
}

// readFull fills b. A file that ends too early was cut by somebody: records
// never change under their name.
func readFull(f *os.File, b []byte) error {
	_, err := io.ReadFull(f, b)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return errSize
	}
	return err
}

// check reports, under the lock, why the record at p is not there in version
// old. Every error says that nothing was applied.
func (s *Store) check(op string, p place, old driver.Version) error {
	h, err := s.readHeader(p)
	switch {
	case err == nil && h.Version() == old:
		return nil
	case err == nil:
		return driver.ErrConflict
	case errors.Is(err, fs.ErrNotExist):
		return driver.ErrNotFound
	case isDamage(err):
		return driver.NotApplied(damaged(op, err))
	}
	return driver.NotApplied(fail(op, "reading the file", err))
}

// lookFor reports, under the lock, what is at p: nil for a file, an error that
// matches fs.ErrNotExist for nothing.
func (s *Store) lookFor(p place) error {
	folder, err := s.root.Lstat(p.folder())
	if err != nil {
		return err
	}
	if !folder.IsDir() {
		return errNotFolder
	}
	info, err := s.root.Lstat(p.path)
	if err == nil && !info.Mode().IsRegular() {
		err = errNotFile
	}
	return err
}
