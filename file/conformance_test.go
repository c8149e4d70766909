package file

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/websession/websession/conformance"
)

func TestConformance(t *testing.T) {
	conformance.Run(t, Driver{}, conformance.Env{
		Place: func(tb testing.TB) map[string]any { return map[string]any{"Directory": quickDir(tb)} },
		Raw:   rawFiles,
	})
}

// rawFiles answers every file of a place but the lock files.
func rawFiles(tb testing.TB, props map[string]any) map[string][]byte {
	tb.Helper()
	root := props["Directory"].(string)
	files := make(map[string][]byte)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil || strings.HasPrefix(name, lockFolder) {
			return err
		}
		files[name], err = os.ReadFile(path)
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	return files
}
