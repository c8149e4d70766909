//go:build linux

package lyingdisk_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/websession/websession/internal/lyingdisk"
)

// A program that does not sync loses what it wrote; which part of it is up to
// the seed.
func Example() {
	test := func(t *testing.T) {
		disk := lyingdisk.Start(t)
		os.WriteFile(filepath.Join(disk.Dir, "note"), []byte("important"), 0o600)
		disk.Cut()
		for seed := range uint64(100) {
			left := t.TempDir()
			disk.Survive(seed, left)
			if _, err := os.Stat(filepath.Join(left, "note")); err != nil {
				return // as was to be expected
			}
		}
		t.Error("it always survived")
	}
	_ = test // in a test file, with lyingdisk.Main in TestMain
}
