package redis_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/websession/websession/internal/testenv"
	"github.com/websession/websession/redis"
	"github.com/websession/websession/session/driver"
)

// BenchmarkThreshold compares calls that have a connection each, calls that share
// one, and calls that switch, at several numbers of callers, with a bare GET of
// go-redis on a pool of 64. The runs of one line are interleaved, and what is
// reported is the median of their ratios: only that means something on a machine
// that others use. From where on "shared" is ahead of "alone", calls should share.
//
//	go test ./redis -run xxx -bench Threshold
func BenchmarkThreshold(b *testing.B) {
	p := testenv.Redis(b)
	bare := goredis.NewClient(&goredis.Options{Addr: p.Addrs[0], PoolSize: 64})
	b.Cleanup(func() { bare.Close() })
	stores := make(map[string]driver.Store)
	for _, name := range []string{"alone", "shared", "switched"} {
		c, err := configure(redis.Driver{}, p.Properties)
		require.NoError(b, err)
		s, err := c.Open(ctx, driver.OpenOptions{Indexed: []string{"user"}})
		require.NoError(b, err)
		b.Cleanup(func() { s.Close() })
		stores[name] = s
	}
	redis.SetThreshold(stores["alone"], 1<<30, 0)
	redis.SetThreshold(stores["shared"], 1<<30, -1)
	redis.ShareAlways(stores["shared"])
	const keys = 64
	versions := make([]driver.Version, keys)
	rec := driver.Record{Data: []byte(strings.Repeat("x", 2048)), Expires: time.Now().Add(time.Hour)}
	for i := range keys {
		rec.Key = fmt.Sprint("k", i)
		var err error
		versions[i], err = stores["alone"].Create(ctx, rec)
		require.NoError(b, err)
	}
	key := func(i int) string { return fmt.Sprint("k", i%keys) }
	for _, callers := range []int{1, 2, 4, 6, 8, 12, 16, 24, 32, 64, 300} {
		for _, op := range []string{"load", "touch"} {
			b.Run(fmt.Sprintf("%s/%d", op, callers), func(b *testing.B) {
				ratios := make(map[string][]float64)
				for range max(b.N, 5) {
					base := rate(callers, func(i int) error { return bare.Get(ctx, p.Prefix+key(i)).Err() })
					for name, s := range stores {
						do := func(i int) error { _, _, err := s.Load(ctx, key(i)); return err }
						if op == "touch" { // refused, for a version that has passed: the script runs all the same
							do = func(i int) error {
								_, err := s.(driver.Toucher).Touch(ctx, driver.Record{Key: key(i)}, versions[(i+1)%keys])
								if err == nil {
									return fmt.Errorf("it was touched")
								}
								return nil
							}
						}
						ratios[name] = append(ratios[name], rate(callers, do)/base)
					}
				}
				for name, all := range ratios {
					slices.Sort(all)
					b.ReportMetric(all[len(all)/2], name+"/GET")
				}
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}

// rate answers how many calls a second a number of callers make.
func rate(callers int, do func(i int) error) float64 {
	const window = 80 * time.Millisecond
	var n atomic.Int64
	var all sync.WaitGroup
	began := time.Now()
	for c := range callers {
		all.Go(func() {
			for i := c; time.Since(began) < window; i += callers {
				if err := do(i); err != nil {
					panic(err)
				}
				n.Add(1)
			}
		})
	}
	all.Wait()
	return float64(n.Load()) / time.Since(began).Seconds()
}
