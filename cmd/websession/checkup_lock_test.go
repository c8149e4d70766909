package main

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/websession/websession/session"
)

// lockingStore is a store that locks, and waits for a lock in vain at once: all
// sessions share one.
type lockingStore struct {
	*spoilt
	turn  chan struct{}
	taken int
}

func (s *lockingStore) Lock(ctx context.Context, _ string) (func() error, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case s.turn <- struct{}{}:
		s.taken++
		return func() error { <-s.turn; return nil }, nil
	default:
		return nil, errors.New("somebody else has the lock")
	}
}

// A checkup works where the store locks, does not wait for itself, and gives
// every lock back.
func TestCheckupOfStoreThatLocks(t *testing.T) {
	s := &lockingStore{newSpoilt(t, func(_ string, execute func() error) error { return execute() }), make(chan struct{}, 1), 0}
	r, _ := examine(t.Context(), s, time.Minute)
	assert.True(t, r.OK, "%+v", r.Operations)
	assert.Equal(t, session.Native, r.Capabilities.of("lock"))
	assert.Positive(t, s.taken)
	assert.Empty(t, s.turn)
	assert.Zero(t, s.records())
}
