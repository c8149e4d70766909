package bolt

import (
	"errors"
	"path/filepath"
	"sync"
	"time"

	"go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"
)

// lockTimeout is how long Open waits for a file that another process has open.
const lockTimeout = time.Second

// database is an open file. bbolt locks it against a second Open, even by the
// same process; so the stores of a process share it.
type database struct {
	*bbolt.DB
	path   string        // absolute
	users  int           // stores that have it open
	writer chan struct{} // holds a token while somebody writes
}

var opened struct {
	sync.Mutex
	files map[string]*database // by path
}

// acquire opens the file at path, or shares it if this process has it open.
func acquire(path string) (*database, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	opened.Lock()
	defer opened.Unlock()
	db := opened.files[path]
	if db == nil {
		if db, err = open(path); err != nil {
			return nil, err
		}
		if opened.files == nil {
			opened.files = make(map[string]*database)
		}
		opened.files[path] = db
	}
	db.users++
	return db, nil
}

// release closes the file after its last user.
func (db *database) release() error {
	opened.Lock()
	defer opened.Unlock()
	if db.users--; db.users > 0 {
		return nil
	}
	delete(opened.files, db.path)
	return db.Close()
}

func open(path string) (*database, error) {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: lockTimeout})
	if errors.Is(err, bbolterrors.ErrTimeout) {
		return nil, errors.New("another process has it open")
	}
	if err != nil {
		return nil, err
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		_, err1 := tx.CreateBucketIfNotExists(sessions)
		_, err2 := tx.CreateBucketIfNotExists(deadlines)
		return errors.Join(err1, err2)
	})
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &database{DB: db, path: path, writer: make(chan struct{}, 1)}, nil
}
