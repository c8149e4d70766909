package conformance

import (
	"errors"
	"fmt"
	"time"

	"github.com/websession/websession/session/driver"
)

func replaceCases() []testCase {
	return []testCase{{
		name: "Replace/StoresEverything",
		why:  "a part that keeps its old value is a session that never was",
		run: func(p *place) {
			hs := p.handles(2)
			rec := p.record()
			v := hs[0].create(rec)
			for i, next := range []driver.Record{p.record(), {}, p.record(), {Data: []byte("x")}, {Expires: in(time.Minute)}} {
				rec = after(rec, next)
				v = hs[i%2].replace(rec, v)
				hs[(i+1)%2].holds(rec, v, fmt.Sprint("after Replace ", i+1))
			}
		},
	}, {
		name: "Replace/AnswersTheVersionThatIsThere",
		why:  "with any other version the next save of the same request conflicts with itself",
		run: func(p *place) {
			hs := p.handles(2)
			rec := p.record()
			v := hs[0].create(rec)
			for i := range 10 {
				rec = after(rec, p.record())
				v = hs[i%2].replace(rec, v) // ends the case if v is not the one that is there
				if _, now := hs[(i+1)%2].load(rec.Key); now != v {
					p.fail("Replace answered the version %q, and then Load %q", v, now)
				}
			}
		},
	}, {
		name: "Replace/NeverCreates",
		why:  "a slow request that saves after the logout would bring the session back",
		run: func(p *place) {
			hs := p.handles(2)
			gone := p.record()
			v := hs[0].create(gone)
			hs[1].delete(gone, v)
			absent := p.record()
			for _, rec := range []driver.Record{gone, absent} {
				if hs[0].isSeparate() {
					rec.Index = nil // an entry is written first, and may stay for a while
				}
				if _, err := hs[0].Replace(p.Context(), rec, v); !isGone(err) {
					p.fail("Replace of an absent record answered %v; it should be ErrNotFound or ErrConflict", err)
				}
				hs[1].absent(rec.Key, "after Replace of an absent record")
			}
			p.empty("after Replace of absent records")
		},
	}, {
		name: "Replace/RefusesAStaleVersion",
		why:  "what another request stored meanwhile would be lost",
		run: func(p *place) {
			hs := p.handles(2)
			rec := p.record()
			stale := []driver.Version{hs[0].create(rec)}
			v := stale[0]
			for range 3 {
				rec = after(rec, p.record())
				v = hs[0].replace(rec, v)
				for i, old := range stale {
					if _, err := hs[i%2].Replace(p.Context(), after(rec, p.record()), old); !errors.Is(err, driver.ErrConflict) {
						p.fail("Replace in a stale version answered %v; it should be ErrConflict", err)
					}
					hs[1].holds(rec, v, "after Replace in a stale version")
				}
				stale = append(stale, v)
			}
		},
	}, {
		name: "Replace/LeavesItsArgumentsAlone",
		why:  "the framework writes the same record again after a conflict",
		run: func(p *place) {
			hs := p.handles(2)
			old := p.record()
			v := hs[0].create(old)
			rec := after(old, p.record())
			want := copied(rec)
			together(4, func(i int) { hs[i%2].Replace(p.Context(), rec, v) })
			p.unchanged(rec, want, "Replace")
		},
	}, {
		name: "Replace/CopiesWhatItStores",
		why:  "a caller that uses its buffers again would change a session that is stored",
		run: func(p *place) {
			h := p.handle()
			old := p.record()
			v := h.create(old)
			rec := copied(after(old, p.record()))
			want := copied(rec)
			v = h.replace(rec, v)
			spoil(rec)
			h.holds(want, v, "after the caller changed the record that it had given to Replace")
		},
	}, {
		name: "Replace/HasOneWinner",
		why:  "two winners of one version: one of the two saves is lost, and nobody knows",
		run: func(p *place) {
			hs := p.handles(4)
			rec := p.record()
			v := hs[0].create(rec)
			r := races{p: p}
			for range p.scale(1000, 40) {
				nexts := make([]driver.Record, 8)
				for i := range nexts {
					nexts[i] = after(rec, p.record())
				}
				versions := make([]driver.Version, len(nexts))
				winner := r.oneWinner("Replace", len(nexts), func(i int) (err error) {
					versions[i], err = hs[i%4].Replace(p.Context(), nexts[i], v)
					return err
				}, driver.ErrConflict)
				if winner != nobody {
					hs[(winner+1)%4].holds(nexts[winner], versions[winner], "after 8 Replaces at once")
				}
				rec, v = hs[0].load(rec.Key)
				if p.Failed() {
					return
				}
			}
			r.end()
		},
	}, {
		name: "Replace/CountsExactly",
		why:  "a counter that loads, adds one and replaces until it is applied must miss nothing and add nothing twice",
		run: func(p *place) {
			const workers = 8
			hs := p.handles(4)
			rec := driver.Record{Key: p.token(43), Data: counters(workers)}
			hs[0].create(rec)
			each := p.scale(300, 15)
			r := races{p: p}
			together(workers, func(w int) { r.count(hs[w%4], rec.Key, w, 0, each) })
			got, _ := hs[1].load(rec.Key)
			r.counted(got.Data, each)
			r.end()
		},
	}, {
		name: "Replace/ReportsWhatHappened",
		why:  "a login that was answered and is not there, or a refusal that is there, cannot be repaired by any framework",
		run: func(p *place) {
			hs := p.handles(2)
			rec := p.record()
			v := hs[0].create(rec)
			old := v
			for i := range p.scale(4000, 120) {
				next := after(rec, p.record())
				use := v
				if i%4 == 3 {
					use = old // stale
				}
				w, err := hs[i%2].Replace(p.Context(), next, use)
				if err == nil {
					rec, old, v = next, v, w
				} else if !driver.WasNotApplied(err) {
					p.fatal("Replace on a store that works answered %v", err)
				}
				hs[(i+1)%2].holds(rec, v, fmt.Sprintf("after Replace %d had answered %v", i+1, err))
				if p.Failed() {
					return
				}
			}
		},
	}}
}

