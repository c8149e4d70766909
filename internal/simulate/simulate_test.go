package simulate

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var (
	seedFlag  = flag.Uint64("simulate.seed", 0, "the seed of the first history; 0: at random")
	countFlag = flag.Int("simulate.n", 0, "how many histories, with seeds one after the other; 0: the default")
)

// full says whether histories are counted in full, as make prove does, or a
// twentieth of it.
var full = os.Getenv("WEBSESSION_FULL") == "1"

// TestMain keeps the ids of histories, of which there are millions, out of the
// file of ids that must not be printed. A history holds none: TestHistoriesHoldNoID.
func TestMain(m *testing.M) {
	os.Unsetenv("WEBSESSION_CANARY")
	flag.Parse()
	os.Exit(m.Run())
}

// histories answers how many to play.
func histories() int {
	switch {
	case *countFlag > 0:
		return *countFlag
	case full:
		return 100_000
	case testing.Short():
		return 100
	}
	return 5_000
}

// No lost update, no resurrection, no early death, no two live sessions out of one
// renewal, whatever clients, network and clocks do.
func TestHistories(t *testing.T) {
	first := *seedFlag
	if first == 0 {
		first = rand.Uint64N(1 << 40)
	}
	n := histories()
	t.Logf("seeds %d to %d", first, first+uint64(n)-1)
	began := time.Now()
	sum, bad := playAll(t, first, n)
	if bad != nil {
		t.Fatalf("history %d:\n%s\nto play it again: go test ./internal/simulate -run TestHistories -simulate.seed=%d -simulate.n=1", bad.seed, bad.text(), bad.seed)
	}
	if n >= 100 {
		require.True(t, sum.complete(), "something never happened: %v", sum)
	}
	t.Logf("figure: seeded histories of eight clients in which something was lost, came back, died early or was doubled: 0 of %d (95 %% bound: below %.2g %%), %.0f a second", n, 300/float64(n), float64(n)/time.Since(began).Seconds())
	t.Logf("figure: these histories held %v", sum)
}

// playAll plays histories with consecutive seeds until one is wrong. It answers
// the wrong one with the smallest seed.
func playAll(t *testing.T, first uint64, n int) (sum figures, bad *history) {
	var next atomic.Int64
	var mu sync.Mutex
	t.Run("play", func(t *testing.T) {
		for i := range runtime.GOMAXPROCS(0) {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				for {
					i := next.Add(1) - 1
					if i >= int64(n) {
						return
					}
					h := play(t, first+uint64(i))
					mu.Lock()
					sum.add(h.figures)
					if len(h.problems) > 0 {
						next.Store(int64(n))
						if bad == nil || h.seed < bad.seed {
							bad = h
						}
					}
					mu.Unlock()
				}
			})
		}
	})
	return sum, bad
}

// The same seed gives the same history, byte for byte.
func TestHistoriesReplay(t *testing.T) {
	first := rand.Uint64N(1 << 40)
	t.Logf("seeds from %d", first)
	n := 200
	if testing.Short() {
		n = 10
	}
	texts := make([]string, n)
	for range 2 {
		for i := range texts {
			text := play(t, first+uint64(i)).text()
			if texts[i] == "" {
				texts[i] = text
			}
			if texts[i] != text {
				t.Fatalf("seed %d gave this history:\n%s\nand then this:\n%s", first+uint64(i), texts[i], text)
			}
		}
	}
	t.Logf("figure: seeds that were played twice with the same history, byte for byte: %d of %d", n, n)
}

// A history that is printed holds no id, and no key of a record either.
func TestHistoriesHoldNoID(t *testing.T) {
	first := rand.Uint64N(1 << 40)
	t.Logf("seeds from %d", first)
	n := uint64(100)
	if testing.Short() {
		n = 10
	}
	for i := range n {
		h := play(t, first+i)
		text := h.text()
		require.NotEmpty(t, h.idents)
		for _, id := range h.idents {
			require.NotContains(t, text, id.id.Reveal())
			require.NotContains(t, text, id.key)
		}
	}
}
