package redis

import "sync/atomic"

// threshold says from how many calls in flight on they go out together, and from
// how few on no longer.
type threshold struct{ most, least int64 }

// defaultThreshold was found by BenchmarkThreshold: with four callers loads are as
// fast either way, with eight 1.3 times as fast together, with 32 2.8 times;
// touches gain from about twelve callers on.
var defaultThreshold = threshold{most: 7, least: 4}

// traffic counts calls in flight, and switches with hysteresis between a
// connection for each and one that is shared.
type traffic struct {
	threshold threshold
	calls     atomic.Int64
	shared    atomic.Bool
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
	return shared
}

func (t *traffic) leave() { t.calls.Add(-1) }
