package file

import (
	"context"
	"errors"
	"net/url"
	"runtime"
	"strings"

	"github.com/websession/websession/session/driver"
)

func init() { driver.Register(Driver{}) }

// Durability says which writes survive a power cut. Deletions always do, except
// on Windows where a folder cannot be flushed.
type Durability string

const (
	// DurabilityNone: what was written in the last seconds may be lost, or come
	// back in an older state, or be found damaged. A crash of the process alone
	// loses nothing.
	DurabilityNone Durability = "none"

	// DurabilityFile: a record that survives is whole. The last writes may be
	// lost or come back in an older state. This is the default.
	DurabilityFile Durability = "file"

	// DurabilityFull: a write that was answered survives. The file is synced, put
	// into its place, and then its folder is synced.
	DurabilityFull Durability = "full"
)

// Driver is the class "File".
type Driver struct{}

// Class implements driver.Driver.
func (Driver) Class() driver.Class {
	return driver.Class{Name: "File", Schemes: []string{"file"}}
}

// Configure implements driver.Driver.
func (Driver) Configure(d *driver.Decoder) (driver.Connector, error) {
	var c connector
	c.directory = d.Required("Directory", "the folder that keeps the sessions")
	if strings.ContainsRune(c.directory, 0) {
		d.Fail("Directory", "contains a zero byte")
	}
	c.durability = Durability(d.OneOf("durability", string(DurabilityFile),
		[]string{string(DurabilityNone), string(DurabilityFile), string(DurabilityFull)},
		"what is synced to the disk before a write is answered: nothing, the file, or its folder as well"))
	d.Ignore("locks lie in Directory/.locks: locks elsewhere could differ between programs that share the sessions", "LockDirectory")
	return c, nil
}

// ParseURL implements driver.URLParser: file:///folder,
// file://localhost/folder, and on Windows file:///C:/folder.
func (Driver) ParseURL(u *url.URL) (map[string]any, error) {
	switch {
	case u.User != nil:
		return nil, errors.New("a file URL has no user: write file:///folder")
	case u.Host != "" && u.Host != "localhost":
		return nil, errors.New("a file URL has no host: write file:///folder, with three slashes")
	case u.Opaque != "" || u.Path != "" && !strings.HasPrefix(u.Path, "/"):
		return nil, errors.New("the path of a file URL is absolute: write file:///folder")
	case u.Path == "":
		return nil, errors.New("a file URL names a folder: write file:///folder")
	case u.Fragment != "":
		return nil, errors.New("a file URL has no fragment: write %23 for # in a path")
	}
	return map[string]any{"Directory": folderOf(u.Path, runtime.GOOS)}, nil
}

// folderOf answers the folder that the path of a URL names.
func folderOf(path, system string) string {
	if system == "windows" && len(path) > 2 && path[2] == ':' { // "/C:/folder"
		return path[1:]
	}
	return path
}

type connector struct {
	directory  string
	durability Durability
}

func (c connector) Open(ctx context.Context, o driver.OpenOptions) (driver.Store, error) {
	s, err := open(ctx, c.directory, c.durability, o.Warn)
	if err != nil {
		return nil, err // not a nil *Store, which is no nil driver.Store
	}
	return s, nil
}

// Options are what may be chosen for New.
type Options struct {
	Durability Durability   // "" means DurabilityFile
	Warn       func(string) // takes remarks for people; nil, or safe for concurrent use and without calls of the store
}

// New opens the folder directory, and makes it, mode 0700, if its parent
// exists. o may be nil. The caller closes the store.
func New(directory string, o *Options) (*Store, error) {
	if o == nil {
		o = &Options{}
	}
	return open(context.Background(), directory, o.Durability, o.Warn)
}
