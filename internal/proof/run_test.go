package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// stream is what go test -json prints for these events.
func stream(t *testing.T, events ...event) string {
	var b strings.Builder
	b.WriteString("# a line of a build\n")
	for _, e := range events {
		require.NoError(t, json.NewEncoder(&b).Encode(e))
	}
	return b.String()
}

const file = "github.com/websession/websession/file"

var cut = []event{
	{Action: "output", Package: file, Test: "TestCut", Output: "    proof_test.go:29: seed 77\n"},
	{Action: "output", Package: file, Test: "TestCut/full", Output: "    cut_test.go:3: figure: lost: 0 of 200 (95 % bound: below 1.5 %)\n"},
	{Action: "output", Package: file, Test: "TestOther", Output: "    other_test.go:3: seed 78\n"},
	{Action: "pass", Package: file, Test: "TestCut/full"},
	{Action: "pass", Package: file, Test: "TestCut"},
	{Action: "skip", Package: file, Test: "TestOther"},
	{Action: "pass", Package: file, Elapsed: 12},
}

func TestReadFindsFiguresWithTheirSeeds(t *testing.T) {
	r, err := read(strings.NewReader(stream(t, cut...)))
	require.NoError(t, err)
	require.Equal(t, []int{2, 0, 1}, []int{r.passed, r.failed, r.skipped})
	require.Equal(t, map[string]*proved{file: {12, []string{"lost: 0 of 200 (95 % bound: below 1.5 %)"}, []string{"TestCut: seed 77"}}}, r.packages)
	require.Empty(t, r.unbounded())
}

func TestEveryZeroSaysItsBound(t *testing.T) {
	for figure, bad := range map[string]bool{
		"lost: 0 of 200":                              true,
		"0 of 200 were lost":                          true,
		"lost: 0 of 200 (95 % bound: below 1.5 %)":    false,
		"both attributes survived in 100 of 100 runs": false,
		"10 of 200 were told":                         false,
		"1.0 of 2":                                    false,
	} {
		r, err := read(strings.NewReader(stream(t, event{Action: "output", Package: file, Test: "TestCut", Output: "    x_test.go:1: figure: " + figure})))
		require.NoError(t, err)
		require.Equal(t, bad, len(r.unbounded()) > 0, figure)
	}
}

// Runs of several days stand in one document, each under its own day, commit
// and machine.
func TestDocumentKeepsRunsApart(t *testing.T) {
	dir := t.TempDir()
	names := []string{filepath.Join(dir, "a.json"), filepath.Join(dir, "b.json"), filepath.Join(dir, "c.json")}
	days := []string{"2026-11-28", "2026-11-27", "2026-11-28"}
	for i, name := range names {
		require.NoError(t, os.WriteFile(name, []byte("of an older run"), 0o600))
		require.NoError(t, writeStamps([]string{name}))
		require.NoFileExists(t, name)
		s, err := readStamp(name)
		require.NoError(t, err)
		require.Equal(t, now(), s)
		s.Date = days[i]
		b, err := json.Marshal(s)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(stampOf(name), b, 0o600))
		require.NoError(t, os.WriteFile(name, []byte(stream(t, cut...)), 0o600))
	}
	out := filepath.Join(dir, "proof.md")
	require.NoError(t, report(names, out))
	doc, err := os.ReadFile(out)
	require.NoError(t, err)
	parts := strings.Split(string(doc), "\n## ")
	require.Len(t, parts, 3)
	require.Contains(t, parts[0], "# Proof")
	require.Contains(t, parts[1], "2026-11-28, commit "+now().Commit+"\n\n"+machine())
	require.Contains(t, parts[1], "4 tests passed, 0 failed, 2 were left out")
	require.Contains(t, parts[1], "### file (24 s)\n\n- lost: 0 of 200 (95 % bound: below 1.5 %)\n")
	require.Contains(t, parts[2], "2 tests passed, 0 failed, 1 were left out")
	require.Contains(t, parts[2], "Seeds: TestCut: seed 77.\n")

	require.NotContains(t, string(doc), "Not run yet")
	require.NoError(t, report(append(names, filepath.Join(dir, "prove-d.json")), out))
	doc, err = os.ReadFile(out)
	require.NoError(t, err)
	require.True(t, strings.HasSuffix(string(doc), "\n## Not run yet\n\n- `make prove-d`\n"))
	require.Error(t, report([]string{filepath.Join(dir, "prove-d.json")}, ""), "without a document a stream must be there")

	for want, events := range map[string][]event{
		"1 tests failed":           {{Action: "fail", Package: file, Test: "TestCut"}, {Action: "fail", Package: file}},
		"cut off in " + file:       cut[:len(cut)-1],
		"1 tests failed: " + out:   {{Action: "fail", Package: file}}, // its TestMain
		"cut off in " + file + "2": append(slices.Clone(cut), event{Action: "start", Package: file + "2"}),
	} {
		require.NoError(t, os.WriteFile(names[0], []byte(stream(t, events...)), 0o600))
		require.ErrorContains(t, report(names, out), want)
	}
}