func versionCases() []testCase {
	return []testCase{{
		name: "Versions/AreNeverEmpty",
		why:  "the empty version means any: a Delete with it would delete what another request changed",
		run: func(p *place) {
			h := p.handle()
			for range 5 {
				rec := p.record()
				v := h.create(rec)
				_, loaded := h.load(rec.Key)
				w := h.replace(after(rec, rec), v)
				x, err := h.touch(p.Context(), after(rec, rec), w)
				if err != nil {
					p.fatal("a touch answered %v", err)
				}
				for from, v := range map[string]driver.Version{"Create": v, "Load": loaded, "Replace": w, "a touch": x} {
					if v == "" {
						p.fail("%s answered an empty version", from)
					}
				}
			}
		},
	}, {
		name:  "Versions/NeverRepeat",
		why:   "a save in a version that came back would overwrite what the session has become since, or a later session",
		needs: []string{"RandomVersions"},
		run: func(p *place) {
			hs := p.handles(2)
			rec := p.record() // the same bytes all the time
			again := after(rec, rec)
			seen := make(map[driver.Version]string)
			note := func(v driver.Version, err error, from string) driver.Version {
				if err != nil {
					p.fatal("%s answered %v", from, err)
				}
				if where, twice := seen[v]; twice {
					p.fatal("%s answered a version that had been answered by %s", from, where)
				}
				seen[v] = from
				return v
			}
			for i := range p.scale(2000, 40) {
				a, b := hs[i%2], hs[(i+1)%2]
				v, err := a.Create(p.Context(), rec)
				v = note(v, err, fmt.Sprintf("Create in life %d", i+1))
				for j := range p.rng.IntN(4) {
					v, err = b.Replace(p.Context(), again, v)
					v = note(v, err, fmt.Sprintf("Replace %d in life %d", j+1, i+1))
					v, err = a.touch(p.Context(), again, v)
					v = note(v, err, fmt.Sprintf("touch %d in life %d", j+1, i+1))
				}
				b.delete(rec, v)
			}
		},
	}, {
		name:  "Versions/AreOfOneLife",
		why:   "a slow request of the old session must not change the new one under the same key",
		needs: []string{"RandomVersions"},
		run: func(p *place) {
			hs := p.handles(2)
			rec := p.record()
			first := hs[0].create(rec)
			hs[1].delete(rec, first)
			v := hs[1].create(rec) // the same bytes
			if _, err := hs[0].Replace(p.Context(), after(rec, p.record()), first); !errors.Is(err, driver.ErrConflict) {
				p.fail("Replace in a version of before Delete and Create answered %v; it should be ErrConflict", err)
			}
			if _, err := hs[0].touch(p.Context(), after(rec, p.record()), first); !errors.Is(err, driver.ErrConflict) {
				p.fail("a touch in a version of before Delete and Create answered %v; it should be ErrConflict", err)
			}
			if err := hs[0].Delete(p.Context(), after(rec, driver.Record{}), first); !errors.Is(err, driver.ErrConflict) {
				p.fail("Delete in a version of before Delete and Create answered %v; it should be ErrConflict", err)
			}
			hs[1].holds(rec, v, "after calls in a version of before Delete and Create")
		},
	}, {
		name: "Versions/BelongToOneRecord",
		why:  "a version that matches a record it was not answered for lets a stale save through",
		run: func(p *place) {
			hs := p.handles(2)
			rec, other := p.record(), p.record()
			v := hs[0].create(rec)
			foreign := hs[0].create(other)
			if _, err := hs[1].Replace(p.Context(), after(rec, p.record()), foreign); !errors.Is(err, driver.ErrConflict) {
				p.fail("Replace in the version of another record answered %v; it should be ErrConflict", err)
			}
			if _, err := hs[1].touch(p.Context(), after(rec, p.record()), foreign); !errors.Is(err, driver.ErrConflict) {
				p.fail("a touch in the version of another record answered %v; it should be ErrConflict", err)
			}
			if err := hs[1].Delete(p.Context(), after(rec, driver.Record{}), foreign); !errors.Is(err, driver.ErrConflict) {
				p.fail("Delete in the version of another record answered %v; it should be ErrConflict", err)
			}
			if _, err := hs[1].Replace(p.Context(), after(rec, p.record()), ""); err == nil {
				p.fail("Replace in the version \"\", which no record has, was applied")
			}
			hs[0].holds(rec, v, "after calls in versions that are not its own")
			hs[0].holds(other, foreign, "after calls for another record in its version")
		},
	}}
}
