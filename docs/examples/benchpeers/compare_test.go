package benchpeers

import (
	"runtime"
	"slices"
	"testing"
	"time"
)

const (
	runs  = 5 // of which the median is reported
	turns = 8 // of each side in a run
)

// server sends requests until a time and answers how many.
type server func(until time.Time) (requests int)

// compare reports how many times as fast ours serves requests as theirs: the
// median of five runs. In a run the two take turns, so that what else the
// machine does slows down both. Each turn begins after a garbage collection, so
// that neither clears up for the other; the very first one is not counted.
//
// "x" goes by the time that passed; "x-processor" by the time that processors
// were busy, which includes the collection of garbage on another processor, and
// not what other programs did meanwhile.
func compare(b *testing.B, turn time.Duration, ours, theirs server) {
	b.Helper()
	us, them := side{server: ours, turn: turn}, side{server: theirs, turn: turn}
	us.take()
	them.take()
	var passed, busy []float64
	for b.Loop() {
		for range runs {
			us.begin()
			them.begin()
			for range turns {
				us.take()
				them.take()
			}
			us.end()
			them.end()
			passed = append(passed, last(them.passed)/last(us.passed))
			busy = append(busy, last(them.busy)/last(us.busy))
		}
	}
	b.Logf("x of each run: %.2f; x-processor: %.2f", passed, busy)
	b.ReportMetric(0, "ns/op") // of both: without meaning
	b.ReportMetric(median(passed), "x")
	b.ReportMetric(median(busy), "x-processor")
	b.ReportMetric(median(us.passed), "ours-ns/request")
	b.ReportMetric(median(them.passed), "theirs-ns/request")
}

// side is one of two that are compared.
type side struct {
	server server
	turn   time.Duration

	requests           int // in this run
	sumPassed, sumBusy time.Duration
	passed, busy       []float64 // for a request, in ns, by run
}

func (s *side) begin() { s.requests, s.sumPassed, s.sumBusy = 0, 0, 0 }

func (s *side) take() {
	runtime.GC()
	begin, busy := time.Now(), processorTime()
	s.requests += s.server(begin.Add(s.turn))
	s.sumPassed += time.Since(begin)
	s.sumBusy += processorTime() - busy
}

func (s *side) end() {
	s.passed = append(s.passed, float64(s.sumPassed)/float64(s.requests))
	s.busy = append(s.busy, float64(s.sumBusy)/float64(s.requests))
}

func last(values []float64) float64 { return values[len(values)-1] }

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	mid := len(sorted) / 2
	if len(sorted)%2 == 0 {
		return (sorted[mid-1] + sorted[mid]) / 2
	}
	return sorted[mid]
}
