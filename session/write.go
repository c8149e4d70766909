package session

import (
	"context"
	"encoding/binary"
	"errors"
	mrand "math/rand/v2"
	"time"

	"github.com/websession/websession/session/driver"
	"github.com/websession/websession/session/internal/lazy"
)

// The files create.go, replace.go, renew.go and destroy.go make each mutation of
// the store happen once and lose nothing. This one is what they have in common.

func isNotFound(err error) bool { return errors.Is(err, driver.ErrNotFound) }

func (m *Manager) newTag() (t writeTag) {
	copy(t[:], m.writer[:])
	binary.BigEndian.PutUint32(t[len(m.writer):], m.writes.Add(1))
	return t
}

// An outcome is how a call of the store ended.
type outcome int

const (
	applied    outcome = iota
	notFound           // no record: nothing was applied
	conflict           // another version, or a key that is taken
	failed             // not applied, for another reason
	unresolved         // applied, or not, or yet to be
)

func outcomeOf(err error) outcome {
	switch {
	case err == nil:
		return applied
	case !driver.WasNotApplied(err):
		return unresolved
	case errors.Is(err, driver.ErrNotFound):
		return notFound
	case errors.Is(err, driver.ErrConflict), errors.Is(err, driver.ErrExists):
		return conflict
	}
	return failed
}

// mutate makes one call of the store. A context that has ended already means
// that nothing was called: such a call has failed, and err is the context's.
func (m *Manager) mutate(ctx context.Context, call func(context.Context) error) (outcome, error) {
	if err := ctx.Err(); err != nil {
		return failed, err
	}
	var bounded lazy.Context
	m.bound(ctx, &bounded)
	defer bounded.End()
	err := call(&bounded)
	return outcomeOf(err), err
}

// unknown answers the error of a mutation that stays unknown.
func (m *Manager) unknown(ctx context.Context, key string, cause error) error {
	if err := ctx.Err(); err != nil {
		cause = err
	}
	err := cause
	if !errors.Is(err, driver.ErrUnknownOutcome) {
		err = driver.UnknownOutcome(cause)
	}
	m.observe(ctx, Event{Kind: EventUnknownOutcome, Session: m.handle(key), Err: err})
	return err
}

// Bounds of loads that find out what became of a mutation, while the store
// fails. They leave time for a server to come back; the context may end sooner.
const (
	resolveTries = 16
	resolveFor   = 30 * time.Second
)

// inspect loads the session whose last mutation is unresolved, and tries again
// while the store fails. Expiry is not judged: it is about what was applied.
func (m *Manager) inspect(ctx context.Context, key string) (*state, error) {
	began := time.Now()
	for try := 1; ; try++ {
		rec, v, err := m.loadRecord(ctx, new(lazy.Context), key)
		if err == nil {
			var st *state
			if st, err = m.decodeState(rec, v); err == nil {
				return st, nil
			}
		}
		if isNotFound(err) || errors.Is(err, ErrCorrupt) || errors.Is(err, ErrClosed) ||
			try == resolveTries || time.Since(began) > resolveFor {
			return nil, err
		}
		if m.pause(ctx, try) != nil {
			return nil, err
		}
	}
}

// pause waits before a further try: not at all before the first, then twice as
// long each time, up to half a second, at random so that processes part.
func (m *Manager) pause(ctx context.Context, try int) error {
	if try <= 1 {
		return ctx.Err()
	}
	most := min(time.Millisecond<<min(try, 9), 500*time.Millisecond)
	t := time.NewTimer(mrand.N(most))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
