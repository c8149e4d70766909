package redis_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/conformance"
	"github.com/websession/websession/internal/testenv"
	"github.com/websession/websession/redis"
	"github.com/websession/websession/session/driver"
)

func TestConformanceOfRedis(t *testing.T) {
	conform(t, redis.Driver{}, testenv.Redis)
}

func TestConformanceOfSentinel(t *testing.T) {
	conform(t, redis.SentinelDriver{}, testenv.Sentinel)
}

func TestConformanceOfCluster(t *testing.T) {
	conform(t, redis.ClusterDriver{}, testenv.Cluster)
}

func conform(t *testing.T, d driver.Driver, at func(testing.TB) *testenv.Place) {
	at(t) // or skip
	places := make(map[string]*testenv.Place)
	conformance.Run(t, d, conformance.Env{
		Place: func(tb testing.TB) map[string]any {
			p := at(tb)
			places[p.Prefix] = p
			return p.Properties
		},
		Raw: func(tb testing.TB, props map[string]any) map[string][]byte {
			return raw(tb, places[props["prefix"].(string)])
		},
	})
}

// raw answers everything that lies in a place: keys with their values, and each
// index entry.
func raw(tb testing.TB, p *testenv.Place) map[string][]byte {
	tb.Helper()
	c := client(tb, p)
	keys, err := p.Keys(tb.Context())
	require.NoError(tb, err)
	all := make(map[string][]byte)
	for _, key := range keys {
		if strings.HasPrefix(key, p.Prefix+"index:") {
			entries, err := c.HGetAll(tb.Context(), key).Result()
			require.NoError(tb, err)
			for id, value := range entries {
				all[key+" "+id] = []byte(value)
			}
			continue
		}
		if value, err := c.Get(tb.Context(), key).Bytes(); err == nil { // it may have ended
			all[key] = value
		}
	}
	return all
}
