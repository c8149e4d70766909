package session_test

import (
	"context"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/session"
	"github.com/websession/websession/session/driver"
	"github.com/websession/websession/session/memory"
)

func TestIdleDeadline(t *testing.T) {
	clk := newManual()
	store := newScripted()
	m := newManager(t, store, &session.Options{Now: clk.Now, Idle: time.Hour})
	s := stored(t, m)
	require.Equal(t, clk.Now().Add(time.Hour), s.Expires())
	require.Equal(t, clk.Now(), s.LastUse())

	clk.advance(time.Hour - time.Millisecond)
	load(t, m, s.ID())
	clk.advance(time.Millisecond)
	_, err := m.Load(t.Context(), s.ID())
	require.ErrorIs(t, err, session.ErrNotFound)
	require.ErrorIs(t, m.Update(t.Context(), s.ID(), increment), session.ErrNotFound)
	require.NoError(t, color.Set(s, "red"))
	require.ErrorIs(t, s.Save(t.Context()), session.ErrNotFound)
	require.Equal(t, 1, countRecords(t, store), "a load never deletes")
}

func TestAbsoluteDeadlineIsNeverExtended(t *testing.T) {
	clk := newManual()
	m := newManager(t, memory.New(), &session.Options{Now: clk.Now, Idle: time.Hour, Absolute: 3 * time.Hour})
	s := stored(t, m)
	deadline := clk.Now().Add(3 * time.Hour)
	for i := range 18 {
		clk.advance(10*time.Minute - time.Millisecond)
		s = load(t, m, s.ID())
		require.Equal(t, deadline, s.Deadline())
		require.False(t, s.Expires().After(deadline))
		if i%2 == 0 {
			require.NoError(t, count.Set(s, int64(i)))
		}
		require.NoError(t, s.Save(t.Context()))
		if i == 9 {
			require.NoError(t, s.Renew(t.Context()))
		}
	}
	clk.advance(18 * time.Millisecond)
	_, err := m.Load(t.Context(), s.ID())
	require.ErrorIs(t, err, session.ErrNotFound)
}

func TestSetIdle(t *testing.T) {
	clk := newManual()
	m := newManager(t, memory.New(), &session.Options{Now: clk.Now})
	s := stored(t, m)
	require.NoError(t, s.SetIdle(time.Minute))
	require.NoError(t, s.Save(t.Context()))
	require.Equal(t, clk.Now().Add(time.Minute), s.Expires(), "it may shorten")
	clk.advance(50 * time.Second)
	s = load(t, m, s.ID())
	require.NoError(t, s.Save(t.Context()))
	require.Equal(t, clk.Now().Add(time.Minute), s.Expires(), "and touches go by it")
	require.NoError(t, s.SetIdle(0))
	require.NoError(t, s.Save(t.Context()))
	require.Equal(t, clk.Now().Add(session.DefaultIdle), s.Expires())
	require.Error(t, s.SetIdle(-time.Second))
}

func TestTouch(t *testing.T) {
	clk := newManual()
	store := newScripted()
	m := newManager(t, store, &session.Options{Now: clk.Now, Idle: time.Hour})
	s := stored(t, m)
	store.reset()
	for range 5 {
		clk.advance(time.Minute)
		s = load(t, m, s.ID())
		require.NoError(t, s.Save(t.Context()))
	}
	require.NotContains(t, store.made(), "replace", "below a tenth of the idle time nothing is written")
	clk.advance(time.Minute)
	a, b := load(t, m, s.ID()), load(t, m, s.ID())
	require.NoError(t, a.Save(t.Context()))
	require.Equal(t, clk.Now().Add(time.Hour), a.Expires())
	require.NoError(t, b.Save(t.Context()), "somebody else just wrote")
	require.NoError(t, color.Set(a, "red"))
	store.reset()
	require.NoError(t, a.Save(t.Context()))
	require.Equal(t, []string{"replace"}, store.made(), "the touch told a the new version")

	var events []session.EventKind
	m2 := newManager(t, nopClose{store}, &session.Options{Now: clk.Now, Idle: time.Hour,
		Observe: func(_ context.Context, e session.Event) { events = append(events, e.Kind) }})
	clk.advance(30 * time.Minute)
	s = load(t, m2, s.ID())
	store.on("replace", loseRequest)
	require.NoError(t, s.Save(t.Context()), "a touch that fails fails no request")
	require.Equal(t, []session.EventKind{session.EventTouchFailed}, events)
}

