package simulate

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/websession/websession/session"
)

const clientCount = 8

// tick is the step that time moves in. It is longer than any pause of the core
// (half a second), so that a pause has always ended at the next one, wherever in
// it the core's own dice put it.
const tick = 510 * time.Millisecond

// offTick is added to every bound of time: it ends after the pauses of its tick,
// and before the next.
const offTick = 505 * time.Millisecond

// storeTimeout begins at any time within a tick, after a pause or a wait. It ends in
// the same tick wherever that was.
const storeTimeout = 6*tick + 2*time.Millisecond

// bound answers about d, a bound of time that begins with a tick.
func bound(d time.Duration) time.Duration { return d/tick*tick + offTick }

// A setting is what the seed decides before a history begins. Rates are of a
// thousand steps or calls.
type setting struct {
	servers  int
	sessions int // there at the beginning
	lines    int // there may ever be
	each     int // operations of a client

	touches bool // the store has Touch
	purges  bool // the store has Purge; else it expires records by itself
	vague   bool // the store does not tell an absent record from a changed one

	idle     time.Duration
	absolute time.Duration
	ownIdle  bool // some sessions have an idle time-out of their own
	refuses  bool // Managers remember whom they ended
	clears   bool // requests clear, and nobody counts

	skew   time.Duration // of clocks at the beginning, either way
	jumps  int           // rate of clocks that jump
	ticks  int           // rate of short times
	lulls  int           // rate of long times
	cancel int           // rate of requests that end early
	faults int           // rate of calls that suffer
	held   int           // rate of answers that come later
	weight [fateCount]int
	ops    [opCount]int
	speed  [clientCount]int // how often clients go on
}

func newSetting(rng *rand.Rand) *setting {
	s := &setting{
		sessions: 1 + rng.IntN(3)*rng.IntN(2),
		lines:    4,
		each:     3 + rng.IntN(5),
		touches:  rng.IntN(2) == 0,
		purges:   rng.IntN(2) == 0,
		vague:    rng.IntN(3) == 0,
		idle:     pick(rng, 10*time.Minute, 2*time.Hour, 8*time.Hour),
		absolute: session.NoLimit,
		ownIdle:  rng.IntN(4) == 0,
		refuses:  rng.IntN(4) == 0,
		clears:   rng.IntN(4) == 0,
		skew:     pick(rng, 0, 30*time.Second, 30*time.Minute),
		ticks:    pick(rng, 10, 50),
		lulls:    pick(rng, 0, 10, 30, 100),
		cancel:   pick(rng, 0, 0, 10, 30),
		faults:   pick(rng, 0, 30, 100, 250),
		held:     pick(rng, 100, 300, 600),
	}
	s.servers = pick(rng, 1, 2, 2, 3, 4, 8, 12)
	if rng.IntN(3) == 0 {
		s.absolute = 3 * s.idle
	}
	if s.skew > 0 {
		s.jumps = pick(rng, 0, 10, 40)
	}
	for f := range s.weight {
		s.weight[f] = rng.IntN(4)
	}
	s.weight[refused]++
	s.ops = [opCount]int{
		opOpen:    30,
		opSave:    pick(rng, 20, 60),
		opTouch:   pick(rng, 5, 40),
		opRenew:   pick(rng, 0, 5, 20),
		opEnd:     pick(rng, 0, 1, 6),
		opUpdate:  pick(rng, 5, 40),
		opLogout:  pick(rng, 0, 1, 6),
		opPurge:   pick(rng, 0, 5),
		opCreate:  pick(rng, 0, 3, 10),
		opForsake: 10,
	}
	uneven := rng.IntN(3) == 0
	for c := range s.speed {
		s.speed[c] = 10
		if uneven && rng.IntN(3) == 0 {
			s.speed[c] = 1
		}
	}
	switch rng.IntN(10) {
	case 0:
		s.crowd()
	case 1:
		s.births()
	}
	return s
}

// crowd has more Managers write one session than a record keeps tags of, while
// some clients wait for long.
func (s *setting) crowd() {
	s.servers, s.sessions, s.each = 12, 1, 12
	s.skew, s.jumps, s.lulls, s.ticks, s.cancel = 0, 0, 0, 5, 0
	s.clears, s.ownIdle = false, false
	s.faults, s.held = 60, 100
	s.weight = [fateCount]int{cutBefore: 1, cutAfter: 4}
	s.ops = [opCount]int{opOpen: 10, opSave: 10, opTouch: 1, opRenew: 0, opEnd: 0, opUpdate: 60, opForsake: 10}
	s.speed[0], s.speed[1] = 1, 1
}

// births has many sessions begin and end, on a network that is late.
func (s *setting) births() {
	s.lines, s.refuses, s.lulls = 12, false, 0
	s.faults = 200
	s.weight = [fateCount]int{cutAfter: 1, delayed: 4}
	s.ops = [opCount]int{opOpen: 10, opSave: 5, opTouch: 5, opRenew: 20, opEnd: 10, opUpdate: 5, opLogout: 20, opCreate: 30, opForsake: 5}
}

// pick answers one of several.
func pick[T any](rng *rand.Rand, of ...T) T { return of[rng.IntN(len(of))] }

// draw answers an index, the likelier the greater its weight.
func draw(rng *rand.Rand, weights []int) int {
	sum := 0
	for _, w := range weights {
		sum += w
	}
	n := rng.IntN(sum)
	for i, w := range weights {
		if n -= w; n < 0 {
			return i
		}
	}
	panic("not reached")
}

// span answers a time between nothing and most, in whole ticks.
func span(rng *rand.Rand, most time.Duration) time.Duration {
	return time.Duration(1+rng.Int64N(int64(most/tick))) * tick
}

func (s *setting) String() string {
	return fmt.Sprintf("%+v", *s)
}

// options are those of a server's Manager.
func (s *setting) options(v *server) *session.Options {
	o := &session.Options{
		Idle:         s.idle,
		Absolute:     s.absolute,
		PurgeEvery:   session.NoLimit,
		RefuseEnded:  session.NoLimit,
		StoreTimeout: storeTimeout,
		Observe:      v.observe,
		Now:          v.now,
	}
	if s.refuses {
		o.RefuseEnded = bound(10 * time.Minute)
	}
	return o
}
