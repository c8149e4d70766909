package conformance

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/websession/websession/session/driver"
)

func purgeCases() []testCase {
	cases := []testCase{{
		name: "Purge/DeletesTheExpiredOnly",
		why:  "what is purged too early is a user logged out, what is never purged fills the store",
		run: func(p *place) {
			hs := p.handles(2)
			before := in(-time.Hour).Truncate(time.Second).Add(123 * time.Millisecond) // no whole second
			var kept []driver.Record
			versions := make(map[string]driver.Version)
			expired := 0
			for i, d := range []time.Duration{-time.Hour, -time.Second, -time.Millisecond, 0, time.Millisecond, time.Second, 2 * time.Hour} {
				rec := p.record()
				rec.Expires = before.Add(d)
				versions[rec.Key] = hs[i%2].create(rec)
				if d < 0 {
					expired++
				} else {
					kept = append(kept, rec)
				}
			}
			if n := hs[0].purge(before, 100); n != expired {
				p.fail("Purge answered %d; %d records had expired", n, expired)
			}
			for _, rec := range kept {
				hs[1].holds(rec, versions[rec.Key], fmt.Sprint("after Purge, of a record that expires ", rec.Expires.Sub(before), " after the given time"))
				delete(versions, rec.Key)
			}
			for key := range versions {
				hs[1].absent(key, "after Purge, of a record that had expired")
			}
		},
	}, {
		name: "Purge/GoesByTheGivenTime",
		why:  "the framework's clock decides, which a driver cannot read",
		run: func(p *place) {
			hs := p.handles(2)
			rec := p.record()
			rec.Expires = in(24 * time.Hour)
			v := hs[0].create(rec)
			if n := hs[1].purge(rec.Expires, 10); n != 0 {
				p.fail("Purge of what expires before the record's deadline answered %d", n)
			}
			hs[0].holds(rec, v, "after Purge of what expires before its deadline")
			if n := hs[1].purge(rec.Expires.Add(time.Millisecond), 10); n != 1 {
				p.fail("Purge of what expires before a millisecond after the record's deadline answered %d", n)
			}
			hs[0].absent(rec.Key, "after Purge")
		},
	}, {
		name: "Purge/NeverMeansNever",
		why:  "a session without a deadline ends when it is told to",
		run: func(p *place) {
			hs := p.handles(2)
			always := p.record()
			always.Expires = time.Time{}
			v := hs[0].create(always)
			later := p.record() // gets, and loses, a deadline
			w := hs[0].create(later)
			later = after(later, later)
			later.Expires = time.Time{}
			w = hs[0].replace(later, w)
			for _, before := range []time.Time{in(0), in(24 * time.Hour), time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)} {
				if n := hs[1].purge(before, 10); n != 0 {
					p.fail("Purge of a place where nothing ever expires answered %d", n)
				}
				hs[0].holds(always, v, "after Purge, of a record that never expires")
				hs[0].holds(later, w, "after Purge, of a record that never expires any more")
			}
		},
	}, {
		name: "Purge/KeepsTheLimit",
		why:  "a purge that deletes all at once holds up everybody else",
		run: func(p *place) {
			hs := p.handles(2)
			left := 20
			recs := p.many(hs, left, func(_ int, rec *driver.Record) { rec.Expires = in(-time.Hour) })
			for i, limit := range []int{0, 1, 3, 7} {
				n := hs[i%2].purge(in(-time.Minute), limit)
				gone := left - p.there(hs[1], recs)
				left -= gone
				if n > limit || gone != n {
					p.fail("Purge with the limit %d deleted %d records and answered %d", limit, gone, n)
				}
			}
		},
	}, {
		name: "Purge/EmptiesInBatches",
		why:  "who calls until less than the limit was deleted is done",
		run: func(p *place) {
			hs := p.handles(4)
			expired := p.scale(5000, 250)
			p.many(hs, expired, func(_ int, rec *driver.Record) { rec.Expires = in(-time.Hour) })
			kept := p.many(hs, 20, func(int, *driver.Record) {})
			const limit = 100
			total, n := 0, limit
			for n == limit && total <= expired {
				n = hs[0].purge(in(-time.Minute), limit)
				total += n
			}
			if total != expired {
				p.fail("calls until less than %d were deleted deleted %d; %d had expired", limit, total, expired)
			}
			if n := p.there(hs[1], kept); n != len(kept) {
				p.fail("%d of %d records that had not expired are there", n, len(kept))
			}
			if n := hs[2].purge(in(-time.Minute), limit); n != 0 {
				p.fail("another Purge afterwards deleted %d", n)
			}
		},
	}, {
		name: "Purge/LeavesNothing",
		why:  "left-overs of expired sessions fill the store, and tell who was logged in",
		run: func(p *place) {
			hs := p.handles(2)
			recs := p.many(hs, 30, func(_ int, rec *driver.Record) { rec.Expires = in(-time.Hour) })
			if n := hs[0].purge(in(-time.Minute), 100); n != len(recs) {
				p.fail("Purge answered %d; %d records had expired", n, len(recs))
			}
			p.empty("after Purge of all records")
		},
	}, {
		name: "Purge/EndsTheSession",
		why:  "a purged session is like a destroyed one: a slow request must not bring it back",
		run: func(p *place) {
			hs := p.handles(2)
			rec := p.record()
			rec.Expires = in(-time.Hour)
			v := hs[0].create(rec)
			hs[1].purge(in(-time.Minute), 10)
			next := after(rec, p.record())
			next.Index = nil
			if _, err := hs[0].Replace(p.Context(), next, v); !isGone(err) {
				p.fail("Replace of a record that was purged answered %v; it should be ErrNotFound or ErrConflict", err)
			}
			if err := hs[0].Delete(p.Context(), after(rec, driver.Record{}), v); !isGone(err) {
				p.fail("Delete of a record that was purged, in its version, answered %v; it should be ErrNotFound or ErrConflict", err)
			}
			hs[1].absent(rec.Key, "after calls for a record that was purged")
			again := driver.Record{Key: rec.Key}
			hs[1].holds(again, hs[0].create(again), "after Purge and Create")
		},
	}, {
		name: "Purge/FollowsTheDeadline",
		why:  "a purge that goes by a deadline of before ends sessions that are in use, or leaves those that were shortened",
		run: func(p *place) {
			hs := p.handles(2)
			var extended, shortened []driver.Record
			for i := range 8 {
				rec := p.record()
				rec.Expires = in(-time.Hour)
				next := after(rec, rec)
				next.Expires = in(time.Hour)
				if i%2 == 1 {
					rec.Expires, next.Expires = next.Expires, rec.Expires
					shortened = append(shortened, next)
				} else {
					extended = append(extended, next)
				}
				v := hs[0].create(rec)
				change := hs[1].touch
				if i%4 < 2 {
					change = hs[1].Replace
				}
				if _, err := change(p.Context(), next, v); err != nil {
					p.fatal("a write in the version that is there answered %v", err)
				}
			}
			if n := hs[0].purge(in(-time.Minute), 100); n != len(shortened) {
				p.fail("Purge answered %d; %d records were expired", n, len(shortened))
			}
			if n := p.there(hs[1], extended); n != len(extended) {
				p.fail("%d of %d records whose deadlines were moved into the future are there", n, len(extended))
			}
			if n := p.there(hs[1], shortened); n != 0 {
				p.fail("%d records whose deadlines were moved into the past are there", n)
			}
		},
	}, {
		name: "Purge/SeveralAtOnce",
		why:  "every server purges, and no two agree on when",
		run: func(p *place) {
			hs := p.handles(4)
			expired := p.scale(4000, 200)
			p.many(hs, expired, func(_ int, rec *driver.Record) { rec.Expires = in(-time.Hour) })
			kept := p.many(hs, 50, func(int, *driver.Record) {})
			var total atomic.Int64
			before := in(-time.Minute)
			together(4, func(i int) {
				for n := 1; n > 0 && !p.Failed(); {
					var err error
					if n, err = hs[i].Store.(driver.Purger).Purge(p.Context(), before, 7); err != nil {
						p.fail("one of 4 Purges at once answered %v", err)
					}
					total.Add(int64(n))
				}
			})
			total.Add(int64(hs[0].purge(before, expired)))
			if total.Load() != int64(expired) {
				p.fail("4 purgers together answered that they deleted %d records; %d had expired", total.Load(), expired)
			}
			if n := p.there(hs[1], kept); n != len(kept) {
				p.fail("%d of %d records that had not expired are there", n, len(kept))
			}
		},
	}, {
		name: "Purge/SparesWhatWasTouched",
		why:  "a session that was used while the purge looked at it would end under its user's hands",
		run: func(p *place) {
			hs := p.handles(5)
			r := races{p: p}
			for range p.scale(80, 4) {
				r.purge(hs, 50)
				if p.Failed() {
					return
				}
			}
			r.end()
		},
	}}
	for i := range cases {
		cases[i].needs = append(cases[i].needs, "Purger")
	}
	return cases
}

