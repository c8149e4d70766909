package file

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"time"

	"github.com/websession/websession/session/driver"
)

// How long to pause between attempts to take a lock that another process, or
// another Store, has. They have it for the time of a rename.
const (
	firstPause = 50 * time.Microsecond
	lastPause  = 2 * time.Millisecond
)

// lock makes the caller the only one to change records of a stripe, among all
// that use the folder, until unlock. Goroutines of a Store queue without
// polling. It ends early with the context and with Close.
func (s *Store) lock(ctx context.Context, op string, stripe byte) (*os.File, error) {
	if err := ctx.Err(); err != nil { // select takes any case that is ready
		return nil, fail(op, "waiting for the lock", err)
	}
	select {
	case s.stripes[stripe] <- struct{}{}:
	case <-ctx.Done():
		return nil, fail(op, "waiting for the lock", ctx.Err())
	case <-s.done:
		return nil, driver.ErrClosed
	}
	f, err := s.flock(ctx, op, stripe)
	if err != nil {
		<-s.stripes[stripe]
		return nil, err
	}
	return f, nil
}

func (s *Store) unlock(stripe byte, f *os.File) {
	releaseLock(f)
	f.Close()
	<-s.stripes[stripe]
}

func (s *Store) flock(ctx context.Context, op string, stripe byte) (*os.File, error) {
	name := folderName(stripe)
	f, err := s.openLock(name)
	if err != nil {
		return nil, fail(op, "opening the lock file", err)
	}
	var timer *time.Timer
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		ok, err := tryLock(f)
		var info fs.FileInfo
		if ok {
			info, err = f.Stat()
		}
		switch {
		case err == nil && !ok: // somebody has it
		case err == nil && !info.Mode().IsRegular():
			err = errNotFile
		case err == nil && s.linked(lockFolder+"/"+name, info):
			return f, nil
		case err == nil: // somebody removed the file, and others may lock another one by now
			f.Close()
			if f, err = s.openLock(name); err == nil {
				continue
			}
			return nil, fail(op, "opening the lock file", err)
		}
		if err != nil {
			f.Close()
			return nil, fail(op, "locking", err)
		}
		if timer == nil {
			timer = time.NewTimer(pause)
			defer timer.Stop()
		} else {
			timer.Reset(pause)
		}
		select {
		case <-timer.C:
		case <-ctx.Done():
			f.Close()
			return nil, fail(op, "waiting for the lock", ctx.Err())
		case <-s.done:
			f.Close()
			return nil, driver.ErrClosed
		}
	}
}

// openLock opens a lock file, and makes it the first time.
func (s *Store) openLock(name string) (*os.File, error) {
	for range 3 {
		f, err := s.openIn(lockFolder, name, os.O_RDWR) // opening a pipe so does not wait
		if errors.Is(err, fs.ErrNotExist) {
			f, err = s.makeLock(name)
		}
		switch {
		case errors.Is(err, fs.ErrExist): // another process was faster
			continue
		case errors.Is(err, fs.ErrNotExist): // somebody removed the folder
			if _, err = s.makeFolder(lockFolder); err == nil {
				continue
			}
		}
		return f, err
	}
	return nil, errGone
}

func (s *Store) makeLock(name string) (*os.File, error) {
	f, err := s.openIn(lockFolder, name, os.O_RDWR|os.O_CREATE|os.O_EXCL)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil {
		err = s.adopt(f, info)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}
