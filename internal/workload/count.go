package workload

import (
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
)

// Full says whether the promises are counted in full, as make prove does, or a
// twentieth of it, or, with -short, a two-hundredth.
var Full = os.Getenv("WEBSESSION_FULL") == "1"

// Scaled answers n, or the part of it that is counted.
func Scaled(n int) int {
	if testing.Short() {
		return Pick(n, max(n/200, 1))
	}
	return Pick(n, max(n/20, 1))
}

// Pick answers the count for a full run, or the one for any other.
func Pick(full, otherwise int) int {
	if Full {
		return full
	}
	return otherwise
}

// Zero is how a count of nothing is printed: with its bound.
func Zero(n int) string {
	return fmt.Sprintf("0 of %d (95 %% bound: below %.2g %%)", n, 300/float64(n))
}

// Seeded answers a source of random numbers, and prints its seed.
func Seeded(tb testing.TB) *rand.Rand {
	tb.Helper()
	seed := rand.Uint64()
	tb.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}
