package file

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/websession/websession/session/driver"
)

const (
	tempFolder = ".tmp"
	lockFolder = ".locks"
	folders    = 256 // of records; each has a lock
	nameSize   = 2*sha256.Size - 2
)

var (
	errNotFolder = errors.New("it is no folder, or a symbolic link")
	errGone      = errors.New("it was removed or replaced")
)

// place is where a record lies.
type place struct {
	stripe byte
	path   string // below the root: "xx/xxxx..."
}

func placeOf(key string) place {
	var buf [driver.MaxKey]byte // keeps the key off the heap
	sum := sha256.Sum256(append(buf[:0], key...))
	var b [1 + 2*sha256.Size]byte
	hex.Encode(b[:2], sum[:1])
	b[2] = '/'
	hex.Encode(b[3:], sum[1:])
	return place{sum[0], string(b[:])}
}

func (p place) folder() string { return p.path[:2] }
func (p place) name() string   { return p.path[3:] }

// holds reports whether a record with this key belongs at p.
func (p place) holds(key []byte) bool { return placeOf(string(key)).path == p.path }

// folderName answers the name of a folder of records, or of its lock.
func folderName(stripe byte) string { return hex.EncodeToString([]byte{stripe}) }

// isHex reports whether s is n lower-case hexadecimal digits.
func isHex(s string, n int) bool {
	if len(s) != n {
		return false
	}
	for _, c := range []byte(s) {
		if !('0' <= c && c <= '9' || 'a' <= c && c <= 'f') {
			return false
		}
	}
	return true
}

// fail answers the error of an operation, without the path that errors of
// package os contain: it is made of a key.
func fail(op, what string, err error) error {
	return fmt.Errorf("file: %s: %s: %w", op, what, strip(err))
}

// damaged answers the error for a record that cannot be read.
func damaged(op string, reason error) error {
	return fmt.Errorf("file: %s: %w: %w", op, driver.ErrCorrupt, reason)
}

func strip(err error) error {
	for {
		switch e := err.(type) {
		case *fs.PathError:
			err = e.Err
		case *os.LinkError:
			err = e.Err
		case *os.SyscallError:
			err = e.Err
		default:
			return err
		}
	}
}

// isDamage reports whether err says what is wrong with a file, rather than that
// it could not be read.
func isDamage(err error) bool {
	switch err {
	case errMagic, errFormat, errSize, errChecksum, errIndex, errOtherKey, errNotFile:
		return true
	}
	return false
}

// openFile opens a file in a folder below the root for reading, without
// following symbolic links and without waiting. What is no regular file is
// errNotFile, a folder that is none errNotFolder.
func (s *Store) openFile(folder, name string) (*os.File, fs.FileInfo, error) {
	f, err := s.openIn(folder, name, os.O_RDONLY|nonBlock)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errNotFile
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, info, nil
}

// adopt gives a new file its mode and owner.
func (s *Store) adopt(f *os.File, info fs.FileInfo) (err error) {
	if hasModes && info.Mode().Perm() != 0o600 {
		err = f.Chmod(0o600)
	}
	if err == nil && s.owner != nil {
		err = permitted(f.Chown(s.owner.uid, s.owner.gid))
	}
	return err
}

// makeFolder makes a folder of mode 0700 below the root, if there is none.
func (s *Store) makeFolder(name string) (made bool, err error) {
	if err = s.root.Mkdir(name, 0o700); errors.Is(err, fs.ErrExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	info, err := s.root.Lstat(name)
	if err == nil && hasModes && info.Mode() != fs.ModeDir|0o700 {
		err = s.root.Chmod(name, 0o700)
	}
	if err == nil && s.owner != nil {
		err = permitted(s.root.Lchown(name, s.owner.uid, s.owner.gid))
	}
	return true, err
}

// permitted passes over the refusal to change an owner, which a root without
// that capability meets.
func permitted(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return nil
	}
	return err
}
