package conformance

import (
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/websession/websession/session/driver"
)

func deleteCases() []testCase {
	return []testCase{{
		name: "Delete/Removes",
		why:  "a session that is still there after the logout is open to whoever has its id",
		run: func(p *place) {
			hs := p.handles(2)
			for i, conditional := range []bool{true, false, true, false} {
				rec := p.record()
				v := hs[0].create(rec)
				if !conditional {
					v = ""
				}
				hs[i/2].delete(rec, v)
				hs[0].absent(rec.Key, "after Delete")
				hs[1].absent(rec.Key, "after Delete, through another handle")
			}
		},
	}, {
		name: "Delete/LeavesNothing",
		why:  "left-overs fill the store, and tell who was logged in",
		run: func(p *place) {
			hs := p.handles(2)
			for i := range 24 {
				rec := p.record()
				v := hs[0].create(rec)
				change := func(next driver.Record) driver.Record {
					next = after(rec, next)
					if i >= 12 && !hs[0].isSeparate() {
						next.Was = nil // only a SeparateIndexer needs it
					}
					return next
				}
				if i%2 == 1 {
					rec = change(p.record()) // another user
					v = hs[1].replace(rec, v)
				}
				if i%3 == 1 {
					next := change(p.record())
					next.Data = rec.Data
					w, err := hs[0].touch(p.Context(), next, v)
					if err != nil {
						p.fatal("a touch in the version that is there answered %v", err)
					}
					rec, v = next, w
				}
				if i%3 == 2 {
					rec = change(driver.Record{Data: rec.Data}) // logged out
					v = hs[1].replace(rec, v)
				}
				if i%4 < 2 {
					v = ""
				}
				if err := hs[i%2].Delete(p.Context(), change(driver.Record{}), v); err != nil {
					p.fatal("Delete of a record that is there: %v", err)
				}
			}
			p.empty("after 24 sessions that were all deleted")
		},
	}, {
		name: "Delete/AbsentIsNoError",
		why:  "a logout that is sent twice has succeeded",
		run: func(p *place) {
			hs := p.handles(2)
			rec := p.record()
			hs[0].create(rec)
			for i := range 4 {
				if err := hs[i%2].Delete(p.Context(), after(rec, driver.Record{}), ""); err != nil {
					p.fail("Delete %d of one record, of any version, answered %v", i+1, err)
				}
			}
			for _, key := range p.tokens(3) {
				if err := hs[0].Delete(p.Context(), driver.Record{Key: key}, ""); err != nil {
					p.fail("Delete of any version of a record that never was answered %v", err)
				}
			}
			p.empty("after Deletes of absent records")
		},
	}, {
		name: "Delete/TakesAnyVersion",
		why:  "a logout wins, whatever other requests store meanwhile",
		run: func(p *place) {
			hs := p.handles(2)
			rec := p.record()
			v := hs[0].create(rec)
			for range 3 {
				rec = after(rec, p.record())
				v = hs[0].replace(rec, v)
			}
			hs[1].delete(rec, "")
			hs[0].absent(rec.Key, "after Delete of any version")
		},
	}, {
		name: "Delete/RefusesAStaleVersion",
		why:  "a renewal that deletes what it has not seen loses what another request stored",
		run: func(p *place) {
			hs := p.handles(2)
			rec := p.record()
			stale := hs[0].create(rec)
			next := after(rec, p.record())
			v := hs[0].replace(next, stale)
			for _, h := range hs {
				if err := h.Delete(p.Context(), after(next, driver.Record{}), stale); !errors.Is(err, driver.ErrConflict) {
					p.fail("Delete in a stale version answered %v; it should be ErrConflict", err)
				}
				hs[1].holds(next, v, "after Delete in a stale version")
			}
		},
	}, {
		name: "Delete/OfAnAbsentVersionIsAnError",
		why:  "of two renewals of one session only one may succeed, and none after a logout: nil means that this call removed it",
		run: func(p *place) {
			hs := p.handles(2)
			first, second := p.record(), p.record()
			v, w := hs[0].create(first), hs[0].create(second)
			hs[0].delete(first, v)
			hs[0].delete(second, "")
			for i, h := range hs {
				for _, err := range []error{
					h.Delete(p.Context(), after(first, driver.Record{}), v),
					h.Delete(p.Context(), after(second, driver.Record{}), w),
					h.Delete(p.Context(), driver.Record{Key: p.token(43)}, v),
				} {
					if !isGone(err) {
						p.fail("handle %d: Delete of an absent record in a version answered %v; it should be ErrNotFound or ErrConflict", i, err)
					}
				}
			}
		},
	}, {
		name: "Delete/OnlyRemovesItsRecord",
		why:  "one logout must not end the sessions of others, nor those of the same user elsewhere",
		run: func(p *place) {
			hs := p.handles(2)
			recs := make([]driver.Record, 10)
			versions := make([]driver.Version, len(recs))
			for i := range recs {
				recs[i] = p.record()
				recs[i].Index = map[string]string{"user": "the-same"}
				versions[i] = hs[0].create(recs[i])
			}
			hs[1].delete(recs[3], versions[3])
			hs[1].delete(recs[6], "")
			for i, rec := range recs {
				if i != 3 && i != 6 {
					hs[0].holds(rec, versions[i], "after Delete of other records of the same user")
				}
			}
		},
	}, {
		name: "Delete/HasOneWinner",
		why:  "if two renewals both removed the old session, the user has two new ones",
		run: func(p *place) {
			hs := p.handles(4)
			r := races{p: p}
			for range p.scale(500, 20) {
				rec := p.record()
				v := hs[0].create(rec)
				winner := r.oneWinner("Delete in one version", 16, func(i int) error {
					return hs[i%4].Delete(p.Context(), after(rec, driver.Record{}), v)
				}, driver.ErrNotFound, driver.ErrConflict)
				if winner != nobody {
					hs[(winner+1)%4].absent(rec.Key, "after 16 Deletes at once")
				}
				if p.Failed() {
					return
				}
			}
			r.end()
		},
	}, {
		name: "Delete/OrReplaceWins",
		why:  "of a renewal and a save that saw the same state one must learn of the other",
		run: func(p *place) {
			hs := p.handles(4)
			r := races{p: p}
			for round := range p.scale(500, 20) {
				rec := p.record()
				v := hs[0].create(rec)
				const n = 8
				nexts, versions := make([]driver.Record, n), make([]driver.Version, n)
				for i := range nexts {
					nexts[i] = after(rec, p.record())
				}
				winner := r.oneWinner("Replace and Delete in one version", n, func(i int) (err error) {
					if (i+round)%2 == 0 {
						return hs[i%4].Delete(p.Context(), after(rec, driver.Record{}), v)
					}
					versions[i], err = hs[i%4].Replace(p.Context(), nexts[i], v)
					return err
				}, driver.ErrNotFound, driver.ErrConflict)
				switch {
				case winner == nobody:
				case (winner+round)%2 == 0:
					hs[1].absent(rec.Key, "after a Delete that won against Replaces")
				default:
					hs[0].holds(nexts[winner], versions[winner], "after a Replace that won against Deletes")
				}
				if p.Failed() {
					return
				}
			}
			r.end()
		},
	}, {
		name: "Delete/Wins",
		why:  "a slow request that saves after the logout would bring the session back",
		run: func(p *place) {
			hs := p.handles(3)
			for i := range p.scale(800, 40) {
				if !p.deleteWins(hs, i%4) {
					return
				}
			}
		},
	}}
}