func (h handle) purge(before time.Time, limit int) int {
	h.p.Helper()
	n, err := h.Store.(driver.Purger).Purge(h.p.Context(), before, limit)
	if err != nil {
		h.p.fatal("Purge: %v", err)
	}
	return n
}

// there answers how many of the records are there.
func (p *place) there(h handle, recs []driver.Record) int {
	p.Helper()
	n := 0
	for _, rec := range recs {
		if _, _, err := h.Load(p.Context(), rec.Key); err == nil {
			n++
		}
	}
	return n
}

// purge extends n expired records while two others purge, and accounts for each:
// who was told that it was extended finds it, everything else was purged, and
// counted. It deletes what stays.
func (r *races) purge(hs []handle, n int) {
	p := r.p
	expired := p.many(hs, n, func(_ int, rec *driver.Record) { rec.Expires = in(-time.Hour) })
	versions := make([]driver.Version, n)
	for i, rec := range expired {
		_, versions[i] = hs[0].load(rec.Key)
	}
	next := func(rec driver.Record) driver.Record {
		rec = after(rec, rec)
		rec.Expires = expired[0].Expires.Add(25 * time.Hour)
		return rec
	}
	var purges, purged, extending atomic.Int64
	extending.Store(2)
	answers := make([]error, n)
	order := p.rng.Perm(n)
	together(4, func(w int) {
		if w < 2 {
			for deleted := 1; (deleted > 0 || extending.Load() > 0) && !p.Failed(); purges.Add(1) {
				var err error
				if deleted, err = hs[w].Store.(driver.Purger).Purge(p.Context(), in(-time.Minute), 2); err != nil {
					p.fail("Purge while others write: %v", err)
				}
				purged.Add(int64(deleted))
			}
			return
		}
		defer extending.Add(-1)
		for done, i := range order[(w-2)*n/2 : (w-1)*n/2] {
			p.spin(func() bool { return purges.Load() >= int64(done) }) // so that neither is long done before the other
			change := hs[w].touch
			if i%2 == 0 {
				change = hs[w].Replace
			}
			_, answers[i] = change(p.Context(), next(expired[i]), versions[i])
			if err := answers[i]; !r.isOpen(err) && err != nil && !isGone(err) {
				p.fail("a write of a record that may have been purged answered %v", err)
			}
		}
	})
	purged.Add(int64(hs[0].purge(in(-time.Minute), n)))
	kept := 0
	for i, rec := range expired {
		_, _, err := hs[4].Load(p.Context(), rec.Key)
		if err == nil {
			kept++
			hs[4].holds(next(rec), "", "after Purge, of a record that was extended meanwhile")
			hs[4].delete(rec, "")
		}
		if err != nil && answers[i] == nil {
			p.fail("a record whose extension was answered with nil was purged")
		}
		if err == nil && isGone(answers[i]) {
			p.fail("a record is there whose extension was refused with: %v", answers[i])
		}
	}
	if total := int(purged.Load()) + kept; total != n {
		p.fail("%d records were purged, by the answers, and %d are there; they were %d", purged.Load(), kept, n)
	}
}
