package conformance

import (
	"errors"
	"sync/atomic"
	"time"

	"github.com/websession/websession/session/driver"
)

func touchCases() []testCase {
	cases := []testCase{{
		name: "Touch/MovesTheDeadline",
		why:  "a deadline that does not move as told ends sessions that are in use, or keeps those that are not",
		run: func(p *place) {
			hs := p.handles(2)
			rec := p.record()
			v := hs[0].create(rec)
			for i, expires := range []time.Time{
				in(2 * time.Hour), in(time.Minute), in(time.Hour).Truncate(time.Second).Add(7 * time.Millisecond), {},
				in(30 * 24 * time.Hour), time.Date(9999, 12, 31, 23, 59, 59, 999e6, time.UTC), in(time.Minute), in(-time.Second),
			} {
				rec = after(rec, rec)
				rec.Expires = expires
				v = hs[i%2].mustTouch(rec, v)
				hs[(i+1)%2].holds(rec, v, "after Touch")
			}
		},
	}, {
		name: "Touch/KeepsTheData",
		why:  "a touch that writes data would undo what it has not seen; it reads no Data, so that none need be loaded",
		run: func(p *place) {
			hs := p.handles(2)
			for _, n := range []int{0, 1, 200, 70_000, p.few(1<<20, 0)} {
				rec := p.record()
				rec.Data = p.bytes(n)
				v := hs[0].create(rec)
				for i, data := range [][]byte{nil, []byte("other"), p.bytes(n)} {
					call := after(rec, rec)
					call.Data = data
					call.Expires = in(2 * time.Hour)
					v = hs[i%2].mustTouch(call, v)
					rec.Expires = call.Expires
					hs[(i+1)%2].holds(rec, v, "after Touch with other Data")
				}
			}
		},
	}, {
		name: "Touch/AnswersANewVersion",
		why:  "a save in the version of before would move the deadline back",
		run: func(p *place) {
			hs := p.handles(2)
			rec := p.record()
			v := hs[0].create(rec)
			for i := range 5 {
				w := hs[i%2].mustTouch(after(rec, rec), v) // nothing changes
				if w == v {
					p.fail("Touch answered the version that it was given")
				}
				hs[(i+1)%2].holds(rec, w, "after Touch")
				if _, err := hs[0].Replace(p.Context(), after(rec, p.record()), v); !errors.Is(err, driver.ErrConflict) {
					p.fail("Replace in the version of before Touch answered %v; it should be ErrConflict", err)
				}
				if err := hs[1].Delete(p.Context(), after(rec, driver.Record{}), v); !errors.Is(err, driver.ErrConflict) {
					p.fail("Delete in the version of before Touch answered %v; it should be ErrConflict", err)
				}
				hs[0].holds(rec, w, "after calls in the version of before Touch")
				v = w
			}
		},
	}, {
		name: "Touch/NeverCreates",
		why:  "a request that only reads, and ends after the logout, would bring the session back",
		run: func(p *place) {
			hs := p.handles(2)
			gone := p.record()
			v := hs[0].create(gone)
			hs[1].delete(gone, v)
			for _, rec := range []driver.Record{gone, p.record()} {
				if hs[0].isSeparate() {
					rec.Index = nil // an entry is written first, and may stay for a while
				}
				if _, err := hs[0].Store.(driver.Toucher).Touch(p.Context(), rec, v); !isGone(err) {
					p.fail("Touch of an absent record answered %v; it should be ErrNotFound or ErrConflict", err)
				}
				hs[1].absent(rec.Key, "after Touch of an absent record")
			}
			p.empty("after Touch of absent records")
		},
	}, {
		name: "Touch/RefusesAStaleVersion",
		why:  "the deadline that another request has set since would be lost",
		run: func(p *place) {
			hs := p.handles(2)
			rec := p.record()
			stale := hs[0].create(rec)
			next := after(rec, p.record())
			v := hs[0].replace(next, stale)
			call := after(next, p.record())
			for _, h := range hs {
				if _, err := h.Store.(driver.Toucher).Touch(p.Context(), call, stale); !errors.Is(err, driver.ErrConflict) {
					p.fail("Touch in a stale version answered %v; it should be ErrConflict", err)
				}
				hs[1].holds(next, v, "after Touch in a stale version")
			}
		},
	}, {
		name: "Touch/StoresTheIndex",
		why:  "the index must say what the record says, or sessions of a user are not found",
		run: func(p *place) {
			hs := p.handles(2)
			rec := p.record()
			v := hs[0].create(rec)
			for i, index := range []map[string]string{rec.Index, {"user": p.token(43)}, nil, {"user": p.token(1)}} {
				call := after(rec, rec)
				call.Index = index
				v = hs[i%2].mustTouch(call, v)
				rec = call
				hs[(i+1)%2].holds(rec, v, "after Touch with another Index")
			}
		},
	}, {
		name: "Touch/HasOneWinner",
		why:  "of a touch and a save that saw the same state one must learn of the other",
		run: func(p *place) {
			hs := p.handles(4)
			r := races{p: p}
			rec := p.record()
			v := hs[0].create(rec)
			for round := range p.scale(500, 20) {
				nexts, versions := make([]driver.Record, 8), make([]driver.Version, 8)
				for i := range nexts {
					nexts[i] = after(rec, p.record())
					if (i+round)%2 == 0 {
						nexts[i].Data = rec.Data
					}
				}
				winner := r.oneWinner("Touch and Replace in one version", 8, func(i int) (err error) {
					if (i+round)%2 == 0 {
						versions[i], err = hs[i%4].Store.(driver.Toucher).Touch(p.Context(), nexts[i], v)
					} else {
						versions[i], err = hs[i%4].Replace(p.Context(), nexts[i], v)
					}
					return err
				}, driver.ErrConflict)
				if winner != nobody {
					hs[(winner+1)%4].holds(nexts[winner], versions[winner], "after 4 Touches and 4 Replaces at once")
				}
				rec, v = hs[0].load(rec.Key)
				if p.Failed() {
					return
				}
			}
			r.end()
		},
	}, {
		name: "Touch/NeverRestoresOldData",
		why:  "a touch that overlaps a save would undo it",
		run: func(p *place) {
			hs := p.handles(4)
			const workers = 4
			rec := driver.Record{Key: p.token(43), Data: counters(workers), Expires: in(time.Hour)}
			hs[0].create(rec)
			each := p.scale(300, 15)
			r := races{p: p}
			var touches atomic.Int64
			var counting atomic.Int32
			counting.Store(workers)
			together(2*workers, func(w int) {
				if w < workers {
					defer counting.Add(-1)
					for i := range each {
						p.spin(func() bool { return touches.Load() >= int64(i) })
						r.count(hs[w], rec.Key, w, i, i+1)
					}
					return
				}
				for counting.Load() > 0 && !p.Failed() {
					touches.Add(1)
					old, v, err := hs[w-workers].Load(p.Context(), rec.Key)
					if err == nil {
						call := after(old, driver.Record{Expires: in(2 * time.Hour)})
						_, err = hs[w-workers].Store.(driver.Toucher).Touch(p.Context(), call, v)
					}
					if !r.isOpen(err) && err != nil && !errors.Is(err, driver.ErrConflict) {
						p.fail("Load and Touch of a record that is there answered %v", err)
					}
				}
			})
			got, _ := hs[1].load(rec.Key)
			r.counted(got.Data, each)
			r.end()
		},
	}}
	for i := range cases {
		cases[i].needs = append(cases[i].needs, "Toucher")
	}
	cases[2].needs = append(cases[2].needs, "RandomVersions")
	return cases
}

func (h handle) mustTouch(rec driver.Record, old driver.Version) driver.Version {
	h.p.Helper()
	v, err := h.Store.(driver.Toucher).Touch(h.p.Context(), rec, old)
	if err != nil {
		h.p.fatal("Touch in the version that is there: %v", err)
	}
	return v
}
