package conformance_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/websession/websession/conformance"
	"github.com/websession/websession/session/memory"
)

var memoryPlaces atomic.Int64

var inMemory = conformance.Env{
	Place: func(testing.TB) map[string]any {
		return map[string]any{"name": fmt.Sprint("conformance-", memoryPlaces.Add(1))}
	},
}

func TestMemory(t *testing.T) { conformance.Run(t, memory.Driver{}, inMemory) }

func BenchmarkMemory(b *testing.B) { conformance.Bench(b, memory.Driver{}, inMemory) }

func FuzzMemory(f *testing.F) { conformance.Fuzz(f, memory.Driver{}, inMemory) }
