package redis

import "sync/atomic"

// threshold says from how many calls in flight on they share a connection, and
// from how few on no longer.
type threshold struct{ most, least int64 }

// defaultThreshold was found by BenchmarkThreshold: with four callers both ways
// are as fast, with six a shared connection is 1.4 to 1.7 times as fast, with one
// it is slower.
var defaultThreshold = threshold{most: 5, least: 3}

// traffic counts calls in flight, and switches with hysteresis between a
// connection for each and one that is shared.
type traffic struct {
	threshold threshold
	calls     atomic.Int64
	shared    atomic.Bool
	sharing   atomic.Int64 // how many calls went that way, for tests
}

// enter counts a call, and reports whether it goes through the shared
// connection.
func (t *traffic) enter() bool {
	n := t.calls.Add(1)
	shared := t.shared.Load()
	switch {
	case !shared && n > t.threshold.most && t.threshold.most > 0:
		shared = true
		t.shared.Store(true)
	case shared && n <= t.threshold.least:
		shared = false
		t.shared.Store(false)
	}
	if shared {
		t.sharing.Add(1)
	}
	return shared
}

func (t *traffic) leave() { t.calls.Add(-1) }
