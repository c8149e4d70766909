package conformance_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/websession/websession/conformance"
	"github.com/websession/websession/session/memory"
)

func TestMemory(t *testing.T) {
	var places atomic.Int64
	conformance.Run(t, memory.Driver{}, conformance.Env{
		Place: func(testing.TB) map[string]any {
			return map[string]any{"name": fmt.Sprint("conformance-", places.Add(1))}
		},
	})
}
