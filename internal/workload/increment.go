package workload

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/websession/websession/session"
)

// writers is how many goroutines increment.
const writers = 64

// Increments adds 1 to a session n times from many goroutines on the Managers,
// and answers how many were acknowledged, and how many have an unknown outcome.
// Of other errors none but those that match harmless may come.
func Increments(t *testing.T, ms []*session.Manager, id session.ID, n int, harmless error) (acked, unknown int64) {
	t.Helper()
	var todo, ack, unk atomic.Int64
	todo.Store(int64(n))
	var all sync.WaitGroup
	for g := range writers {
		m := ms[g%len(ms)]
		all.Go(func() {
			for todo.Add(-1) >= 0 {
				err := m.Update(background, id, func(s *session.Session) error { return Count.Set(s, Count.GetOr(s, 0)+1) })
				switch {
				case err == nil:
					ack.Add(1)
				case errors.Is(err, session.ErrUnknownOutcome):
					unk.Add(1)
				case harmless != nil && errors.Is(err, harmless):
				default:
					t.Errorf("Update: %v", err)
				}
			}
		})
	}
	all.Wait()
	return ack.Load(), unk.Load()
}

// ExactSum increments n times over four Managers with a handle each: the sum is
// n.
func ExactSum(t *testing.T, class string, props map[string]any, n int) {
	t.Helper()
	const handles = 4
	ms := managers(t, handles, class, props, nil)
	id := NewSession(t, ms[0])
	acked, unknown := Increments(t, ms, id, n, nil)
	if sum := Count.GetOr(Load(t, ms[0], id), 0); acked != int64(n) || unknown != 0 || sum != int64(n) {
		t.Fatalf("of %d increments %d were acknowledged, the outcome of %d is unknown, and the sum is %d", n, acked, unknown, sum)
	}
	t.Logf("figure: %s: %d increments by %d goroutines on %d handles: the sum is exact", class, n, writers, handles)
}
