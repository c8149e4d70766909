package redis

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/websession/websession/session/driver"
)

// doubts are the keys of records whose last mutation by this store is not known
// to have reached the replicas. Only a store that waits for replicas has any.
type doubts struct {
	mu   sync.Mutex
	n    uint64
	keys map[string]uint64
	all  bool // there were too many to remember
}

const mostDoubts = 10000

// about answers a number that stands for the doubt about a key, 0 if there is
// none.
func (d *doubts) about(key string) uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.all {
		return d.n
	}
	return d.keys[key]
}

func (d *doubts) add(key string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.n++
	if len(d.keys) >= mostDoubts {
		d.keys, d.all = nil, true
	}
	if d.all {
		return
	}
	if d.keys == nil {
		d.keys = make(map[string]uint64)
	}
	d.keys[key] = d.n
}

// settle ends the doubt about a key, unless it is a newer one.
func (d *doubts) settle(key string, doubt uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.keys[key] == doubt {
		delete(d.keys, key)
	}
}

// errReplicas says that a write has not reached enough replicas in time. It may
// still do so, and it may be lost with the master.
type errReplicas struct{ have, want int64 }

func (e errReplicas) Error() string {
	return fmt.Sprintf("%d of %d replicas confirmed within wait_timeout: look at the replicas, or lower wait_replicas", e.have, e.want)
}

// mutateConfirmed sends a mutation and waits for the replicas.
func (s *Store) mutateConfirmed(ctx context.Context, key string, c command) (any, error) {
	doubt := s.doubts.about(key)
	a, err := s.confirmed(ctx, c)
	switch {
	case err == nil:
		s.doubts.settle(key, doubt)
	case isReply(err), neverSent(err): // as it was before
	case errors.As(err, new(errReplicas)) && c.unchanged(a):
		return a, nil
	default:
		s.doubts.add(key)
		err = driver.UnknownOutcome(err)
	}
	return a, err
}

// unchanged reports whether the answer to a mutation says that it has changed
// nothing, which needs no replicas. Only a delete without version relies on an
// absence that it finds.
func (c command) unchanged(a any) bool {
	n, ok := a.(int64)
	return a == nil || ok && (n == moved || n == foreign || n == wrongType || n == absent && !c.firm)
}

// loadConfirmed reads a record, and answers it only when the replicas have what
// was written before.
func (s *Store) loadConfirmed(ctx context.Context, key string, doubt uint64) (any, error) {
	keys := []string{s.recordKey(key)}
	a, err := s.confirmed(ctx, confirmScript.call(keys))
	if isNoScript(err) {
		a, err = s.confirmed(ctx, confirmScript.full(keys))
	}
	if err != nil {
		return nil, err
	}
	s.doubts.settle(key, doubt)
	return a, nil
}

// confirmed sends a command and waits for the replicas. Its error is an answer of
// the server, or says that nothing was sent, only if that is true of the command.
// With errReplicas it answers what the command answered.
func (s *Store) confirmed(ctx context.Context, c command) (any, error) {
	a, acked, err := s.server.confirm(ctx, c, s.wait)
	switch {
	case a.err != nil:
		return nil, a.err
	case err != nil:
		return nil, fmt.Errorf("waiting for replicas: %w", opaque{err})
	case acked < int64(s.wait.replicas):
		return a.value, errReplicas{acked, int64(s.wait.replicas)}
	}
	return a.value, nil
}

// confirmEach runs a script for each key, all of them at once, and waits for the
// replicas.
func (s *Store) confirmEach(ctx context.Context, sc script, keys []string, args ...any) ([]any, error) {
	all, errs := make([]any, len(keys)), make([]error, len(keys))
	var running sync.WaitGroup
	for i, key := range keys {
		running.Go(func() {
			all[i], errs[i] = s.confirmed(ctx, sc.call([]string{key}, args...))
			if isNoScript(errs[i]) {
				all[i], errs[i] = s.confirmed(ctx, sc.full([]string{key}, args...))
			}
		})
	}
	running.Wait()
	return all, errors.Join(errs...)
}

// opaque hides that an error is the answer of a server.
type opaque struct{ error }