// deleteWins lets one goroutine replace a record until it cannot, while another
// one deletes it after a number of Replaces. It reports whether all went well.
func (p *place) deleteWins(hs []handle, replaces int) bool {
	ctx := p.Context()
	rec := p.record()
	v := hs[0].create(rec)
	var done atomic.Int64
	var deleted atomic.Bool
	var last error
	next := after(rec, p.record())
	next.Index = rec.Index // so that Delete needs no other Was
	together(2, func(i int) {
		if i == 0 {
			for more := 100; more > 0; {
				if deleted.Load() {
					more--
				}
				w, err := hs[0].Replace(ctx, next, v)
				done.Add(1)
				if last = err; err == nil {
					v = w
				} else if isGone(err) {
					return
				} else if _, now, err := hs[0].Load(ctx, rec.Key); err == nil {
					v = now // the outcome was open
				}
			}
			return
		}
		p.spin(func() bool { return done.Load() >= int64(replaces) })
		err := hs[1].Delete(ctx, after(rec, driver.Record{}), "")
		deleted.Store(true)
		if err != nil {
			p.fail("Delete of any version answered %v", err)
			return
		}
		hs[2].absent(rec.Key, "after Delete had returned, during Replaces")
	})
	if !isGone(last) {
		p.fail("after Delete had returned, Replace answered %v", last)
	}
	for _, h := range hs {
		h.absent(rec.Key, fmt.Sprint("after Delete and ", done.Load(), " Replaces"))
	}
	return !p.Failed()
}
