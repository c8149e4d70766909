package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
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
	require.Equal(t, []int{2, 0, 1}, []int{r.Passed, r.Failed, r.Skipped})
	require.Equal(t, map[string]*proved{file: {12, []string{"lost: 0 of 200 (95 % bound: below 1.5 %)"}, []string{"TestCut: seed 77"}}}, r.Packages)
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
	folder, out := filepath.Join(dir, "kept"), filepath.Join(dir, "proof.md")
	// runs makes a run of a part, on some day.
	runs := func(part, day string, beside bool, events ...event) error {
		name := filepath.Join(dir, "prove-"+part+".json")
		require.NoError(t, os.WriteFile(name, []byte("of an older run"), 0o600))
		require.NoError(t, writeStamps([]string{name}))
		require.NoFileExists(t, name)
		s, err := readStamp(name)
		require.NoError(t, err)
		require.Equal(t, []string{runtime.Version(), machine()}, []string{s.Go, s.Machine})
		require.NotEmpty(t, s.Date)
		require.NotEmpty(t, s.Commit)
		s.Date, s.Commit = day, "0123456789ab"
		b, err := json.Marshal(s)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(stampOf(name), b, 0o600))
		require.NoError(t, os.WriteFile(name, []byte(stream(t, events...)), 0o600))
		return report([]string{name}, folder, beside)
	}
	// written answers the sections of the document.
	written := func(parts ...string) []string {
		require.NoError(t, writeDocument(out, folder, parts))
		doc, err := os.ReadFile(out)
		require.NoError(t, err)
		return strings.Split(string(doc), "\n## ")
	}
	require.NoError(t, runs("a", "2026-11-28", false, cut...))
	require.NoError(t, runs("b", "2026-11-27", false, cut...))
	require.NoError(t, runs("c", "2026-11-28", false, cut...))
	doc := written("a", "b", "c")
	require.Len(t, doc, 3)
	require.Contains(t, doc[0], "# Proof")
	require.Contains(t, doc[1], "2026-11-28, commit 0123456789ab\n\n"+machine())
	require.Contains(t, doc[1], "4 tests passed, 0 failed, 2 were left out")
	require.Contains(t, doc[1], "### file (24 s)\n\n- lost: 0 of 200 (95 % bound: below 1.5 %)\n")
	require.Contains(t, doc[2], "2 tests passed, 0 failed, 1 were left out")
	require.Contains(t, doc[2], "Seeds: TestCut: seed 77.\n")

	require.Equal(t, "Not run yet\n\n- `make prove-d`\n", written("a", "d")[2])

	// A later run takes the place of an earlier one, or stands beside it.
	require.NoError(t, runs("b", "2026-11-29", false, cut...))
	require.Len(t, written("b"), 2)
	require.NoError(t, runs("b", "2026-11-30", true, cut...))
	require.Len(t, written("b"), 3)
	require.NoError(t, runs("b", "2026-11-30", true, cut...))
	doc = written("b")
	require.Len(t, doc, 3)
	require.Contains(t, doc[2], "4 tests passed")

	before := written("a", "b")
	for want, events := range map[string][]event{
		"1 tests failed":           {{Action: "fail", Package: file, Test: "TestCut"}, {Action: "fail", Package: file}},
		"cut off in " + file:       cut[:len(cut)-1],
		"1 tests failed: nothing":  {{Action: "fail", Package: file}}, // its TestMain
		"cut off in " + file + "2": append(slices.Clone(cut), event{Action: "start", Package: file + "2"}),
		"no bound":                 {{Action: "output", Package: file, Test: "TestCut", Output: "figure: lost: 0 of 200"}, {Action: "pass", Package: file}},
	} {
		require.ErrorContains(t, runs("a", "2026-11-30", false, events...), want)
		require.Equal(t, before, written("a", "b"))
	}
}
