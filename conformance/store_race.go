package conformance

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math/rand/v2"
	"runtime"
	"sync"
	"time"

	"github.com/websession/websession/session/driver"
)

// together runs f n times at once and waits for all.
func together(n int, f func(i int)) {
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-start
			f(i)
		})
	}
	close(start)
	wg.Wait()
}

// within reports whether f returned in time. If it did not, it goes on, and the
// case should end.
func (p *place) within(what string, f func()) bool {
	p.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	t := time.NewTimer(p.patience)
	defer t.Stop()
	select {
	case <-done:
		return true
	case <-t.C:
		p.state.hung.Store(true)
		p.fail("%s did not return within %v", what, p.patience)
		return false
	}
}

// closeAtTheEnd closes a store when the case is over. It does not wait for ever:
// what a case has found is printed when it ends, and a call that hangs may keep
// Close from returning.
func (p *place) closeAtTheEnd(s driver.Store) {
	p.Cleanup(func() {
		if p.state.hung.Load() {
			q := *p
			q.patience = min(p.patience, time.Second)
			p = &q
		}
		var err error
		if p.within("Close", func() { err = s.Close() }) && err != nil {
			p.Errorf("Close: %v", err)
		}
	})
}

// goroutines answers the names of the goroutines that there are. Their number
// would not do: some of an earlier case may end only now, and hide as many that
// are left behind.
func (p *place) goroutines() map[string]bool {
	stacks := make([]byte, 1<<16)
	for {
		n := runtime.Stack(stacks, true)
		if n < len(stacks) {
			stacks = stacks[:n]
			break
		}
		stacks = make([]byte, 2*len(stacks))
	}
	names := make(map[string]bool)
	for stack := range bytes.SplitSeq(stacks, []byte("\n\n")) {
		name, _, _ := bytes.Cut(bytes.TrimPrefix(stack, []byte("goroutine ")), []byte(" "))
		names[string(name)] = true
	}
	return names
}

// noGoroutines reports when there are new goroutines, as many as uses that should
// have ended.
func (p *place) noGoroutines(before map[string]bool, uses int, what string) {
	p.Helper()
	added := 0
	if !p.eventually(func() bool {
		added = 0
		for name := range p.goroutines() {
			if !before[name] {
				added++
			}
		}
		return added < uses
	}) {
		p.fail("after %d %s there are %d goroutines that were not there before", uses, what, added)
	}
}

// eventually polls until ok answers true, and reports whether it did.
func (p *place) eventually(ok func() bool) bool { return poll(time.Now().Add(p.patience), ok) }

// poll is eventually with a deadline.
func poll(end time.Time, ok func() bool) bool {
	for ; time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if ok() {
			return true
		}
	}
	return ok()
}

// spin waits until ok answers true or the case has failed, but not for ever: a
// moment busily, so that fast stores are met in the middle of their work.
func (p *place) spin(ok func() bool) {
	begin := time.Now()
	for n := 0; !ok() && !p.Failed() && time.Since(begin) < p.patience; n++ {
		if n < 1000 {
			runtime.Gosched()
		} else {
			time.Sleep(100 * time.Microsecond)
		}
	}
}

// races counts exactly who won. Every answer but nil and the sentinels of the
// contract leaves the outcome open; then the winner is unknown, and counted.
type races struct {
	p        *place
	mu       sync.Mutex
	attempts int
	open     int
	last     error
}

// isOpen reports whether err leaves the outcome of a mutation open, and counts.
func (r *races) isOpen(err error) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.attempts++
	for _, e := range []error{nil, driver.ErrNotFound, driver.ErrExists, driver.ErrConflict, driver.ErrClosed} {
		if errors.Is(err, e) {
			return false
		}
	}
	r.open++
	r.last = err
	return true
}

// end reports when too much was left open: the case would prove little.
func (r *races) end() {
	r.p.Helper()
	if r.open*10 > r.attempts {
		r.p.fail("%d of %d calls answered neither nil nor an error of the contract, on a store that works: %v", r.open, r.attempts, r.last)
	}
}

// nobody stands for a winner that is not known.
const nobody = -1

