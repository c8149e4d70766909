package sqlite

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	modernc "modernc.org/sqlite"

	websql "github.com/websession/websession/sql"
)

// New opens the database in a file, and makes it, mode 0600, if its folder
// exists. o may be nil. The caller closes the store.
func New(file string, o *Options) (*websql.Store, error) {
	return open(context.Background(), file, o)
}

func open(ctx context.Context, path string, o *Options) (*websql.Store, error) {
	options := o.withDefaults()
	err := ctx.Err()
	if err == nil {
		err = options.check()
	}
	if err == nil {
		err = checkPath(path)
	}
	if err == nil {
		path, err = filepath.Abs(path)
	}
	if err != nil {
		return nil, fmt.Errorf("sqlite: open: %w", err)
	}
	id, made, err := place(path)
	if err != nil {
		return nil, fmt.Errorf("sqlite: open: database %q: %w", path, err)
	}
	s, err := openPools(ctx, path, id, options)
	if err != nil && made {
		removeEmpty(path, id)
	}
	return s, err
}

// making keeps stores of this process from opening a file between the moments
// when another one makes and closes it: closing drops all locks of the process.
var making sync.Mutex

// smallest is the size of the smallest page, and so of the smallest database.
const smallest = 512

// place makes an empty file at path unless there is one, and answers what is
// there. The file is never opened otherwise.
func place(path string) (id fs.FileInfo, made bool, err error) {
	making.Lock()
	defer making.Unlock()
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err == nil {
		if err = f.Chmod(0o600); err == nil { // whatever the umask is
			err = adopt(f)
		}
		if cerr := f.Close(); err == nil {
			err = cerr
		}
		if made = err == nil; !made {
			os.Remove(path)
		}
	} else if errors.Is(err, fs.ErrExist) {
		err = nil
	}
	if err == nil {
		id, err = os.Lstat(path)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = errors.New("its folder does not exist")
	case err != nil:
		err = strip(err)
	case id.Mode()&fs.ModeSymlink != 0:
		err = errors.New("it is a symbolic link: name the file itself, since other programs could find its journal elsewhere")
	case !id.Mode().IsRegular():
		err = errors.New("it is no regular file")
	case id.Size() > 0 && id.Size() < smallest:
		err = errors.New("it is no database of SQLite") // which would take it for an empty one
	}
	return id, made, err
}

// removeEmpty removes a file that was made in vain.
func removeEmpty(path string, id fs.FileInfo) {
	if now, err := os.Lstat(path); err == nil && os.SameFile(id, now) && now.Size() == 0 {
		os.Remove(path)
	}
}

// strip removes the path, which the message has already.
func strip(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

// openPools opens the store in pools of its own: one for writing, one for
// reading, and a connection that keeps the journal there as long as the store is
// open.
func openPools(ctx context.Context, path string, id fs.FileInfo, o Options) (s *websql.Store, err error) {
	f := &file{path: path, id: id}
	db := &database{options: o, file: f}
	read := sql.OpenDB(&pool{db, dsn(path, o, "query_only(1)")})
	read.SetMaxOpenConns(o.ReadConnections + 1)
	read.SetMaxIdleConns(o.ReadConnections + 1)
	write := sql.OpenDB(&pool{db, dsn(path, o)})
	write.SetMaxOpenConns(1)
	var keeper *sql.Conn
	release := func() error {
		var err error
		if keeper != nil {
			err = keeper.Close()
		}
		return errors.Join(err, read.Close(), write.Close())
	}
	d := dialect{options: o, file: f, keep: func(ctx context.Context) (err error) {
		if keeper, err = read.Conn(ctx); err == nil {
			err = touch(ctx, keeper)
		}
		return err
	}}
	ctx, cancel := context.WithTimeout(ctx, o.BusyTimeout+openMargin)
	defer cancel()
	s, err = websql.Open(ctx, read, d.dialect(), &websql.Options{
		Table:   o.Table,
		Indexed: o.Indexed,
		Warn:    o.Warn,
		Writer:  write,
		Close:   release,
	})
	if err != nil {
		return nil, errors.Join(err, release())
	}
	if o.Synchronous == Full {
		if err = syncFolder(path); err != nil {
			return nil, errors.Join(fmt.Errorf("sqlite: open: database %q: syncing its folder: %w", path, strip(err)), s.Close())
		}
	}
	return s, nil
}

// syncFolder makes the names of the database and of its journal outlive a power
// cut. SQLite does that, too, and passes over the error. The journal stays the
// same as long as the store is open.
func syncFolder(path string) error {
	if runtime.GOOS == "windows" { // folders cannot be synced there
		return nil
	}
	f, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

// openMargin is how long opening may take beyond a lock of another program.
const openMargin = 30 * time.Second

// dsn answers how modernc.org/sqlite opens a file that is there.
func dsn(path string, o Options, pragmas ...string) string {
	q := url.Values{"mode": {"rw"}, "_dqs": {"0"}, "_error_rc": {"1"}}
	q["_pragma"] = append([]string{
		fmt.Sprintf("busy_timeout(%d)", o.BusyTimeout.Milliseconds()),
		"trusted_schema(0)",
	}, pragmas...)
	path = filepath.ToSlash(path)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path // C:/...
	}
	u := url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}
	return u.String()
}

// pool opens connections to a file, and to no other one that has taken its
// place.
type pool struct {
	database *database
	dsn      string
}

func (p *pool) Driver() sqldriver.Driver { return &modernc.Driver{} }

func (p *pool) Connect(ctx context.Context) (sqldriver.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := p.database.file.same(); err != nil {
		return nil, err
	}
	inner, err := modernc.NewConnector(p.dsn)
	if err != nil {
		return nil, err
	}
	conn, err := inner.Connect(ctx)
	if err != nil {
		return nil, p.database.Describe(err)
	}
	if err := p.database.file.same(); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}
