package file

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"

	"github.com/websession/websession/session/driver"
)

// Create implements driver.Store. Whatever lies at the place of the record, even
// what cannot be read, is ErrExists.
func (s *Store) Create(ctx context.Context, rec driver.Record) (driver.Version, error) {
	return s.put(ctx, "create", rec, func(p place) error {
		switch err := s.lookFor(p); {
		case err == nil, err == errNotFile:
			return driver.ErrExists
		case errors.Is(err, fs.ErrNotExist):
			return nil
		default:
			return driver.NotApplied(fail("create", "looking for the file", err))
		}
	})
}

// Replace implements driver.Store. A record whose header cannot be read is
// driver.ErrCorrupt and stays.
func (s *Store) Replace(ctx context.Context, rec driver.Record, old driver.Version) (driver.Version, error) {
	return s.put(ctx, "replace", rec, func(p place) error { return s.check("replace", p, old) })
}

// put writes rec, if allowed, called under the lock, agrees.
func (s *Store) put(ctx context.Context, op string, rec driver.Record, allowed func(place) error) (driver.Version, error) {
	if err := s.enter(ctx); err != nil {
		return "", driver.NotApplied(fail(op, "not begun", err))
	}
	defer s.life.RUnlock()
	b, version, err := encode(rec)
	if err != nil {
		return "", driver.NotApplied(fail(op, "refused", err))
	}
	t, err := s.newTemp()
	if err != nil {
		return "", driver.NotApplied(fail(op, "making a temporary file", err))
	}
	defer t.close()
	if _, err = t.Write(b); err != nil {
		return "", driver.NotApplied(fail(op, "writing the temporary file", err))
	}
	if s.durability != DurabilityNone {
		if err = s.sync(t.File); err != nil {
			return "", driver.NotApplied(fail(op, "syncing the temporary file", err))
		}
	}
	folder, err := s.place(ctx, op, placeOf(rec.Key), t, allowed)
	if err != nil {
		return "", err
	}
	if folder != nil {
		defer folder.Close()
		if err = s.sync(folder); err != nil {
			return "", driver.UnknownOutcome(fail(op, "syncing the folder", err))
		}
	}
	return version, nil
}

// place renames t to p under the lock, and answers the folder that is to be
// synced, if any.
func (s *Store) place(ctx context.Context, op string, p place, t *temp, allowed func(place) error) (folder *os.File, err error) {
	l, err := s.lock(ctx, op, p.stripe)
	if err != nil {
		return nil, driver.NotApplied(err)
	}
	defer s.unlock(p.stripe, l)
	if err = allowed(p); err != nil {
		return nil, err
	}
	for range 3 {
		folder, err = s.rename(t, p)
		if err == nil {
			return folder, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			break
		}
		// There is no such folder yet, or somebody removed it.
		if err2 := s.addFolder(p); err2 != nil {
			err = err2
			break
		}
	}
	err = fail(op, "putting the file into its place", err)
	if t.remove() == nil || errors.Is(err, fs.ErrNotExist) {
		return nil, driver.NotApplied(err)
	}
	return nil, driver.UnknownOutcome(err)
}

// addFolder makes a folder of records under its lock.
func (s *Store) addFolder(p place) error {
	made, err := s.makeFolder(p.folder())
	if err == nil && made && s.durability != DurabilityNone {
		err = s.sync(s.dir)
	}
	if err != nil && made {
		s.root.Remove(p.folder())
	}
	s.rooted[p.stripe] = err == nil && made
	return err
}

// rename moves t to p. The folder, which it answers if it is to be synced, is
// opened first, since opening can fail.
func (s *Store) rename(t *temp, p place) (folder *os.File, err error) {
	if s.durability == DurabilityFull {
		if folder, err = s.openFolder(p.folder()); err != nil {
			return nil, err
		}
		// Whoever made the folder may have crashed before it was synced.
		if !s.rooted[p.stripe] {
			if err = s.sync(s.dir); err != nil {
				folder.Close()
				return nil, err
			}
			s.rooted[p.stripe] = true
		}
	}
	if err = s.root.Rename(t.path, p.path); err != nil {
		if folder != nil {
			folder.Close()
		}
		return nil, err
	}
	t.renamed = true
	return folder, nil
}

