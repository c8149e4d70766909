package file

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"time"

	"github.com/websession/websession/session/driver"
)

// purgeWait is how long Purge waits for one lock. Locks are held for the time of
// a rename, unless their holder was stopped; others must not wait for that.
const purgeWait = time.Second

// cursor is where Purge goes on: calls that end at their limit do not begin
// anew.
type cursor struct {
	listing
	folder int // 0 to folders-1
}

// Purge implements driver.Purger. It begins where the last call ended, and
// answers less than limit only when it has been in every folder. Then it also
// reports the first record that could not be deleted, if any. Purge removes, too,
// what crashed processes left in .tmp. It never removes a file that is damaged or
// no session, nor a folder.
func (s *Store) Purge(ctx context.Context, before time.Time, limit int) (int, error) {
	const op = "purge"
	if err := s.enter(ctx); err != nil {
		return 0, driver.NotApplied(fail(op, "not begun", err))
	}
	defer s.life.RUnlock()
	select {
	case s.purging <- struct{}{}:
		defer func() { <-s.purging }()
	case <-ctx.Done():
		return 0, driver.NotApplied(fail(op, "waiting for another purge", ctx.Err()))
	case <-s.done:
		return 0, driver.ErrClosed
	}
	s.sweep()
	var problem error
	n, left := 0, folders
	if s.cursor.dir != nil {
		left++ // the second half of this folder now, the whole at the end
	}
	for ; left > 0 && n < limit; left-- {
		deleted, err := s.purgeFolder(ctx, before, limit-n, &problem)
		n += deleted
		if err != nil {
			return n, fail(op, "stopped", err)
		}
	}
	if n < limit && problem != nil {
		return n, fail(op, "at least one record was not deleted", problem)
	}
	return n, nil
}

// purgeFolder purges the rest of the folder at the cursor, and moves the cursor
// to the next folder unless it ends at the limit. An error ends the purge;
// *problem is the first one that does not.
func (s *Store) purgeFolder(ctx context.Context, before time.Time, limit int, problem *error) (n int, err error) {
	c := &s.cursor
	folder := folderName(byte(c.folder))
	note := func(err error) {
		if isDamage(err) {
			s.remarkForeign()
		} else if *problem == nil {
			*problem = err
		}
	}
	front := make([]byte, maxHeader)
	for n < limit {
		if err = s.stopped(ctx); err != nil {
			return n, err
		}
		name, err := s.next(folder, &c.listing)
		if err != nil {
			note(err)
		}
		if name == "" { // the end
			s.leaveFolder()
			return n, nil
		}
		p := place{stripe: byte(c.folder), path: folder + "/" + name}
		deleted, err := s.purgeFile(ctx, c.dir, p, front, before)
		switch {
		case deleted:
			n++
		case err == nil:
		case errors.Is(err, fs.ErrNotExist): // somebody else was faster
		case s.stopped(ctx) != nil:
			return n, s.stopped(ctx)
		case errors.Is(err, context.DeadlineExceeded): // the lock of the whole folder
			note(errors.New("a lock is held for too long"))
			s.leaveFolder()
			return n, nil
		default:
			note(err)
		}
	}
	return n, nil
}

// stopped reports whether a long operation is to end.
func (s *Store) stopped(ctx context.Context) error {
	select {
	case <-s.done:
		return driver.ErrClosed
	default:
		return ctx.Err()
	}
}

// purgeFile deletes the record at p, which lies in dir, if it has expired. Most
// have not: of those it reads the header only, into front.
func (s *Store) purgeFile(ctx context.Context, dir *os.File, p place, front []byte, before time.Time) (bool, error) {
	read, size, err := s.readFront(dir, p, front)
	if err != nil {
		return false, err
	}
	h, err := parseHeader(front[:read], size)
	if err == nil && !p.holds(h.key) {
		err = errOtherKey
	}
	if err != nil || !h.expired(before) {
		return false, err
	}
	ctx, cancel := context.WithTimeout(ctx, purgeWait)
	defer cancel()
	l, err := s.lock(ctx, "purge", p.stripe)
	if err != nil {
		return false, err
	}
	defer s.unlock(p.stripe, l)
	h, _, err = s.read(p) // again, and all of it: what is damaged stays
	if err == nil && !p.holds(h.key) {
		err = errOtherKey
	}
	if err != nil || !h.expired(before) {
		return false, err
	}
	err = s.root.Remove(p.path)
	return err == nil, strip(err)
}

// leaveFolder moves the cursor on. An empty folder stays: one that is removed and
// made again can come back after a power cut as it was before, with records that
// had been deleted, or take new ones with it.
func (s *Store) leaveFolder() {
	c := &s.cursor
	c.close()
	*c = cursor{folder: (c.folder + 1) % folders}
}

// sweep removes temporary files whose writers have died: nobody has their locks.
func (s *Store) sweep() {
	dir, err := s.openFolder(tempFolder)
	if err != nil {
		return // the next writer makes it
	}
	defer dir.Close()
	for {
		names, err := dir.Readdirnames(batch)
		for _, name := range names {
			if isTempName(name) {
				s.sweepFile(name)
			}
		}
		if err != nil {
			return
		}
	}
}

func (s *Store) sweepFile(name string) {
	f, _, err := s.openFile(tempFolder, name)
	if err != nil {
		return
	}
	defer f.Close()
	if dead, err := tryLock(f); dead && err == nil {
		s.root.Remove(tempFolder + "/" + name)
	}
}

// isTempName reports whether newTemp makes such names.
func isTempName(name string) bool {
	if len(name) != 26 {
		return false
	}
	for _, c := range []byte(name) {
		if !('A' <= c && c <= 'Z' || '2' <= c && c <= '7') {
			return false
		}
	}
	return true
}
