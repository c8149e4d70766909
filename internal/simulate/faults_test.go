package simulate

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// within is how many seeds may pass before a planted fault is found.
const within = 10_000

// Every planted fault is found, and the seeds that find one are sound in the core
// as it is.
func TestPlantedFaultsAreFound(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles the core once for each planted fault")
	}
	some, found, last := planted, 0, 0
	if !full { // compiling takes its time
		first := rand.IntN(len(planted))
		some = append(slices.Clone(planted[first:]), planted[:first]...)[:10]
		t.Logf("of %d planted faults the ten from %d on; WEBSESSION_FULL=1 for all", len(planted), first)
	}
	dir := t.TempDir()
	for _, p := range some {
		t.Run(p.name, func(t *testing.T) {
			program := compile(t, dir, overlay(t, dir, p.file, p.old, p.new))
			seed := find(t, program, within)
			require.NotZero(t, seed, "not found within %d seeds", within)
			found, last = found+1, max(last, seed)
			t.Logf("figure: planted fault found by seed %d: %s", seed, p.name)
		})
	}
	t.Run("none", func(t *testing.T) {
		require.Zero(t, find(t, compile(t, dir, ""), last), "a fault was found where none was planted")
		t.Logf("figure: planted faults of the core that were found: %d of %d, each within %d seeds of %d; the core as it is passes these", found, len(some), last, within)
	})
}

// overlay answers a file that has the go command read a source of the core with
// one piece replaced.
func overlay(t *testing.T, dir, file, old, fresh string) string {
	core, err := filepath.Abs("../../session")
	require.NoError(t, err)
	file = filepath.Join(core, file)
	source, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, 1, strings.Count(string(source), old), "the piece to replace must occur once in %s", file)
	faulty := filepath.Join(dir, "faulty.go")
	require.NoError(t, os.WriteFile(faulty, []byte(strings.Replace(string(source), old, fresh, 1)), 0o600))
	list, err := json.Marshal(map[string]any{"Replace": map[string]string{file: faulty}})
	require.NoError(t, err)
	name := filepath.Join(dir, "overlay.json")
	require.NoError(t, os.WriteFile(name, list, 0o600))
	return name
}

// compile makes a program of the tests of this package.
func compile(t *testing.T, dir, overlay string) string {
	program := filepath.Join(dir, "simulate.test")
	args := []string{"test", "-c", "-o", program}
	if overlay != "" {
		args = append(args, "-overlay", overlay)
	}
	out, err := exec.CommandContext(t.Context(), "go", append(args, ".")...).CombinedOutput()
	require.NoError(t, err, "%s", out)
	return program
}

var wrongHistory = regexp.MustCompile(`history (\d+):\n`)

// find answers the seed of the first history that is wrong, 0 if none of the
// first n is.
func find(t *testing.T, program string, n int) int {
	out, err := exec.CommandContext(t.Context(), program, "-test.run=^TestHistories$", "-simulate.seed=1", "-simulate.n="+strconv.Itoa(n)).CombinedOutput()
	if err == nil {
		return 0
	}
	m := wrongHistory.FindSubmatch(out)
	require.NotNil(t, m, "%v\n%s", err, out)
	seed, err := strconv.Atoi(string(m[1]))
	require.NoError(t, err)
	if _, said, found := strings.Cut(string(out), "WRONG: "); found {
		said, _, _ = strings.Cut(said, "\n")
		t.Logf("%s", said)
	}
	return seed
}
