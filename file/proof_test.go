package file

import (
	"os"
	"testing"

	"github.com/websession/websession/internal/workload"
)

var full, scaled, zero, seeded = workload.Full, workload.Scaled, workload.Zero, workload.Seeded

// memoryDir answers an empty folder in memory, where there is such a place.
func memoryDir(tb testing.TB) string {
	dir, err := os.MkdirTemp("/dev/shm", "file-test-")
	if err != nil {
		return tb.TempDir()
	}
	tb.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}
