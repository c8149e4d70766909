package conformance

import (
	"errors"
	"math/rand/v2"
	"sync"

	"github.com/websession/websession/session/driver"
)

// errCut is what a client library says when a connection breaks.
var errCut = errors.New("connection reset by peer")

// faults does to calls of stores what bad networks do. Of a hundred calls it
// loses one before and the answer of one after it was executed; of a hundred
// mutations it has one executed after its sender was told that the connection
// broke. It is shared by the spies of a case.
type faults struct {
	mu      sync.Mutex
	rng     *rand.Rand
	lost    int      // calls and answers
	waiting []func() // calls that are still on their way
	born    int      // Create among the calls that came late
}

const faultRate = 100

func newFaults(p *place) *faults { return &faults{rng: rand.New(rand.NewPCG(p.rng.Uint64(), 2))} }

// spoil makes the calls of s suffer from now on.
func (f *faults) spoil(s *spy) {
	s.reset(
		func(c storeCall) error {
			f.arrive()
			return f.lose(c)
		},
		func(c storeCall, err error) error {
			if lost := f.lose(c); lost != nil {
				return lost
			}
			return err
		})
	s.later(f.delay)
}

// lose answers, once in faultRate calls, the error of a call that was lost: of a
// mutation with the mark of an unknown outcome or, as a driver may forget it,
// without.
func (f *faults) lose(c storeCall) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.roll(c)
}

func (f *faults) roll(c storeCall) error {
	if f.rng.IntN(faultRate) != 0 {
		return nil
	}
	f.lost++
	if c.method == "Load" || f.rng.IntN(2) == 0 {
		return errCut
	}
	return driver.UnknownOutcome(errCut)
}

// delay keeps one mutation in faultRate for later.
func (f *faults) delay(c storeCall, call func()) error {
	if c.method == "Load" {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	err := f.roll(c)
	if err != nil {
		f.waiting = append(f.waiting, call)
		if c.method == "Create" {
			f.born++
		}
	}
	return err
}

// arrive has one of the calls executed that are on their way, now and then.
func (f *faults) arrive() {
	f.mu.Lock()
	var call func()
	if n := len(f.waiting); n > 0 && f.rng.IntN(4) == 0 {
		i := f.rng.IntN(n)
		call = f.waiting[i]
		f.waiting[i] = f.waiting[n-1]
		f.waiting = f.waiting[:n-1]
	}
	f.mu.Unlock()
	if call != nil {
		call()
	}
}

// end has all calls executed that are on their way, and answers how many calls
// were lost or late, and how many of the late ones were Create.
func (f *faults) end() (lost, born int) {
	f.mu.Lock()
	waiting := f.waiting
	f.waiting = nil
	f.mu.Unlock()
	for _, call := range waiting {
		call()
	}
	return f.lost, f.born
}
