package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// module writes a module of two packages: in one a test fails when it is not the
// first to run.
func module(t *testing.T) string {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":             "module example.com/m\n\ngo 1.26.0\n",
		"none/none.go":       "package none\n",
		"fine/fine_test.go":  "package fine\n\nimport \"testing\"\n\nfunc TestFine(t *testing.T) {}\n",
		"order/file.txt":     "",
		"order/list_test.go": "package order\n\nimport (\n\t\"os\"\n\t\"testing\"\n)\n\nvar ran int\n\nfunc TestA(t *testing.T) { ran++ }\n\nfunc TestB(t *testing.T) {\n\tif _, err := os.Stat(\"file.txt\"); err != nil {\n\t\tt.Fatal(err)\n\t}\n\tif ran > 0 {\n\t\tt.Fatal(\"came later\")\n\t}\n}\n",
	} {
		name = filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o700))
		require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
	}
	return dir
}

// What depends on the order of tests is found, with a seed that repeats it.
func TestFindsWhatDependsOnTheOrder(t *testing.T) {
	t.Chdir(module(t))
	report := filepath.Join(t.TempDir(), "report.json")
	var log strings.Builder
	r := &repeats{n: 20, seed: 1, log: &log}
	err := r.all(t.Context(), nil, []string{"./..."}, report)
	require.ErrorContains(t, err, "example.com/m/order -shuffle=")
	require.NotContains(t, err.Error(), "example.com/m/fine")
	require.Contains(t, log.String(), "came later")
	require.NotContains(t, log.String(), "file.txt")
	require.Contains(t, log.String(), "runs of the tests of 2 packages")
	require.Less(t, len(r.failed), 20)
	b, err := os.ReadFile(report)
	require.NoError(t, err)
	require.Contains(t, string(b), `"Action":"fail"`)

	r = &repeats{n: 3, seed: 1, log: &log, flags: []string{"-test.run=Fine"}}
	require.NoError(t, r.all(t.Context(), nil, []string{"./..."}, report))
	b, err = os.ReadFile(report)
	require.NoError(t, err)
	require.NotContains(t, string(b), `"Action":"fail"`)
	require.Contains(t, string(b), "that failed: 0 of 3 (95 % bound: below 1e+02 %), seed 1")
}

// A limit ends the repeats with a round that is whole.
func TestLimit(t *testing.T) {
	t.Chdir(module(t))
	report := filepath.Join(t.TempDir(), "report.json")
	r := &repeats{n: 1000, limit: time.Nanosecond, seed: 1, log: &strings.Builder{}, flags: []string{"-test.run=Fine"}}
	require.NoError(t, r.all(t.Context(), nil, []string{"./..."}, report))
	b, err := os.ReadFile(report)
	require.NoError(t, err)
	require.Contains(t, string(b), "that failed: 0 of 1 ")
}

func TestWhatDoesNotCompileIsNotRun(t *testing.T) {
	dir := module(t)
	t.Chdir(dir)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "none", "bad_test.go"), []byte("package none\n\nvar x int = \"\"\n"), 0o600))
	r := &repeats{n: 1, seed: 1, log: &strings.Builder{}}
	require.ErrorContains(t, r.all(t.Context(), nil, []string{"./..."}, ""), "go test -c")
}
