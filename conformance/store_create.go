package conformance

import (
	"bytes"
	"errors"
	"maps"
	"time"

	"github.com/websession/websession/session/driver"
)

func createCases() []testCase {
	return []testCase{{
		name: "Create/LoadsBack",
		why:  "a session that another server cannot read as it was stored logs its user out",
		run: func(p *place) {
			hs := p.handles(2)
			rec := p.record()
			v := hs[0].create(rec)
			hs[0].holds(rec, v, "after Create")
			hs[1].holds(rec, v, "after Create, through another handle")
		},
	}, {
		name: "Create/NeverOverwrites",
		why:  "two sessions under one key would hand the one user's session to the other",
		run: func(p *place) {
			hs := p.handles(2)
			rec := p.record()
			v := hs[0].create(rec)
			for i, again := range []driver.Record{after(rec, p.record()), {Key: rec.Key}, rec} {
				if _, err := hs[i%2].Create(p.Context(), again); !errors.Is(err, driver.ErrExists) {
					p.fail("Create of a key that is taken answered %v; it should be ErrExists", err)
				}
				hs[1].holds(rec, v, "after a Create that was refused")
			}
		},
	}, {
		name: "Create/NeverOverwritesTheExpired",
		why:  "only the framework judges expiry: by another server's clock the session may still be alive",
		run: func(p *place) {
			hs := p.handles(2)
			rec := p.record()
			rec.Expires = in(-2 * time.Second) // well within driver.Margin
			v := hs[0].create(rec)
			if _, err := hs[1].Create(p.Context(), after(rec, p.record())); !errors.Is(err, driver.ErrExists) {
				p.fail("Create over a record that had just expired answered %v; it should be ErrExists", err)
			}
			hs[0].holds(rec, v, "after a Create that was refused")
		},
	}, {
		name: "Create/HasOneWinner",
		why:  "if two callers believe that they created a session, the one loses what it stored",
		run: func(p *place) {
			hs := p.handles(4)
			r := races{p: p}
			for range p.scale(500, 20) {
				recs := make([]driver.Record, 16)
				for i := range recs {
					recs[i] = p.record()
					recs[i].Key = recs[0].Key
				}
				versions := make([]driver.Version, len(recs))
				winner := r.oneWinner("Create", len(recs), func(i int) (err error) {
					versions[i], err = hs[i%4].Create(p.Context(), recs[i])
					return err
				}, driver.ErrExists)
				if winner != nobody {
					hs[(winner+1)%4].holds(recs[winner], versions[winner], "after 16 Creates at once")
				}
				if p.Failed() {
					return
				}
			}
			r.end()
		},
	}, {
		name: "Create/AfterDeleteStartsAnew",
		why:  "what is left of the old session would leak into the new one: a user, a deadline, data",
		run: func(p *place) {
			hs := p.handles(2)
			old := p.record()
			hs[1].delete(old, hs[0].create(old))
			bare := driver.Record{Key: old.Key}
			v := hs[0].create(bare)
			hs[1].holds(bare, v, "after Create, Delete and Create")
		},
	}, {
		name: "Create/CopiesWhatItStores",
		why:  "a caller that uses its buffers again would change a session that is stored",
		run: func(p *place) {
			h := p.handle()
			rec := p.record()
			want := copied(rec)
			v := h.create(rec)
			spoil(rec)
			h.holds(want, v, "after the caller changed the record that it had given to Create")
		},
	}, {
		name: "Create/LeavesItsArgumentsAlone",
		why:  "callers share a record between calls, and goroutines share it between handles",
		run: func(p *place) {
			hs := p.handles(2)
			rec := p.record()
			want := copied(rec)
			keys := p.tokens(4)
			together(len(keys), func(i int) {
				mine := rec // the same Data and Index: the race detector sees who writes
				mine.Key = keys[i]
				if _, err := hs[i%2].Create(p.Context(), mine); err != nil {
					p.fail("Create of a free key: %v", err)
				}
			})
			p.unchanged(rec, want, "Create")
		},
	}}
}

// spoil changes the bytes that rec refers to.
func spoil(rec driver.Record) {
	for i := range rec.Data {
		rec.Data[i] ^= 0xff
	}
}

// unchanged reports unless a call left its record alone.
func (p *place) unchanged(got, want driver.Record, call string) {
	p.Helper()
	if !bytes.Equal(got.Data, want.Data) || !maps.Equal(got.Index, want.Index) || !maps.Equal(got.Was, want.Was) {
		p.fail("%s changed the Data, Index or Was that it was given", call)
	}
}
