package lazy_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/session/internal/lazy"
)

func TestEndsAfterTheTimeoutOfWhoeverWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := lazy.Context{Parent: t.Context(), Timeout: time.Second}
		defer c.End()
		began := time.Now()
		<-c.Done()
		require.Equal(t, time.Second, time.Since(began))
		require.ErrorIs(t, c.Err(), context.DeadlineExceeded)
	})
}

func TestEndsForWhoeverPolls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := lazy.Context{Parent: t.Context(), Timeout: time.Second}
		began := time.Now()
		for c.Err() == nil {
			time.Sleep(time.Millisecond)
		}
		require.ErrorIs(t, c.Err(), context.DeadlineExceeded)
		require.LessOrEqual(t, time.Since(began), time.Second+2*time.Millisecond)
		<-c.Done()
	})
}

func TestEndsWithItsParent(t *testing.T) {
	parent, cancel := context.WithCancel(t.Context())
	c := lazy.Context{Parent: parent, Timeout: time.Hour}
	done := c.Done()
	unwatched := lazy.Context{Parent: parent, Timeout: time.Hour}
	cancel()
	<-done
	require.ErrorIs(t, c.Err(), context.Canceled)
	require.ErrorIs(t, unwatched.Err(), context.Canceled)
	<-unwatched.Done()
}

func TestDetachedOutlivesItsParent(t *testing.T) {
	type key struct{}
	parent, cancel := context.WithDeadline(context.WithValue(t.Context(), key{}, "value"), time.Now())
	cancel()
	c := lazy.Context{Parent: parent, Timeout: time.Hour, Detached: true}
	require.NoError(t, c.Err())
	require.Equal(t, "value", c.Value(key{}))
	deadline, ok := c.Deadline()
	require.True(t, ok)
	require.Greater(t, time.Until(deadline), time.Minute)
	select {
	case <-c.Done():
		t.Fatal("it ended with its parent")
	default:
	}
	require.Equal(t, "value", c.Value(key{}))
	c.End()
	<-c.Done()
	require.ErrorIs(t, c.Err(), context.Canceled)
}

func TestDeadlineIsTheEarlier(t *testing.T) {
	parent, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	want, _ := parent.Deadline()
	got, ok := (&lazy.Context{Parent: parent, Timeout: time.Hour}).Deadline()
	require.True(t, ok)
	require.Equal(t, want, got)
	got, _ = (&lazy.Context{Parent: parent, Timeout: time.Second}).Deadline()
	require.True(t, got.Before(want))
}

// Package context finds the context with the timer below one derived from it:
// no goroutine is left, whoever ends first.
func TestDerivedContextsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := lazy.Context{Parent: context.Background(), Timeout: time.Second}
		derived, cancel := context.WithCancel(&c)
		defer cancel()
		<-derived.Done()
		require.ErrorIs(t, derived.Err(), context.DeadlineExceeded)
		c.End()
		c.End()
	})
}

func TestEndedBeforeAnybodyWaited(t *testing.T) {
	c := lazy.Context{Parent: t.Context(), Timeout: time.Hour}
	c.End()
	require.ErrorIs(t, c.Err(), context.Canceled)
	<-c.Done()
}
