package cassandra_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/cassandra"
	"github.com/websession/websession/internal/testenv"
	"github.com/websession/websession/internal/workload"
	"github.com/websession/websession/session"
	"github.com/websession/websession/session/driver"
)

// What conflict: last-write-wins gives up: of two overlapping requests that set
// different attributes the later one takes the other's away, and a request that
// saves after a logout brings the session back. The same steps lose nothing with
// versions.
func TestLastWriteWinsLosesUpdates(t *testing.T) {
	for _, c := range []struct {
		conflict string
		loses    bool
	}{{cassandra.Versions, false}, {cassandra.LastWriteWins, true}} {
		t.Run(c.conflict, func(t *testing.T) {
			p := testenv.CassandraKeyspace(t)
			p.Properties["conflict"] = c.conflict
			a, b := workload.Manager(t, class, p.Properties, &forgetful), workload.Manager(t, class, p.Properties, &forgetful)
			n, lost, back := workload.Scaled(400), 0, 0
			for range n {
				id := workload.NewSession(t, a)
				one, other := workload.Load(t, a, id), workload.Load(t, b, id)
				require.NoError(t, workload.Left.Set(one, "l"))
				require.NoError(t, workload.Right.Set(other, "r"))
				require.NoError(t, one.Save(ctx))
				require.NoError(t, other.Save(ctx))
				if fmt.Sprint(workload.Load(t, a, id).Names()) != "[count left right]" {
					lost++
				}
				slow := workload.Load(t, b, id)
				require.NoError(t, workload.Left.Set(slow, "again"))
				require.NoError(t, a.Destroy(ctx, id))
				err := slow.Save(ctx)
				if _, gone := a.Load(ctx, id); gone == nil {
					require.NoError(t, err)
					back++
				} else {
					require.ErrorIs(t, err, session.ErrNotFound)
				}
			}
			if c.loses {
				require.Equal(t, [2]int{n, n}, [2]int{lost, back})
				t.Logf("figure: conflict: %s: pairs of saves that overlap and lose one: %d of %d; sessions that were ended during a request and came back: %d of %d",
					c.conflict, lost, n, back, n)
				return
			}
			require.Zero(t, lost+back)
			t.Logf("figure: conflict: %s: pairs of saves that overlap and lose one: %s; sessions that were ended during a request and came back: %s",
				c.conflict, workload.Zero(n), workload.Zero(n))
		})
	}
}

// With last-write-wins a call is one plain statement, or two where there is a
// user, and sessions that nobody else writes are kept as they are.
func TestLastWriteWinsIsOneWrite(t *testing.T) {
	p := testenv.CassandraKeyspace(t)
	w := watch(t, p)
	s := w.store(t, p, cassandra.Options{Conflict: cassandra.LastWriteWins})
	rec := record("k", "data")
	v, err := s.Create(ctx, rec)
	require.NoError(t, err)
	require.Equal(t, []string{"UPDATE index", "UPDATE"}, w.take())
	rec.Was = rec.Index
	rec.Data = []byte("more")
	v, err = s.Replace(ctx, rec, v)
	require.NoError(t, err)
	require.Equal(t, []string{"UPDATE"}, w.take())
	got, gotV, err := s.Load(ctx, "k")
	require.NoError(t, err)
	require.Equal(t, "more", string(got.Data))
	require.Equal(t, v, gotV)
	require.Equal(t, []string{"k"}, search(t, s, "u-k"))
	w.take()
	require.NoError(t, s.Delete(ctx, rec, v))
	require.Equal(t, []string{"DELETE", "DELETE index"}, w.take())
	_, _, err = s.Load(ctx, "k")
	require.ErrorIs(t, err, driver.ErrNotFound)
	require.Empty(t, search(t, s, "u-k"))
}
