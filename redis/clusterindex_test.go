package redis_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/session"
)

// In a Cluster the index lies on other masters than the sessions. The master of
// some of it confirms entries that its replica never gets, and dies: with
// wait_replicas a session whose creation was confirmed, or the change of its
// user, is still found by its user afterwards.
func TestClusterIndexHasWhatWasConfirmed(t *testing.T) {
	s, _ := clusterStage(t)
	n, lost := 0, 0
	for round := 0; n <= indexed/10 && round < 10; round++ { // on a busy machine little is confirmed in time
		confirmed, absent := s.confirmIndex(t, round)
		n, lost = n+confirmed, lost+absent
	}
	require.Greater(t, n, indexed/10)
	require.Zero(t, lost, "of %d sessions whose user was confirmed", n)
	t.Logf("figure: RedisCluster: confirmed sessions that their user does not find after a failover: %s", zero(n))
}

// indexed is how many sessions change their user, or are made, in a round of
// confirmIndex.
const indexed = 200

// confirmIndex has one failover, and answers how many sessions had their user
// confirmed before it, and how many of these are not found.
func (s *stage) confirmIndex(t *testing.T, round int) (confirmed, lost int) {
	m := s.manager(map[string]any{"wait_replicas": 1}, nil)
	var old []*session.Session // which change their user
	for i := range indexed / 2 {
		one := m.NewSession()
		require.NoError(t, user.Set(one, fmt.Sprint("before-", round, "-", i)))
		require.NoError(t, one.Save(ctx))
		old = append(old, one)
	}
	name := func(i int) string { return fmt.Sprint("user-", round, "-", i) }
	victim := s.victim()
	thaw := s.cut(victim)
	// Within the time that nobody waits for: nothing is confirmed by the dead.
	ctx, cancel := context.WithTimeout(ctx, 350*time.Millisecond)
	defer cancel()
	saved := make([]*session.Session, indexed)
	var all sync.WaitGroup
	for i := range saved {
		one := m.NewSession()
		if i < len(old) {
			one = old[i]
		}
		require.NoError(t, user.Set(one, name(i)))
		all.Go(func() {
			if one.Save(ctx) == nil {
				saved[i] = one
			}
		})
	}
	all.Wait()
	require.NoError(t, victim.Kill())
	thaw()
	s.replaced(victim)
	s.heal()
	judge := s.manager(nil, nil)
	for i, one := range saved {
		if one == nil {
			continue
		}
		confirmed++
		load(t, judge, one.ID())
		if !finds(t, judge, name(i), one.Handle()) {
			lost++
		}
	}
	return confirmed, lost
}

// finds reports whether a session is found by its user.
func finds(tb testing.TB, m *session.Manager, name string, h session.Handle) bool {
	tb.Helper()
	for s, err := range m.Find(tb.Context(), "user", name) {
		require.NoError(tb, err)
		if s.Handle() == h {
			return true
		}
	}
	return false
}