// An active session never dies early, and touches are rare: a property of random
// activity.
func TestThrottle(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	for range 200 {
		clk := newManual()
		store := newScripted()
		idle := time.Duration(1+rng.IntN(1000)) * time.Minute
		absolute := idle * time.Duration(1+rng.IntN(20))
		m := newManager(t, store, &session.Options{Now: clk.Now, Idle: idle, Absolute: absolute})
		s := stored(t, m)
		id, end := s.ID(), clk.Now().Add(absolute)
		store.reset()
		began := clk.Now()
		for {
			clk.advance(time.Duration(rng.Int64N(int64(idle * 9 / 10))))
			s, err := m.Load(t.Context(), id)
			if !clk.Now().Before(end) {
				require.ErrorIs(t, err, session.ErrNotFound)
				break
			}
			require.NoError(t, err, "idle %v, absolute %v, at %v", idle, absolute, clk.Now().Sub(began))
			require.NoError(t, s.Save(t.Context()))
			require.False(t, s.Expires().After(end))
		}
		touches := 0
		for _, call := range store.made() {
			if call == "replace" {
				touches++
			}
		}
		require.LessOrEqual(t, touches, int(absolute/(idle/10))+1)
	}
}

func TestNoLimits(t *testing.T) {
	clk := newManual()
	m := newManager(t, memory.New(), &session.Options{Now: clk.Now, Idle: session.NoLimit, Absolute: session.NoLimit})
	s := stored(t, m)
	require.True(t, s.Expires().IsZero())
	require.True(t, s.Deadline().IsZero())
	require.True(t, s.LastUse().IsZero())
	clk.advance(100 * 365 * 24 * time.Hour)
	load(t, m, s.ID())
	_, err := m.Purge(t.Context())
	require.NoError(t, err)
	load(t, m, s.ID())
}

func TestOptionsAreChecked(t *testing.T) {
	for name, o := range map[string]session.Options{
		"negative":        {Idle: -time.Second},
		"too short":       {Absolute: time.Microsecond},
		"too long":        {Idle: 1 << 62},
		"touch too rare":  {Idle: time.Minute, TouchEvery: time.Minute},
		"index name":      {Indexed: []string{"no-dash"}},
		"index twice":     {Indexed: []string{"user", "user"}},
		"index by case":   {Indexed: []string{"user", "account", "User"}},
		"negative purges": {PurgeEvery: -time.Hour},
	} {
		_, err := session.New(memory.New(), &o)
		require.Error(t, err, name)
	}
	_, err := session.New(nil, nil)
	require.Error(t, err)
}

func TestShortestIdle(t *testing.T) {
	m := newManager(t, memory.New(), &session.Options{Idle: time.Millisecond})
	stored(t, m)
}

func TestJanitor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		purged := 0
		store := memory.New()
		m, err := session.New(store, &session.Options{Idle: time.Minute, Observe: func(_ context.Context, e session.Event) {
			if e.Kind == session.EventPurged {
				purged += e.Count
			}
		}})
		require.NoError(t, err)
		for range 2500 {
			stored(t, m)
		}
		time.Sleep(time.Minute + driver.Margin - time.Second)
		n, err := m.Purge(t.Context())
		require.NoError(t, err)
		require.Zero(t, n, "clocks of servers may differ by the margin")
		time.Sleep(session.DefaultPurgeEvery * 2)
		synctest.Wait()
		require.Equal(t, 2500, purged)
		require.NoError(t, m.Close())
		require.NoError(t, m.Close(), "twice is fine")
		_, err = m.Load(t.Context(), m.NewSession().ID())
		require.ErrorIs(t, err, session.ErrClosed)
	})
}

// slowPurge takes a second for each batch.
type slowPurge struct {
	*memory.Store
	at []time.Time
}

func (s *slowPurge) Purge(ctx context.Context, before time.Time, limit int) (int, error) {
	s.at = append(s.at, time.Now())
	time.Sleep(time.Second)
	return s.Store.Purge(ctx, before, limit)
}

// The janitor leaves half of the time to requests; whoever calls Purge waits for
// nothing else.
func TestJanitorRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		batches := func(every time.Duration, purge func(*session.Manager)) (gaps []time.Duration) {
			store := &slowPurge{Store: memory.New()}
			m, err := session.New(store, &session.Options{Idle: time.Minute, PurgeEvery: every})
			require.NoError(t, err)
			for range 2500 {
				stored(t, m)
			}
			purge(m)
			require.NoError(t, m.Close())
			require.Len(t, store.at, 3)
			for i := range store.at[1:] {
				gaps = append(gaps, store.at[i+1].Sub(store.at[i]))
			}
			return gaps
		}
		require.Equal(t, []time.Duration{2 * time.Second, 2 * time.Second}, batches(session.DefaultPurgeEvery, func(*session.Manager) {
			time.Sleep(session.DefaultPurgeEvery*6/5 + time.Minute) // and not long enough for two
		}))
		require.Equal(t, []time.Duration{time.Second, time.Second}, batches(session.NoLimit, func(m *session.Manager) {
			time.Sleep(time.Minute + driver.Margin + time.Millisecond)
			n, err := m.Purge(t.Context())
			require.NoError(t, err)
			require.Equal(t, 2500, n)
		}))
	})
}