// Delete implements driver.Store. It is answered when it will survive a power
// cut, whatever the durability. Without a version it removes a file that cannot
// be read, too, but nothing that is no regular file.
func (s *Store) Delete(ctx context.Context, rec driver.Record, old driver.Version) error {
	const op = "delete"
	if err := s.enter(ctx); err != nil {
		return driver.NotApplied(fail(op, "not begun", err))
	}
	defer s.life.RUnlock()
	folder, err := s.unlink(ctx, placeOf(rec.Key), old)
	if err != nil {
		return err
	}
	if folder == nil {
		folder = s.dir
	} else {
		defer folder.Close()
	}
	if err = s.sync(folder); err != nil {
		return driver.UnknownOutcome(fail(op, "syncing the folder", err))
	}
	return nil
}

// unlink removes the record at p under the lock, and answers the folder that is
// to be synced; nil means the root. The sync is owed for an absent record, too:
// whoever removed it may not have synced yet, or have failed to.
func (s *Store) unlink(ctx context.Context, p place, old driver.Version) (folder *os.File, err error) {
	const op = "delete"
	l, err := s.lock(ctx, op, p.stripe)
	if err != nil {
		return nil, driver.NotApplied(err)
	}
	defer s.unlock(p.stripe, l)
	folder, err = s.openFolder(p.folder())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if old != "" {
			return nil, driver.ErrNotFound
		}
		return nil, nil
	case err != nil:
		return nil, driver.NotApplied(fail(op, "opening the folder", err))
	}
	if old != "" {
		err = s.check(op, p, old)
	} else {
		err = s.lookFor(p)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return folder, nil
		case err == errNotFile:
			err = driver.NotApplied(damaged(op, err))
		case err != nil:
			err = driver.NotApplied(fail(op, "looking for the file", err))
		}
	}
	if err == nil {
		if err = s.root.Remove(p.path); err == nil {
			return folder, nil
		}
		err = fail(op, "removing the file", err)
		if s.lookFor(p) == nil { // it is still there
			err = driver.NotApplied(err)
		} else {
			err = driver.UnknownOutcome(err)
		}
	}
	folder.Close()
	return nil, err
}

// temp is a file in .tmp. Its lock tells Purge that somebody writes it.
type temp struct {
	*os.File
	store   *Store
	path    string
	renamed bool
}

// newTemp makes an empty temporary file. A Purge that finds it before it is
// locked takes it for a leftover. Then another is made; that happens once in a
// while, but to 10 in a row, too, where somebody purges without a pause.
func (s *Store) newTemp() (*temp, error) {
	for range 1000 {
		name := rand.Text()
		f, err := s.openIn(tempFolder, name, os.O_RDWR|os.O_CREATE|os.O_EXCL)
		if errors.Is(err, fs.ErrNotExist) { // somebody removed the folder
			if _, err = s.makeFolder(tempFolder); err == nil {
				continue
			}
		}
		if err != nil {
			return nil, err
		}
		t := &temp{File: f, store: s, path: tempFolder + "/" + name}
		ok, err := tryLock(f)
		if ok {
			var info fs.FileInfo
			if info, err = f.Stat(); err == nil && s.linked(t.path, info) {
				if err = s.adopt(f, info); err == nil {
					return t, nil
				}
			}
		}
		t.close() // Purge came between, unless err says something else
		if err != nil {
			return nil, err
		}
	}
	return nil, errGone
}

func (t *temp) remove() error {
	t.renamed = true // or gone: there is nothing to remove twice
	return t.store.root.Remove(t.path)
}

// close closes the file, and removes it if it was not renamed.
func (t *temp) close() {
	if !t.renamed {
		t.remove()
	}
	t.File.Close()
}
