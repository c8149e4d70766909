package backends_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// 1,000,000 sessions of 300 bytes with a user each, beside 10,000 in another place
// of the same disk. Fewer are measured and not judged.
func TestManySessions(t *testing.T) {
	if testing.Short() {
		t.Skip("left out with -short: writes thousands of sessions to the disk")
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	few, many := 500, 5_000
	if full {
		few, many = 10_000, 1_000_000
	}
	forEachPlace(t, func(t *testing.T, p place) {
		if p.class == "Memory" {
			return // a map
		}
		small, large := newCrowd(t, p, few, rng), newCrowd(t, p, many, rng)
		small.warm(t)
		large.warm(t)
		compareMedians(t, small, large, rng)
		readWhilePurging(t, large, rng)
	})
}

// Reading and modifying a session takes at the median at most 1.5 times as long
// among 1,000,000 as among 10,000, call by call in turns. The sessions are chosen
// at random; each was read once before, so that the caches of the system are
// warm, and writes wait for the disk as they do by default.
func compareMedians(t *testing.T, small, large *crowd, rng *rand.Rand) {
	calls := scaled(20_000)
	var reads, modifies [2][]time.Duration
	for range calls {
		for i, c := range []*crowd{small, large} {
			for at, one := range map[*[]time.Duration]func(int) error{&reads[i]: c.read, &modifies[i]: c.modify} {
				which := rng.IntN(len(c.ids))
				began := time.Now()
				err := one(which)
				*at = append(*at, time.Since(began))
				require.NoError(t, err)
			}
		}
	}
	for name, took := range map[string][2][]time.Duration{"read": reads, "modify": modifies} {
		a, b := percentile(took[0], 50), percentile(took[1], 50)
		ratio := float64(b) / float64(a)
		t.Logf("figure: %s: the median of a %s among %d sessions is %.2f times that among %d (%v and %v, %d calls each in turns, caches warm)",
			small.class, name, len(large.ids), ratio, len(small.ids), b, a, calls)
		if full {
			require.LessOrEqual(t, ratio, 1.5, name)
		}
	}
}

// While a Manager purges 100,000 expired sessions from among 1,000,000 others, by
// itself and at its own pace, the 99th percentile of reads is at most three times
// what it is before and after: the median of five runs.
func readWhilePurging(t *testing.T, c *crowd, rng *rand.Rand) {
	quiet := time.Second / 2
	if full {
		quiet = 5 * time.Second
	}
	expired := len(c.ids) / 10
	var ratios [5]float64
	var with, without, took [5]time.Duration
	for run := range ratios {
		c.fill(t, expired, rng, func() time.Time { return time.Now().Add(-24 * time.Hour) })
		calm := func() []time.Duration {
			f := c.startTraffic(rng)
			<-time.After(quiet)
			return f.end(t)
		}
		before := calm()
		f, began := c.startTraffic(rng), time.Now()
		c.purgeByItself(t, expired)
		took[run] = time.Since(began)
		during := f.end(t)
		with[run], without[run] = percentile(during, 99), percentile(append(before, calm()...), 99)
		ratios[run] = float64(with[run]) / float64(without[run])
		t.Logf("run %d: %d reads while purging for %v: %v instead of %v", run+1, len(during), took[run], with[run], without[run])
	}
	ratio := median(ratios[:])
	t.Logf("figure: %s: while %d expired sessions were purged from among %d others, the 99th percentile of reads was %.2f times what it was without (median of five runs, %.2f; medians %v and %v; a purge took %v)",
		c.class, expired, len(c.ids), ratio, ratios, median(with[:]), median(without[:]), median(took[:]).Round(time.Millisecond))
	if full {
		require.LessOrEqual(t, ratio, 3.0)
	}
}
