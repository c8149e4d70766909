package redis_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/internal/servers"
	"github.com/websession/websession/session"
)

// Logouts that a master confirmed, and took with it: the Manager that made them
// lets nobody in by those sessions at any time, although the new master has them,
// and soon deletes them again, so that no other Manager does either. Without
// wait_replicas, with the default Options. The Manager serves requests meanwhile:
// one that does nothing learns of a new master when it connects again.
//
// It does not show that others let nobody in before that: they do.
func TestLogoutsStay(t *testing.T) {
	t.Run("RedisSentinel", func(t *testing.T) { logoutsStay(t, sentinelStage(t), 20) })
	t.Run("RedisCluster", func(t *testing.T) {
		s, _ := clusterStage(t)
		logoutsStay(t, s, 10)
	})
}

func logoutsStay(t *testing.T, s *stage, failovers int) {
	const logouts = 100
	var endedAgain atomic.Int64
	m := s.manager(nil, &session.Options{Observe: func(_ context.Context, e session.Event) {
		if e.Kind == session.EventPrimaryChanged {
			endedAgain.Add(1)
		}
	}})
	other := s.manager(nil, &forgetful)
	safe := s.manager(map[string]any{"wait_replicas": 1}, nil)
	let := func(by *session.Manager, id session.ID) bool {
		_, err := by.Load(ctx, id)
		if err != nil && !errors.Is(err, session.ErrNotFound) {
			t.Logf("a load: %v", err)
		}
		return err == nil
	}
	n, total, came, longest := max(scaled(failovers), 1), 0, 0, time.Duration(0)
	for i := range n {
		victim := s.victim()
		var ids []session.ID
		for k := range logouts {
			one := safe.NewSession()
			require.NoError(t, user.Set(one, fmt.Sprint("user-", k)))
			require.NoError(t, one.Save(ctx))
			ids = append(ids, one.ID())
		}
		var live []session.ID // on every master
		for range 30 {
			live = append(live, newSession(t, safe))
		}
		s.inStep(victim)
		replicas := s.replicas(victim)
		thaw := s.cut(victim)
		for _, id := range ids {
			require.NoError(t, m.Destroy(ctx, id))
		}
		require.NoError(t, victim.Kill())
		died := time.Now()
		thaw()
		lost := s.have(replicas, ids)

		done := make(chan struct{})
		var requests sync.WaitGroup
		requests.Go(func() { // which the Manager serves
			for tick := time.NewTicker(20 * time.Millisecond); ; {
				select {
				case <-done:
					tick.Stop()
					return
				case <-tick.C:
					for _, id := range live {
						_, _ = m.Load(ctx, id)
					}
					for _, id := range ids {
						if _, err := m.Load(ctx, id); !errors.Is(err, session.ErrNotFound) {
							t.Errorf("the Manager that ended a session answers %v for it", err)
						}
					}
				}
			}
		})
		s.replaced(victim)
		for _, id := range ids {
			until(t, "a logout of before the failover", func() bool { return !let(other, id) })
		}
		took := time.Since(died)
		until(t, "the word that the sessions were ended again", func() bool { return endedAgain.Load() > int64(i) })
		s.heal()
		for _, id := range ids {
			require.False(t, let(other, id))
		}
		close(done)
		requests.Wait()
		t.Logf("failover %d: of %d logouts %d were lost with the master; all held again after %.2f s", i+1, logouts, lost, took.Seconds())
		total, came, longest = total+logouts, came+lost, max(longest, took)
	}
	require.Positive(t, came, "no session came back: this test proves nothing")
	t.Logf("figure: %s: %d failovers took %d of %d logouts with them; the Manager that made them let nobody in, %s; for others they held again at most %.2f s after the master's death",
		s.class, n, came, total, zero(total), longest.Seconds())
}

// have answers how many of these sessions replicas still have.
func (s *stage) have(replicas []*servers.Server, ids []session.ID) (most int) {
	s.tb.Helper()
	for _, r := range replicas {
		n := 0
		c, err := servers.DialRedis(ctx, r.Addr())
		require.NoError(s.tb, err)
		if s.class == "RedisCluster" {
			_, err = c.Do("READONLY")
			require.NoError(s.tb, err)
		}
		for _, id := range ids {
			sum := sha256.Sum256([]byte(id.Reveal()))
			a, err := c.Do("EXISTS", "t:"+base64.RawURLEncoding.EncodeToString(sum[:]))
			if err == nil && a == int64(1) { // in a Cluster the others are elsewhere
				n++
			}
		}
		require.NoError(s.tb, c.Close())
		most = max(most, n)
	}
	return most
}
