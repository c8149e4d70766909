package syscalls

import "path/filepath"

// State is what is not on the disk yet.
type State struct {
	dirty   map[string]bool            // files whose data are not
	pending map[string]map[string]bool // names, by folder, whose last change is not
}

// NewState answers that of a disk on which everything is.
func NewState() *State {
	return &State{make(map[string]bool), make(map[string]map[string]bool)}
}

// Dirty reports whether the data of a file are not on the disk.
func (s *State) Dirty(path string) bool { return s.dirty[path] }

// Pending reports whether what became of a name is not on the disk.
func (s *State) Pending(path string) bool {
	return s.pending[filepath.Dir(path)][filepath.Base(path)]
}

// Needed reports whether a sync would change anything.
func (s *State) Needed(c Call) bool { return s.dirty[c.Path] || len(s.pending[c.Path]) > 0 }

func (s *State) change(path string) {
	dir := filepath.Dir(path)
	if s.pending[dir] == nil {
		s.pending[dir] = make(map[string]bool)
	}
	s.pending[dir][filepath.Base(path)] = true
}

// Apply notes a call.
func (s *State) Apply(c Call) {
	switch c.Name {
	case "write", "truncate":
		s.dirty[c.Path] = true
	case "create", "mkdir", "unlink":
		s.change(c.Path)
		delete(s.dirty, c.Path)
	case "rename":
		s.change(c.Path)
		s.change(c.To)
		s.dirty[c.To] = s.dirty[c.Path]
		delete(s.dirty, c.Path)
	case "sync":
		delete(s.dirty, c.Path)
		delete(s.pending, c.Path)
	}
}

// Without answers the calls but the i-th.
func Without(calls []Call, i int) []Call {
	return append(append([]Call(nil), calls[:i]...), calls[i+1:]...)
}

// Swapped answers the calls with the i-th after the next one.
func Swapped(calls []Call, i int) []Call {
	list := append([]Call(nil), calls...)
	list[i], list[i+1] = list[i+1], list[i]
	return list
}
