package redis

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/websession/websession/session/driver"
)

// Parts of the package for the tests outside of it.
var (
	Scripts = []script{
		createScript, replaceScript, swapScript, touchScript, deleteScript, confirmScript,
		enterScript, undoScript, leaveScript, sweepScript, probeScript,
	}
	DefaultThreshold = defaultThreshold
)

// OpenThrough opens a store whose connections to servers, not to Sentinels, go to
// other addresses.
func OpenThrough(ctx context.Context, c driver.Connector, o driver.OpenOptions, route func(string) string) (driver.Store, error) {
	s := c.(connector).settings
	s.route = route
	return open(ctx, s, o)
}

// SetThreshold changes from when on calls share a connection.
func SetThreshold(s driver.Store, most, least int64) {
	adapterOf(s).traffic.threshold = threshold{most, least}
}

func adapterOf(s driver.Store) *adapter {
	if c, ok := s.(clusterStore); ok {
		return c.server.(*adapter)
	}
	return s.(*Store).server.(*adapter)
}

// Text answers the text of a script.
func (s script) Text() string { return s.text }

// ShareAlways has all calls share a connection.
func ShareAlways(s driver.Store) { adapterOf(s).traffic.shared.Store(true) }

// CountShared answers a count of the calls that go out together from now on.
func CountShared(s driver.Store) *atomic.Int64 {
	a := adapterOf(s)
	l := &countingLane{lane: a.lane}
	a.lane = l
	return &l.calls
}

type countingLane struct {
	lane
	calls atomic.Int64
}

func (l *countingLane) send(ctx context.Context, c command) (any, error) {
	l.calls.Add(1)
	return l.lane.send(ctx, c)
}

// Busy reports whether a connection is in use.
func Busy(s driver.Store) bool {
	stats := adapterOf(s).client.PoolStats()
	return stats.TotalConns > 0 && stats.IdleConns == 0
}

// LeaveScript is the text of leaveScript.
var LeaveScript = leaveScript.text

// Gather has calls wait until there are n, which then go out as one batch.
func Gather(s driver.Store, n int) {
	b := adapterOf(s).lane.(*batcher)
	// when answers with b.mu held.
	when := func(ok func() bool) {
		for b.mu.Lock(); !ok(); b.mu.Lock() {
			b.mu.Unlock()
			time.Sleep(time.Millisecond)
		}
	}
	when(func() bool { return b.sending == 0 })
	b.sending = senders
	b.mu.Unlock()
	go func() {
		when(func() bool { return len(b.queue) >= n })
		defer b.mu.Unlock()
		b.sending = 1
		b.flights[0] = b.take(nil)
		go b.work(0, b.flights[0])
	}()
}

// FillQueue has as many calls wait as may, which are never sent, until it is
// emptied.
func FillQueue(s driver.Store) (empty func()) {
	b := adapterOf(s).lane.(*batcher)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sending = senders
	for range queueSize {
		b.queue = append(b.queue, &call{ctx: context.Background(), done: make(chan struct{}, 1)})
	}
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.sending, b.queue = 0, nil
	}
}
