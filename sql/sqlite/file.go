package sqlite

import (
	"errors"
	"io/fs"
	"os"
	"sync/atomic"
	"time"
)

// file is the database that is open, and its journal.
type file struct {
	path    string
	id      fs.FileInfo
	journal atomic.Pointer[fs.FileInfo] // the WAL; nil where others open connections, and may close all of them
	checked atomic.Pointer[time.Time]   // when check last found nothing
}

// recent is how old a check may be that reading relies on.
const recent = 100 * time.Millisecond

// errGone is a file that others no longer find under its name.
var errGone = errors.New("it was deleted or replaced while it was open: restart the application")

// same reports whether another file, or none, has the name of the database.
func (f *file) same() error { return f.compare(f.path, f.id) }

func (f *file) compare(path string, id fs.FileInfo) error {
	now, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && !os.SameFile(id, now):
		return &problem{path, "", errGone}
	case err != nil:
		return &problem{path, "", strip(err)}
	}
	return nil
}

func (f *file) wal() string { return f.path + "-wal" }

// noteJournal remembers the journal, which stays the same as long as a
// connection is open that has read.
func (f *file) noteJournal() {
	if id, err := os.Lstat(f.wal()); err == nil {
		f.journal.Store(&id)
	}
}

// checkedRecently spares reading a check, which costs a quarter of it.
func (f *file) checkedRecently() bool {
	t := f.checked.Load()
	return t != nil && time.Since(*t) < recent
}

// check is same for the database and its journal: what is written to a journal
// that has no name is lost.
func (f *file) check() error {
	err := f.same()
	if id := f.journal.Load(); err == nil && id != nil {
		err = f.compare(f.wal(), *id)
	}
	if err == nil {
		now := time.Now()
		f.checked.Store(&now)
	} else {
		f.checked.Store(nil)
	}
	return err
}
