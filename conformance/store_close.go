package conformance

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/websession/websession/session/driver"
)

func closeCases() []testCase {
	return []testCase{{
		name: "Close/MayBeCalledTwice",
		why:  "the application's shutdown and a deferred call both close",
		run: func(p *place) {
			h := p.handle()
			h.create(p.record())
			together(4, func(int) {
				if err := h.Close(); err != nil {
					p.fail("Close answered %v", err)
				}
			})
			if err := h.Close(); err != nil {
				p.fail("another Close answered %v", err)
			}
		},
	}, {
		name: "Close/EndsEveryMethod",
		why:  "a call that hangs, panics or seems to succeed hides a mistake in the shutdown",
		run: func(p *place) {
			hs := p.handles(2)
			rec := p.record()
			v := hs[0].create(rec)
			if err := hs[1].Close(); err != nil {
				p.fail("Close answered %v", err)
			}
			for _, m := range methods {
				if !p.hasAll(m.needs) {
					continue
				}
				if !p.within(m.name, func() {
					if err := m.call(p.Context(), hs[1], rec, v); !errors.Is(err, driver.ErrClosed) {
						p.fail("%s after Close answered %v; it should match ErrClosed", m.name, err)
					}
				}) {
					return
				}
			}
			hs[0].holds(rec, v, "after calls of a handle that was closed")
			hs[0].absent("free-"+rec.Key, "after calls of a handle that was closed")
		},
	}, {
		name: "Close/LeavesOtherHandles",
		why:  "every store is independent of the others: one that is closed by a tool must not stop the application",
		run: func(p *place) {
			hs := p.handles(4)
			recs := make([]driver.Record, len(hs))
			versions := make([]driver.Version, len(hs))
			for i, h := range hs {
				recs[i] = p.record()
				versions[i] = h.create(recs[i])
			}
			for i, h := range hs[1:] {
				if err := h.Close(); err != nil {
					p.fail("Close answered %v", err)
				}
				for j, rec := range recs {
					hs[0].holds(rec, versions[j], "after another handle was closed")
				}
				recs[i] = after(recs[i], p.record())
				versions[i] = hs[0].replace(recs[i], versions[i])
				if p.hasAll([]string{"Scanner"}) {
					p.yields(hs[0].scan(p.Context()), recs...)
				}
			}
		},
	}, {
		name: "Close/OfOneOfAConnector",
		why:  "a Connector may be used several times, and every Store is independent of the others",
		run: func(p *place) {
			dec := driver.NewDecoder(p.driver.Class().Name, p.props)
			c, err := p.driver.Configure(dec)
			if err = errors.Join(err, dec.Err()); err != nil {
				p.fatal("Configure: %v", err)
			}
			hs := make([]handle, 3)
			for i := range hs {
				s, err := c.Open(p.Context(), driver.OpenOptions{Indexed: []string{"user"}})
				if err != nil {
					p.fatal("Open %d by one Connector: %v", i+1, err)
				}
				p.closeAtTheEnd(s)
				hs[i] = handle{s, p}
			}
			rec := p.record()
			v := hs[0].create(rec)
			hs[1].holds(rec, v, "through another store of the same Connector")
			hs[0].Close()
			hs[1].holds(rec, v, "after another store of the same Connector was closed")
			hs[1].delete(rec, v)
			hs[2].absent(rec.Key, "after Delete through another store of the same Connector")
		},
	}, {
		name: "Close/LosesNothing",
		why:  "what a server has stored before it stops must be there for the others",
		run: func(p *place) {
			reader := p.handle() // opened before, so that the place stays
			for range 5 {
				h := p.handle()
				recs := p.many([]handle{h}, 10, func(int, *driver.Record) {})
				changed := after(recs[0], p.record())
				_, v := h.load(changed.Key)
				h.replace(changed, v)
				h.delete(recs[1], "")
				if err := h.Close(); err != nil {
					p.fail("Close answered %v", err)
				}
				reader.holds(changed, "", "after the handle that stored it was closed")
				reader.absent(recs[1].Key, "after the handle that deleted it was closed")
				for _, rec := range recs[2:] {
					reader.holds(rec, "", "after the handle that stored it was closed")
				}
			}
		},
	}, {
		name: "Close/WhileOthersWork",
		why:  "a shutdown overlaps requests: each of them must learn what became of its write",
		run: func(p *place) {
			for range p.scale(100, 5) {
				p.closeRace()
			}
		},
	}, {
		name: "Close/LeavesNoGoroutine",
		why:  "a program that opens stores again and again would grow",
		run: func(p *place) {
			use := func() {
				s, err := p.tryOpen(p.Context(), p.props, driver.OpenOptions{Indexed: []string{"user"}})
				if err != nil {
					p.fatal("Open: %v", err)
				}
				h := handle{s, p}
				p.ownLife(h, h, p.token(43), 1)
				if p.hasAll([]string{"Scanner"}) {
					for range h.scan(p.Context()) {
						break
					}
				}
				if err := s.Close(); err != nil {
					p.fail("Close answered %v", err)
				}
			}
			use() // what is made once may stay
			before := p.goroutines()
			const times = 10
			for range times {
				use()
			}
			p.noGoroutines(before, times, "stores that were closed")
		},
	}}
}

func (p *place) hasAll(needs []string) bool {
	for _, need := range needs {
		if !p.has(need) {
			return false
		}
	}
	return true
}

// closeRace closes a handle while four goroutines create records with it.
func (p *place) closeRace() {
	hs := p.handles(2)
	const workers = 4
	base := p.token(20)
	var created atomic.Int64
	var mu sync.Mutex
	answers := make(map[string]error)
	ok := p.within("the calls of a store that is closed", func() {
		together(workers+2, func(w int) {
			if w >= workers { // two at once
				p.spin(func() bool { return created.Load() >= 20 })
				if err := hs[1].Close(); err != nil {
					p.fail("Close while others work answered %v", err)
				}
				return
			}
			for i := range 5000 {
				key := fmt.Sprintf("%s-%d-%d", base, w, i)
				_, err := hs[1].Create(p.Context(), driver.Record{Key: key, Data: []byte(key)})
				mu.Lock()
				answers[key] = err
				mu.Unlock()
				created.Add(1)
				if errors.Is(err, driver.ErrClosed) {
					return
				}
			}
		})
	})
	if !ok {
		return
	}
	for key, err := range answers {
		rec, _, loadErr := hs[0].Load(p.Context(), key)
		switch {
		case err == nil && (loadErr != nil || string(rec.Data) != key):
			p.fail("Create was answered with nil, about when the store was closed, and Load answered %v", loadErr)
		case driver.WasNotApplied(err) && !errors.Is(loadErr, driver.ErrNotFound):
			p.fail("Create was answered with %v, which says that it was not applied, and Load answered %v", err, loadErr)
		}
	}
}
