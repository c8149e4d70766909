package benchpeers

import (
	"context"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/scs/goredisstore"
	"github.com/redis/go-redis/v9"

	"github.com/websession/websession/internal/servers"
	_ "github.com/websession/websession/redis"
	"github.com/websession/websession/session"
)

const (
	crowded  = 300 // requests at a time, each of its own session
	poolSize = 64  // of the bare client and of scs
)

// contender is one of those that are compared: work for each of many goroutines.
type contender struct {
	name string
	work []func() error
}

// oursInRedis uses the class Redis with its default properties.
func oursInRedis(tb testing.TB, addr string) peer {
	m, err := session.Open(tb.Context(), "Redis", map[string]any{"server": addr, "prefix": "ours:"}, nil)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { m.Close() })
	return ours(m)
}

// theirsInRedis uses goredisstore through a client with a pool of poolSize. With
// an idle time-out scs stores the session again at each request.
func theirsInRedis(tb testing.TB, addr string, idle time.Duration) peer {
	return theirsWith(goredisstore.NewWithPrefix(bare(tb, addr), fmt.Sprint("scs", idle, ":")), idle)
}

func bare(tb testing.TB, addr string) *redis.Client {
	c := redis.NewClient(&redis.Options{Addr: addr, PoolSize: poolSize})
	tb.Cleanup(func() { c.Close() })
	return c
}

// requests answers the work of visitors who send requests to h.
func requests(tb testing.TB, n int, p peer, h http.HandlerFunc) []func() error {
	wrapped := p.wrap(h)
	work := make([]func() error, n)
	for i := range work {
		v := p.visit(tb, 20, longValue)
		work[i] = func() error {
			if w := v.send(wrapped); w.code != http.StatusOK {
				return fmt.Errorf("a request was answered with %d", w.code)
			}
			return nil
		}
	}
	return work
}

// gets answers the work of bare GETs of values as long as those of ours.
func gets(tb testing.TB, n int, c *redis.Client, get func(context.Context, string) *redis.StringCmd) []func() error {
	value := make([]byte, 20*len(longValue)+300)
	work := make([]func() error, n)
	for i := range work {
		key := fmt.Sprint("bare:", i)
		if err := c.Set(tb.Context(), key, value, 0).Err(); err != nil {
			tb.Fatal(err)
		}
		work[i] = func() error { return get(context.Background(), key).Err() }
	}
	return work
}

func BenchmarkRedisRead(b *testing.B) {
	for _, n := range []int{1, crowded} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			addr := startRedis(b)
			c := bare(b, addr)
			pipelined, err := c.AutoPipeline()
			if err != nil {
				b.Fatal(err)
			}
			p, scs, idle := oursInRedis(b, addr), theirsInRedis(b, addr, 0), theirsInRedis(b, addr, time.Hour)
			contend(b,
				contender{name: "ours", work: requests(b, n, p, p.read)},
				contender{name: "GET", work: gets(b, n, c, c.Get)},
				contender{name: "pipelinedGET", work: gets(b, n, c, pipelined.Get)},
				contender{name: "scs", work: requests(b, n, scs, scs.read)},
				contender{name: "scsIdle", work: requests(b, n, idle, idle.read)},
			)
		})
	}
}

func BenchmarkRedisModify(b *testing.B) {
	for _, n := range []int{1, crowded} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			addr := startRedis(b)
			p, scs := oursInRedis(b, addr), theirsInRedis(b, addr, 0)
			contend(b,
				contender{name: "ours", work: requests(b, n, p, p.modify)},
				contender{name: "scs", work: requests(b, n, scs, scs.modify)},
			)
		})
	}
}

func startRedis(tb testing.TB) (addr string) {
	s, err := servers.StartRedis(tb.Context(), nil)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { s.Stop() })
	return s.Addr()
}

// contend reports how many times as much the first contender does as each of the
// others: medians of five runs, in which all take turns, and beside them the
// 99th percentiles of the time that one piece of work takes.
func contend(b *testing.B, cs ...contender) {
	const (
		turn  = time.Second // long beside the time that a piece of work takes among 300
		turns = 3           // of each in a run
	)
	rates, tails := make([][]float64, len(cs)), make([][]float64, len(cs))
	for _, c := range cs {
		c.take(b, turn)
	}
	for b.Loop() {
		for range runs {
			done, times := make([]int, len(cs)), make([][]time.Duration, len(cs))
			for range turns {
				for i, c := range cs {
					runtime.GC()
					n, taken := c.take(b, turn)
					done[i] += n
					times[i] = append(times[i], taken...)
				}
			}
			for i := range cs {
				slices.Sort(times[i])
				rates[i] = append(rates[i], float64(done[i]))
				tails[i] = append(tails[i], float64(times[i][len(times[i])*99/100]))
			}
		}
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(tails[0])/1000, cs[0].name+"-p99-us")
	for i := 1; i < len(cs); i++ {
		ratios := make([]float64, len(rates[0]))
		for run := range ratios {
			ratios[run] = rates[0][run] / rates[i][run]
		}
		b.ReportMetric(median(ratios), "x"+cs[i].name)
		b.ReportMetric(median(tails[i])/1000, cs[i].name+"-p99-us")
		b.Logf("x of each run against %s: %.2f", cs[i].name, ratios)
	}
}

// take lets the goroutines work for a time, and answers how many pieces of work
// they finished in it, and how long each piece took. What was under way at the end
// does not count as done, however much of it there is: with 300 goroutines the
// slow have 300 pieces of it, as the fast do.
func (c contender) take(tb testing.TB, turn time.Duration) (done int, taken []time.Duration) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	until := time.Now().Add(turn)
	for _, work := range c.work {
		wg.Go(func() {
			var mine []time.Duration
			finished := 0
			for begin := time.Now(); begin.Before(until); {
				if err := work(); err != nil {
					tb.Errorf("%s: %v", c.name, err)
					return
				}
				end := time.Now()
				mine = append(mine, end.Sub(begin))
				if end.Before(until) {
					finished++
				}
				begin = end
			}
			mu.Lock()
			defer mu.Unlock()
			done += finished
			taken = append(taken, mine...)
		})
	}
	wg.Wait()
	return done, taken
}
