package file

import (
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
)

// full says whether the promises are counted in full, as make prove does, or a
// twentieth of it.
var full = os.Getenv("WEBSESSION_FULL") == "1"

func scaled(n int) int {
	if full {
		return n
	}
	return max(n/20, 10)
}

// zero is how a count of nothing is printed: with its bound.
func zero(n int) string {
	return fmt.Sprintf("0 of %d (95 %% bound: below %.2g %%)", n, 300/float64(n))
}

// seeded answers a source of random numbers, and prints its seed.
func seeded(tb testing.TB) *rand.Rand {
	seed := rand.Uint64()
	tb.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// memoryDir answers an empty folder in memory, where there is such a place.
func memoryDir(tb testing.TB) string {
	dir, err := os.MkdirTemp("/dev/shm", "file-test-")
	if err != nil {
		return tb.TempDir()
	}
	tb.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}
