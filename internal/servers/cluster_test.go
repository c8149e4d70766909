package servers_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/internal/servers"
)

func TestCluster(t *testing.T) {
	skipShort(t)
	dir := emptyTemp(t)
	ctx := within(t, 3*time.Minute)
	c := started(t, func() (*servers.Cluster, error) { return servers.StartCluster(ctx, nil) })
	masters, err := c.Masters(ctx)
	require.NoError(t, err)
	require.ElementsMatch(t, c.Nodes[:3], masters)

	begin := time.Now()
	old := c.Nodes[0]
	require.NoError(t, old.Kill())
	require.NoError(t, c.AwaitFailover(within(t, time.Minute), old))
	t.Logf("failover in %.2f s", time.Since(begin).Seconds())
	masters, err = c.Masters(ctx)
	require.NoError(t, err)
	require.Len(t, masters, 3)
	require.Contains(t, masters, c.Nodes[3], "its replica has taken over")

	begin = time.Now()
	require.NoError(t, c.Heal(ctx))
	t.Logf("healed in %.2f s", time.Since(begin).Seconds())
	masters, err = c.Masters(ctx)
	require.NoError(t, err)
	require.NotContains(t, masters, old)

	// A master that is back before anybody missed it stays one.
	require.NoError(t, c.Nodes[1].Restart(ctx))
	require.NoError(t, c.Heal(ctx))

	all := pids(c.Nodes)
	require.NoError(t, c.Stop())
	mustBeGone(t, all...)
	mustBeEmpty(t, dir)
}
