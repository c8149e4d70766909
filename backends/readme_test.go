package backends_test

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every test that a guarantee names exists.
func TestGuaranteesNameTests(t *testing.T) {
	doc, err := os.ReadFile("../docs/guarantees.md")
	require.NoError(t, err)
	var code strings.Builder
	err = filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".go") {
			var b []byte
			b, err = os.ReadFile(path)
			code.Write(b)
		}
		return err
	})
	require.NoError(t, err)
	names := regexp.MustCompile("`(?:(Test[A-Za-z]+)|([A-Z][A-Za-z]+/[A-Za-z]+))`").FindAllStringSubmatch(string(doc), -1)
	require.Greater(t, len(names), 20)
	for _, name := range names {
		if name[1] != "" {
			require.Contains(t, code.String(), "func "+name[1]+"(")
		} else {
			require.Contains(t, code.String(), `"`+name[2]+`"`)
		}
	}
}

// The program in README.md compiles, and is as short as the README says.
func TestReadmeProgramCompiles(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(readme), "```go\n")
	require.True(t, found)
	program, _, found := strings.Cut(rest, "```")
	require.True(t, found)
	require.LessOrEqual(t, strings.Count(program, "\n"), 40)
	file := filepath.Join(t.TempDir(), "main.go")
	require.NoError(t, os.WriteFile(file, []byte(program), 0o600))
	for _, args := range [][]string{{"vet", file}, {"build", "-o", os.DevNull, file}} {
		out, err := exec.Command("go", args...).CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
}
