package cassandra_test

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/websession/websession/internal/testenv"
	"github.com/websession/websession/internal/workload"
	"github.com/websession/websession/session"
)

const class = "Cassandra"

// forgetful is a Manager that does not refuse the sessions it ended: what is
// proven with it is proven of the store.
var forgetful = session.Options{RefuseEnded: session.NoLimit}

func TestOverlappingSavesLoseNothing(t *testing.T) {
	workload.Overlap(t, class, testenv.Cassandra(t).Properties, workload.Scaled(5000))
}

func TestSlowSavesBringNothingBack(t *testing.T) {
	workload.SlowSaves(t, class, testenv.Cassandra(t).Properties, workload.Scaled(5000))
}

func TestUpdateLosesNothing(t *testing.T) {
	workload.ExactSum(t, class, testenv.Cassandra(t).Properties, workload.Scaled(5000))
}

// together runs all at once and waits for them.
func together(do ...func()) {
	var all sync.WaitGroup
	start := make(chan struct{})
	for _, f := range do {
		all.Go(func() { <-start; f() })
	}
	close(start)
	all.Wait()
}

// inLanes does something n times, eight at a time: a transaction mostly waits.
func inLanes(t *testing.T, n int, do func(i int)) {
	t.Helper()
	var next atomic.Int64
	lane := func() {
		for !t.Failed() {
			i := int(next.Add(1)) - 1
			if i >= n {
				return
			}
			do(i)
		}
	}
	together(lane, lane, lane, lane, lane, lane, lane, lane)
}
