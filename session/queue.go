package session

import (
	"context"
	"reflect"
	"runtime"
	"slices"
	"sync"
)

// queue lets the writers of one key through one at a time, first come first
// served. It spares the store conflicts between requests of one process, and
// write tags rely on it: see writeTag.
type queue struct {
	mu    sync.Mutex
	lines map[string]*line
}

type line struct {
	running bool   // the holder is in the function of an Update
	newest  *state // what the holder before this one stored, if that is known
	waiters []chan struct{}
}

// enter waits for the turn of the caller, who must leave, and answers what the
// holder before has stored: most likely what is there, since the caller waited
// for it. It fails with the error of ctx, and with ErrNested when one function of
// an Update would wait for another, which may be itself.
func (q *queue) enter(ctx context.Context, key string) (newest *state, err error) {
	q.mu.Lock()
	l := q.lines[key]
	if l == nil {
		if q.lines == nil {
			q.lines = make(map[string]*line)
		}
		q.lines[key] = &line{}
		q.mu.Unlock()
		return nil, nil
	}
	if l.running && insideRun() {
		q.mu.Unlock()
		return nil, ErrNested
	}
	turn := make(chan struct{})
	l.waiters = append(l.waiters, turn)
	q.mu.Unlock()

	select {
	case <-turn:
		return l.newest, nil
	case <-ctx.Done():
	}
	q.mu.Lock()
	i := slices.Index(l.waiters, turn)
	if i >= 0 {
		l.waiters = slices.Delete(l.waiters, i, i+1)
	}
	q.mu.Unlock()
	if i < 0 { // the turn came in the same moment
		q.leave(key, l.newest)
	}
	return nil, ctx.Err()
}

// nested reports whether the caller is in the function of an Update, and one is
// changing the session of key: perhaps the same.
func (q *queue) nested(key string) bool {
	q.mu.Lock()
	l := q.lines[key]
	running := l != nil && l.running
	q.mu.Unlock()
	return running && insideRun()
}

// leave gives the turn to the next, with what the caller has stored, nil if that
// is not known.
func (q *queue) leave(key string, newest *state) {
	q.mu.Lock()
	defer q.mu.Unlock()
	l := q.lines[key]
	l.running, l.newest = false, newest
	if len(l.waiters) == 0 {
		delete(q.lines, key)
		return
	}
	next := l.waiters[0]
	l.waiters = slices.Delete(l.waiters, 0, 1)
	close(next)
}

// run calls fn, the function of an Update, while the caller has its turn.
//
//go:noinline
func (q *queue) run(key string, fn func() error) error {
	q.mark(key, true)
	defer q.mark(key, false)
	return fn()
}

func (q *queue) mark(key string, running bool) {
	q.mu.Lock()
	q.lines[key].running = running
	q.mu.Unlock()
}

var runEntry = reflect.ValueOf((*queue).run).Pointer()

// insideRun reports whether the calling goroutine is in the function of an
// Update. It looks at the stack, since nothing else belongs to a goroutine; it
// is asked only where the caller would wait.
func insideRun() bool {
	var pcs [128]uintptr
	for skip := 1; ; skip += len(pcs) {
		n := runtime.Callers(skip, pcs[:])
		for _, pc := range pcs[:n] {
			if f := runtime.FuncForPC(pc - 1); f != nil && f.Entry() == runEntry {
				return true
			}
		}
		if n < len(pcs) {
			return false
		}
	}
}
