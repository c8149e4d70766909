package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/websession/websession/session"
)

// scratchable are the classes that can be opened without a server, and the
// property that says where: a path. A class that needs none has "".
var scratchable = map[string]string{
	"File":   "Directory",
	"Memory": "",
	"SQLite": "file",
}

// scratch opens stores of classes in a temporary folder, to see what they can do.
type scratch struct{ folder string }

// look fills in the capabilities of a class that needs no server.
func (s *scratch) look(ctx context.Context, info *classInfo) {
	where, ok := scratchable[info.Class]
	if !ok {
		info.Note = "needs a server"
		return
	}
	props := make(map[string]any)
	if where != "" {
		path, err := s.path(info.Class)
		if err != nil {
			info.Note = "no temporary folder: " + err.Error()
			return
		}
		props[where] = path
	}
	if err := info.open(ctx, session.Config{Class: info.Class, Properties: props}, temporaryStore); err != nil {
		info.Note = "a temporary store cannot be opened: " + err.Error()
	}
}

// path answers a name in the temporary folder, which it makes if there is none.
func (s *scratch) path(name string) (_ string, err error) {
	if s.folder == "" {
		s.folder, err = os.MkdirTemp("", "websession-classes-")
	}
	return filepath.Join(s.folder, name), err
}

// remove removes the temporary folder, if there is one.
func (s *scratch) remove() error {
	if s.folder == "" {
		return nil
	}
	if err := os.RemoveAll(s.folder); err != nil {
		return fmt.Errorf("the temporary folder stays: %w", err)
	}
	return nil
}

// open opens a store of the class and fills in what it can do.
func (info *classInfo) open(ctx context.Context, c session.Config, which string) error {
	m, err := c.Open(ctx, &session.Options{PurgeEvery: session.NoLimit})
	if err != nil {
		return err
	}
	info.Capabilities, info.Store = m.Capabilities(), which
	return m.Close()
}
