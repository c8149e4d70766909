package servers_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/internal/servers"
)

func TestSentinel(t *testing.T) {
	skipShort(t)
	dir := emptyTemp(t)
	ctx := within(t, 3*time.Minute)
	s := started(t, func() (*servers.Sentinel, error) { return servers.StartSentinel(ctx, nil) })
	require.Len(t, s.Addrs(), 3)
	old, err := s.AwaitMaster(ctx, nil)
	require.NoError(t, err)
	require.Same(t, s.Nodes[0], old)

	for _, fail := range []func(*servers.Server) error{(*servers.Server).Kill, (*servers.Server).Pause, (*servers.Server).Kill} {
		begin := time.Now()
		require.NoError(t, fail(old))
		master, err := s.AwaitMaster(within(t, time.Minute), old)
		require.NoError(t, err)
		require.NotSame(t, old, master)
		mustAnswer(t, master.Addr(), "SET k v", "+OK")
		over := time.Now()
		require.NoError(t, s.Heal(ctx))
		t.Logf("failover in %.2f s, whole again in %.2f s", over.Sub(begin).Seconds(), time.Since(over).Seconds())
		now, err := s.AwaitMaster(ctx, nil)
		require.NoError(t, err)
		require.Same(t, master, now, "the old master comes back as a replica")
		mustAnswer(t, old.Addr(), "SET k v", "-READONLY You can't write against a read only replica.")
		old = master
	}

	// A Sentinel that is dead does not matter, and comes back too. A replica that
	// does not keep up is noticed.
	until(t, func() bool { return servers.PassesOn(ctx, old.Addr(), 2) == nil })
	require.NoError(t, s.Sentinels[0].Kill())
	replica := s.Nodes[2]
	if replica == old {
		replica = s.Nodes[1]
	}
	require.NoError(t, replica.Pause())
	until(t, func() bool {
		err := servers.PassesOn(ctx, old.Addr(), 2)
		return err != nil && strings.Contains(err.Error(), "to 1 replicas of 2")
	})
	_, err = s.AwaitMaster(ctx, nil)
	require.NoError(t, err)
	require.NoError(t, s.Heal(ctx))

	all := append(pids(s.Nodes), pids(s.Sentinels)...)
	require.NoError(t, s.Stop())
	mustBeGone(t, all...)
	mustBeEmpty(t, dir)
}

func TestSentinelWithPasswords(t *testing.T) {
	skipShort(t)
	s := started(t, func() (*servers.Sentinel, error) {
		return servers.StartSentinel(t.Context(), &servers.SentinelOptions{
			RedisOptions:     servers.RedisOptions{Password: "of nodes"},
			SentinelPassword: "of sentinels",
		})
	})
	mustAnswer(t, s.Addrs()[0], "PING", "-NOAUTH Authentication required.")
	mustAnswer(t, s.Nodes[1].Addr(), `AUTH "of nodes"`, "+OK")
}