// oneWinner runs n attempts at once, of which exactly one can be applied, and
// answers which it was. The others must answer one of lose.
func (r *races) oneWinner(what string, n int, attempt func(i int) error, lose ...error) int {
	r.p.Helper()
	errs := make([]error, n)
	together(n, func(i int) { errs[i] = attempt(i) })
	winner, won, open := nobody, 0, 0
	for i, err := range errs {
		switch isOpen := r.isOpen(err); {
		case err == nil:
			winner = i
			won++
		case isOpen:
			open++
		case !matches(err, lose...):
			r.p.fail("%s: an attempt that lost answered %v", what, err)
		}
	}
	if won > 1 {
		r.p.fail("%s: %d of %d attempts answered that they were applied", what, won, n)
	}
	if won == 0 && open == 0 {
		r.p.fail("%s: none of %d attempts was applied, and each said that another one was", what, n)
	}
	if won != 1 {
		return nobody
	}
	return winner
}

func matches(err error, targets ...error) bool {
	for _, t := range targets {
		if errors.Is(err, t) {
			return true
		}
	}
	return false
}

// stampBlock is how soon the bytes of a stamp repeat: not after a whole number of
// pages or blocks of a disk, so that two that were exchanged show.
const stampBlock = 8209

// stamp answers size bytes (at least 12) that carry seq and show when they are
// torn.
func stamp(seq uint64, size int) []byte {
	b := make([]byte, size)
	binary.BigEndian.PutUint64(b, seq)
	fill := rand.NewPCG(seq, uint64(size))
	var block [stampBlock]byte
	for i := 0; i < min(size-12, stampBlock); i += 8 {
		var word [8]byte
		binary.BigEndian.PutUint64(word[:], fill.Uint64())
		copy(block[i:], word[:])
	}
	for rest := b[12:]; len(rest) > 0; {
		rest = rest[copy(rest, block[:]):]
	}
	binary.BigEndian.PutUint32(b[8:], sumOf(b))
	return b
}

func sumOf(b []byte) uint32 {
	return crc32.Update(crc32.ChecksumIEEE(b[:8]), crc32.IEEETable, b[12:])
}

// unstamp answers the seq of what stamp made, unless it was torn.
func unstamp(b []byte) (seq uint64, whole bool) {
	if len(b) < 12 {
		return 0, false
	}
	return binary.BigEndian.Uint64(b), binary.BigEndian.Uint32(b[8:]) == sumOf(b)
}

// counters is the data of a record with a counter for each of n workers.
func counters(n int) []byte { return make([]byte, 4*n) }

// count raises the counter of a worker one by one, each time by Load and Replace
// until it is applied. It reports what was lost or added twice.
func (r *races) count(h handle, key string, worker, from, to int) {
	ctx := r.p.Context()
	maybe := false // the outcome of the last increment is open
	for i := from; i < to && !r.p.Failed(); {
		rec, v, err := h.Load(ctx, key)
		if err != nil || len(rec.Data) < 4*worker+4 {
			r.p.fail("Load of the counters: %d bytes, %v", len(rec.Data), err)
			return
		}
		slot := rec.Data[4*worker:]
		shown := binary.BigEndian.Uint32(slot)
		if maybe && shown == uint32(i+1) {
			maybe = false
			i++
			continue
		}
		if shown != uint32(i) {
			r.p.fail("the counter of worker %d shows %d when %d increments had been answered", worker, shown, i)
			return
		}
		binary.BigEndian.PutUint32(slot, uint32(i+1))
		_, err = h.Replace(ctx, after(rec, rec), v)
		switch isOpen := r.isOpen(err); {
		case err == nil:
			maybe = false
			i++
		case isOpen:
			maybe = true
		case !errors.Is(err, driver.ErrConflict):
			r.p.fail("Replace of a record that is there answered %v", err)
			return
		}
	}
}

// counted reports unless each counter of data shows n.
func (r *races) counted(data []byte, n int) {
	r.p.Helper()
	for w := range len(data) / 4 {
		if shown := binary.BigEndian.Uint32(data[4*w:]); shown != uint32(n) {
			r.p.fail("the counter of worker %d shows %d after %d increments", w, shown, n)
		}
	}
}
