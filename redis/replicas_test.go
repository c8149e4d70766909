package redis_test

import (
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/websession/websession/internal/testenv"
	"github.com/websession/websession/redis"
	"github.com/websession/websession/session/driver"
)

// With wait_replicas a write is answered when replicas have it. When they do not
// answer it is an unknown outcome, and so are the load that looks for it and the
// logout that is repeated, until they do.
func TestWaitsForReplicas(t *testing.T) {
	for _, kind := range []string{"Sentinel", "Cluster"} {
		t.Run(kind, func(t *testing.T) {
			var d driver.Driver = redis.SentinelDriver{}
			p := props{"wait_replicas": 1, "wait_timeout": "200ms"}
			var pause, resume func()
			if kind == "Sentinel" {
				set := testenv.NewSentinel(t, nil)
				p["sentinels"], p["service"] = set.Addrs(), "mymaster"
				pause = func() { set.Nodes[1].Pause(); set.Nodes[2].Pause() }
				resume = func() { set.Nodes[1].Continue(); set.Nodes[2].Continue() }
			} else {
				set := testenv.NewCluster(t, nil)
				d, p["server"] = redis.ClusterDriver{}, set.Addrs()
				each := func(do func(i int)) {
					for i := 3; i < 6; i++ {
						do(i)
					}
				}
				pause = func() { each(func(i int) { set.Nodes[i].Pause() }) }
				resume = func() { each(func(i int) { set.Nodes[i].Continue() }) }
			}
			s := open(t, d, p, driver.OpenOptions{})
			// On a busy machine replicas may take longer than 200 ms.
			p["wait_timeout"], p["read_timeout"] = "20s", "30s"
			patient := open(t, d, p, driver.OpenOptions{})
			rec := driver.Record{Key: "k", Data: []byte("first")}
			v, err := patient.Create(ctx, rec)
			require.NoError(t, err)
			rec.Data = []byte("second")
			v, err = patient.Replace(ctx, rec, v)
			require.NoError(t, err)

			pause()
			rec.Data = []byte("third")
			began := time.Now()
			_, err = s.Replace(ctx, rec, v)
			require.ErrorIs(t, err, driver.ErrUnknownOutcome)
			require.ErrorContains(t, err, "0 of 1 replicas confirmed")
			require.Less(t, time.Since(began), 2*time.Second)
			_, _, err = s.Load(ctx, "k")
			require.ErrorContains(t, err, "0 of 1 replicas confirmed")
			other := driver.Record{Key: "other", Index: map[string]string{"user": "u"}}
			_, err = s.Create(ctx, other)
			require.Error(t, err)
			_, err = s.Replace(ctx, rec, v) // in a version that is not there any more: nothing to confirm
			require.ErrorIs(t, err, driver.ErrConflict)
			_, _, err = s.Load(ctx, "nobody's")
			require.ErrorIs(t, err, driver.ErrNotFound, "a key without doubt is read as always")
			require.ErrorIs(t, s.Delete(ctx, driver.Record{Key: "k"}, ""), driver.ErrUnknownOutcome)
			require.ErrorIs(t, s.Delete(ctx, driver.Record{Key: "k"}, ""), driver.ErrUnknownOutcome, "absent, and not confirmed")
			_, _, err = s.Load(ctx, "k")
			require.NotErrorIs(t, err, driver.ErrNotFound)

			resume()
			until(t, "the replicas confirm the logout", func() bool { return s.Delete(ctx, driver.Record{Key: "k"}, "") == nil })
			_, _, err = s.Load(ctx, "k")
			require.ErrorIs(t, err, driver.ErrNotFound)
			require.NoError(t, patient.Delete(ctx, other, ""))
			info, err := s.(driver.Pinger).Ping(ctx)
			require.NoError(t, err)
			require.Equal(t, "1", info.Facts["wait_replicas"])
		})
	}
}

// A server without replicas confirms nothing, and check says so.
func TestNoReplicas(t *testing.T) {
	p := testenv.Redis(t)
	p.Properties["wait_replicas"], p.Properties["wait_timeout"] = 1, "50ms"
	s := open(t, redis.Driver{}, p.Properties, driver.OpenOptions{})
	_, err := s.Create(ctx, record("k", "data"))
	require.ErrorIs(t, err, driver.ErrUnknownOutcome)
	info, err := s.(driver.Pinger).Ping(ctx)
	require.NoError(t, err)
	require.Contains(t, info.Warnings, "The master "+p.Addrs[0]+" has 0 replicas, and wait_replicas is 1: no write can be confirmed.")
}

// What a scan of a server shows after all: the key that confirmations write does
// not stay.
func TestConfirmingLeavesNothing(t *testing.T) {
	p := testenv.Redis(t)
	raw := client(t, p).(*goredis.Client)
	p.Properties["wait_replicas"], p.Properties["wait_timeout"] = 1, "10ms"
	s := open(t, redis.Driver{}, p.Properties, driver.OpenOptions{})
	_, err := s.Create(ctx, driver.Record{Key: "k"})
	require.ErrorIs(t, err, driver.ErrUnknownOutcome)
	_, _, err = s.Load(ctx, "k")
	require.Error(t, err)
	require.Error(t, s.Delete(ctx, driver.Record{Key: "k"}, ""))
	require.Error(t, s.Delete(ctx, driver.Record{Key: "k"}, ""))
	require.Empty(t, raw.Keys(ctx, p.Prefix+"*").Val())
}
