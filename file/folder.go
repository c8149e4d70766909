package file

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/websession/websession/session/driver"
)

// open opens the folder, makes what is missing, and tries out what a store
// needs. When it fails, what it made is gone.
func open(ctx context.Context, directory string, d Durability, warn func(string)) (s *Store, err error) {
	const op = "open"
	if err = ctx.Err(); err != nil {
		return nil, fail(op, "not begun", err)
	}
	if err = supported(); err != nil {
		return nil, fail(op, "class File", err)
	}
	switch d {
	case "":
		d = DurabilityFile
	case DurabilityNone, DurabilityFile, DurabilityFull:
	default:
		return nil, fmt.Errorf("file: open: unknown durability %q", d)
	}
	if directory == "" {
		return nil, errors.New("file: open: no folder is given")
	}
	if directory, err = filepath.Abs(directory); err != nil {
		return nil, fail(op, "finding the current folder", err)
	}
	if warn == nil {
		warn = func(string) {}
	}
	s = &Store{
		directory:  directory,
		durability: d,
		warn:       warn,
		sync:       flush,
		purging:    make(chan struct{}, 1),
		done:       make(chan struct{}),
	}
	for i := range s.stripes {
		s.stripes[i] = make(chan struct{}, 1)
	}
	made, err := s.openRoot()
	if err == nil {
		var names []string
		if names, err = s.prepare(ctx); err != nil {
			for _, name := range names {
				s.root.Remove(name)
			}
		}
	}
	if err != nil {
		s.Close()
		if made {
			os.Remove(directory)
		}
		return nil, fail(op, fmt.Sprintf("folder %q", directory), err)
	}
	for _, w := range s.warnings() {
		s.warn(w)
	}
	return s, nil
}

// openRoot opens the folder itself, and makes it if there is nothing.
func (s *Store) openRoot() (made bool, err error) {
	info, err := os.Stat(s.directory)
	if errors.Is(err, fs.ErrNotExist) {
		if link, err := os.Lstat(s.directory); err == nil && link.Mode().Type() == fs.ModeSymlink {
			return false, errors.New("it is a symbolic link to nothing")
		}
		if _, err = os.Stat(filepath.Dir(s.directory)); err != nil {
			return false, fmt.Errorf("its parent folder: %w", strip(err))
		}
		if err = os.Mkdir(s.directory, 0o700); err == nil {
			made = true
			if hasModes {
				err = os.Chmod(s.directory, 0o700)
			}
			if err != nil {
				return made, err
			}
		} else if !errors.Is(err, fs.ErrExist) { // else another process was faster
			return false, err
		}
		info, err = os.Stat(s.directory)
	}
	if err != nil {
		return made, err
	}
	if !info.IsDir() {
		return made, errors.New("it is no folder")
	}
	if s.root, err = os.OpenRoot(s.directory); err != nil {
		return made, err
	}
	if s.dir, err = s.root.Open("."); err != nil {
		return made, err
	}
	if info, err = s.dir.Stat(); err != nil {
		return made, err
	}
	s.owner = ownerOf(info)
	return made, s.syncParent(made)
}

// syncParent makes the folder outlive a power cut, where files do. With
// DurabilityFull it trusts nobody to have done so before, unless the parent may be
// used but not read: then it cannot be synced, and a folder that is new is refused.
func (s *Store) syncParent(made bool) error {
	if s.durability == DurabilityNone || s.durability == DurabilityFile && !made {
		return nil
	}
	parent, err := os.Open(filepath.Dir(s.directory))
	if errors.Is(err, fs.ErrPermission) {
		if made {
			return fmt.Errorf("its parent folder may not be read, so that a power cut could take the new folder: make it yourself and run sync, or let the parent be read: %w", strip(err))
		}
		return nil
	}
	if err != nil {
		return err
	}
	defer parent.Close()
	return s.sync(parent)
}

// prepare makes the folders that every store has, and shows that files can be
// made, locked and synced. It answers what it made.
func (s *Store) prepare(ctx context.Context) (made []string, err error) {
	for _, name := range []string{tempFolder, lockFolder} {
		yes, err := s.makeFolder(name)
		if yes {
			made = append(made, name)
		}
		if err != nil {
			return made, fmt.Errorf("making %s: %w", name, strip(err))
		}
		f, err := s.openFolder(name)
		if err != nil {
			return made, fmt.Errorf("%s: %w", name, strip(err))
		}
		f.Close()
	}
	t, err := s.newTemp()
	if err != nil {
		return made, fmt.Errorf("making a file: %w", strip(err))
	}
	t.close()
	if err = s.sync(s.dir); err != nil {
		return made, fmt.Errorf("syncing the folder: %w", strip(err))
	}
	return made, ctx.Err()
}

// warnings answers what should be changed about the folder.
func (s *Store) warnings() (list []string) {
	info, err := s.dir.Stat()
	if err != nil {
		return nil // Ping says more
	}
	if perm := info.Mode().Perm(); hasModes && perm&0o077 != 0 {
		list = append(list, fmt.Sprintf("The mode of the session folder %q is %04o: it should be 0700, so that only its owner can enter.", s.directory, perm))
	}
	if w := s.medium().warning(s.directory); w != "" {
		list = append(list, w)
	}
	return list
}

// medium answers what the folder lies on. A system that does not say is no
// reason to fail.
func (s *Store) medium() medium {
	m, err := mediumOf(s.dir)
	if err != nil {
		return medium{}
	}
	return m
}

// remarkForeign tells people once that something is not ours.
func (s *Store) remarkForeign() {
	s.foreign.Do(func() {
		s.warn(fmt.Sprintf("The session folder %q contains something that is no session or is damaged. It is left alone.", s.directory))
	})
}

// Ping implements driver.Pinger. It fails when the folder was removed, or
// something else has taken its name, since other processes then see other
// sessions.
func (s *Store) Ping(ctx context.Context) (driver.Info, error) {
	const op = "ping"
	if err := s.enter(ctx); err != nil {
		return driver.Info{}, fail(op, "not begun", err)
	}
	defer s.life.RUnlock()
	mine, err := s.dir.Stat()
	if err != nil {
		return driver.Info{}, fail(op, "looking at the folder", err)
	}
	named, err := os.Stat(s.directory)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return driver.Info{}, fail(op, "looking at the folder", err)
	}
	if err != nil || !os.SameFile(mine, named) {
		return driver.Info{}, fail(op, fmt.Sprintf("folder %q", s.directory), errGone)
	}
	facts := map[string]string{"directory": s.directory, "durability": string(s.durability)}
	if m := s.medium().String(); m != "" {
		facts["file system"] = m
	}
	return driver.Info{Server: "file system", Facts: facts, Guarantee: guarantee(s.durability, s.medium().kind), Warnings: s.warnings()}, nil
}

// guarantee says what is left after a crash.
func guarantee(d Durability, kind mediumKind) string {
	kill, shared := "A kill of the application loses nothing that was answered. ", ""
	switch kind {
	case memory:
		return kill + "The folder lies in memory: nothing survives a power cut."
	case network:
		return "Nothing is guaranteed on a network file system."
	case maybeShared:
		shared = " That holds if no other machine uses the file system."
	}
	return kill + map[Durability]string{
		DurabilityFull: "Nor does a power cut.",
		DurabilityFile: "A power cut may put sessions back to an older state, whole; no logout that was answered is undone.",
		DurabilityNone: "A power cut may lose or damage sessions; no logout that was answered is undone.",
	}[d] + shared
}
