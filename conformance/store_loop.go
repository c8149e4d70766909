package conformance

import (
	"context"
	"errors"
	"iter"
	"slices"
	"sync/atomic"

	"github.com/websession/websession/session/driver"
)

// whileOthersWrite calls look while two others create, change and delete records
// of the keys.
func (p *place) whileOthersWrite(hs []handle, keys []string, rounds int, look func(h handle)) {
	var writes atomic.Int64
	var ended atomic.Bool
	half := len(keys) / 2
	seed := p.rng.Uint64()
	together(3, func(w int) {
		if w < 2 {
			p.churn(hs[w], keys[w*half:][:half], seed>>32, &writes, &ended)
			return
		}
		defer ended.Store(true)
		for range rounds {
			since := writes.Load()
			p.spin(func() bool { return writes.Load() > since+int64(half) })
			if look(hs[2]); p.Failed() {
				return
			}
		}
	})
}

// churn creates, changes and deletes records of keys that only it uses.
func (p *place) churn(h handle, keys []string, seed uint64, writes *atomic.Int64, ended *atomic.Bool) {
	ctx := p.Context()
	type state struct {
		rec driver.Record
		v   driver.Version
	}
	states := make(map[string]state)
	for i := seed; !ended.Load() && !p.Failed(); i++ {
		key := keys[i%uint64(len(keys))]
		old, there := states[key]
		rec := after(old.rec, churned(key, i))
		rec.Key = key
		var v driver.Version
		var err error
		switch {
		case !there:
			v, err = h.Create(ctx, rec)
		case i%3 == 0:
			err = h.Delete(ctx, rec, old.v)
		default:
			v, err = h.Replace(ctx, rec, old.v)
		}
		if err != nil {
			p.fail("a write of a key that nobody else uses answered %v", err)
		}
		states[key] = state{rec, v}
		if v == "" {
			delete(states, key)
		}
		writes.Add(1)
	}
}

// leaves breaks out of many loops, and reports unless the store works as before
// and nothing stays.
func (p *place) leaves(h handle, seq func() iter.Seq2[driver.Record, error]) {
	p.Helper()
	const times = 64
	leave := func() bool {
		return p.within("leaving a loop", func() {
			for _, err := range seq() {
				if err != nil {
					p.fail("the first thing that the sequence yielded: %v", err)
				}
				break
			}
		})
	}
	if !leave() { // what is made once may stay
		return
	}
	before := p.goroutines()
	for range times {
		if !leave() {
			return
		}
	}
	if !p.within("a life after loops that were left", func() { p.ownLife(h, h, p.token(43), 1) }) {
		return
	}
	p.noGoroutines(before, times, "loops that were left")
}

// usedInLoop calls every method in the loop.
func (p *place) usedInLoop(h handle, seq func(context.Context) iter.Seq2[driver.Record, error]) {
	p.Helper()
	ctx, cancel := context.WithTimeout(p.Context(), p.patience)
	defer cancel()
	fresh := p.tokens(100)
	seen := make(map[string]bool)
	p.within("a loop that uses the store", func() {
		n := 0
		for rec, err := range seq(ctx) {
			if err != nil {
				p.fail("the sequence ended with: %v", err)
				return
			}
			if n++; n > 20 {
				break
			}
			if seen[rec.Key] || slices.Contains(fresh, rec.Key) {
				continue // yielded twice, or created in the loop
			}
			seen[rec.Key] = true
			got, v, err := h.Load(ctx, rec.Key)
			if err == nil {
				v, err = h.Replace(ctx, after(got, got), v)
			}
			if err == nil {
				v, err = h.touch(ctx, after(got, got), v)
			}
			if err == nil {
				err = h.Delete(ctx, after(got, driver.Record{}), v)
			}
			if err == nil {
				_, err = h.Create(ctx, driver.Record{Key: fresh[n], Index: rec.Index})
			}
			for _, inner := range seq(ctx) {
				err = errors.Join(err, inner)
				break
			}
			if err != nil {
				p.fail("a call in the loop answered %v", err)
				return
			}
		}
		if n < 10 {
			p.fail("the loop ended after %d records of 30", n)
		}
	})
}
