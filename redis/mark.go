package redis

import (
	"errors"
	"sync/atomic"
)

// mark stands for the last argument of a command, and notices when go-redis
// begins to write it: an error before that says that nothing was changed.
type mark struct {
	text  string
	state atomic.Int32
}

const (
	unwritten int32 = iota
	written
	withdrawn
)

// newMark replaces the last of args.
func newMark(args []any) *mark {
	text, ok := args[len(args)-1].(string)
	if !ok {
		return nil
	}
	m := &mark{text: text}
	args[len(args)-1] = m
	return m
}

// MarshalBinary is called by go-redis when it writes the argument. An error ends
// the connection, on which the command is not complete.
func (m *mark) MarshalBinary() ([]byte, error) {
	if !m.state.CompareAndSwap(unwritten, written) && m.state.Load() == withdrawn {
		return nil, errors.New("redis: the command was withdrawn")
	}
	return []byte(m.text), nil
}

// String is for those who print commands.
func (m *mark) String() string { return m.text }

// withdraw reports whether the command was not written, and never will be.
func (m *mark) withdraw() bool { return m.state.CompareAndSwap(unwritten, withdrawn) }
