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
	m := s.manager(map[string]any{"wait_replicas": 1}, nil)
	var old []*session.Session // which change their user
	for i := range 100 {
		one := m.NewSession()
		require.NoError(t, user.Set(one, fmt.Sprint("before-", i)))
		require.NoError(t, one.Save(ctx))
		old = append(old, one)
	}
	victim := s.victim()
	thaw := s.cut(victim)
	// Within the time that nobody waits for: nothing is confirmed by the dead.
	ctx, cancel := context.WithTimeout(ctx, 350*time.Millisecond)
	defer cancel()
	confirmed := make([]*session.Session, 2*len(old))
	var all sync.WaitGroup
	for i := range confirmed {
		one := m.NewSession()
		if i < len(old) {
			one = old[i]
		}
		require.NoError(t, user.Set(one, fmt.Sprint("user-", i)))
		all.Go(func() {
			if one.Save(ctx) == nil {
				confirmed[i] = one
			}
		})
	}
	all.Wait()
	require.NoError(t, victim.Kill())
	thaw()
	s.replaced(victim)
	s.heal()
	judge := s.manager(nil, nil)
	n, lost := 0, 0
	for i, one := range confirmed {
		if one == nil {
			continue
		}
		n++
		load(t, judge, one.ID())
		if !finds(t, judge, fmt.Sprint("user-", i), one.Handle()) {
			lost++
		}
	}
	require.Greater(t, n, len(confirmed)/10)
	require.Zero(t, lost, "of %d sessions whose user was confirmed", n)
	t.Logf("figure: RedisCluster: confirmed sessions that their user does not find after a failover: %s", zero(n))
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
