package conformance

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/websession/websession/session/driver"
)

func scanCases() []testCase {
	cases := []testCase{{
		name: "Scan/OfAnEmptyPlaceYieldsNothing",
		why:  "a listing must not show what is no session, nor fail because there is none",
		run: func(p *place) {
			hs := p.handles(2)
			p.yields(hs[0].scan(p.Context()))
			rec := p.record()
			hs[0].delete(rec, hs[0].create(rec))
			p.yields(hs[1].scan(p.Context()))
		},
	}, {
		name: "Scan/YieldsWholeRecords",
		why:  "sessions are listed, searched and copied to other stores by it",
		run: func(p *place) {
			hs := p.handles(2)
			bare := driver.Record{Key: p.token(1)}
			big := p.record()
			big.Data = p.bytes(p.few(1<<20, 0))
			expired := p.record()
			expired.Expires = in(-2 * time.Second) // no store judges expiry
			recs := []driver.Record{p.record(), bare, big, expired}
			for i, rec := range recs {
				hs[i%2].create(rec)
			}
			p.yields(hs[0].scan(p.Context()), recs...)
			p.yields(hs[1].scan(p.Context()), recs...)
		},
	}, {
		name: "Scan/FollowsEveryMutation",
		why:  "a listing that shows yesterday's state makes administrators end the wrong sessions",
		run: func(p *place) {
			hs := p.handles(2)
			a, b := p.record(), p.record()
			v := hs[0].create(a)
			p.yields(hs[1].scan(p.Context()), a)
			w := hs[1].create(b)
			p.yields(hs[0].scan(p.Context()), a, b)
			a = after(a, p.record())
			hs[0].replace(a, v)
			p.yields(hs[1].scan(p.Context()), a, b)
			b = after(b, b)
			b.Expires = in(2 * time.Hour)
			if _, err := hs[0].touch(p.Context(), b, w); err != nil {
				p.fatal("a touch in the version that is there answered %v", err)
			}
			p.yields(hs[1].scan(p.Context()), a, b)
			hs[0].delete(a, "")
			p.yields(hs[1].scan(p.Context()), b)
		},
	}, {
		name: "Scan/YieldsAll",
		why:  "a scan that stops at the end of a page hides sessions from searches, and from the logout of a user everywhere",
		run: func(p *place) {
			hs := p.handles(4)
			recs := p.many(hs, p.scale(20_000, 1100), func(int, *driver.Record) {})
			p.yields(hs[1].scan(p.Context()), recs...)
		},
	}, {
		name: "Scan/WhileOthersWrite",
		why:  "the sessions that nobody touches must all be found, also on a busy site",
		run: func(p *place) {
			hs := p.handles(4)
			recs := p.many(hs, p.few(200, 60), func(int, *driver.Record) {})
			stable := make(map[string]driver.Record)
			for _, rec := range recs {
				stable[rec.Key] = rec
			}
			busy := p.tokens(100)
			p.whileOthersWrite(hs, busy, p.few(p.scale(100, 5), 3), func(h handle) {
				if err := p.sees(h.scan(p.Context()), stable); err != nil {
					p.fail("Scan while others write: %v", err)
				}
			})
		},
	}, {
		name: "Scan/MayBeLeft",
		why:  "whoever has found what it looked for leaves the loop: a cursor or a connection that stays would end the service",
		run: func(p *place) {
			hs := p.handles(2)
			p.many(hs, 50, func(int, *driver.Record) {})
			p.leaves(hs[0], func() iter.Seq2[driver.Record, error] { return hs[0].scan(p.Context()) })
		},
	}, {
		name: "Scan/StoreMayBeUsedInTheLoop",
		why:  "ending all sessions of a user deletes in the loop that finds them",
		run: func(p *place) {
			hs := p.handles(2)
			p.many(hs, 30, func(int, *driver.Record) {})
			p.usedInLoop(hs[0], func(ctx context.Context) iter.Seq2[driver.Record, error] { return hs[0].scan(ctx) })
		},
	}, {
		name: "Scan/SeveralAtOnce",
		why:  "two administrators list sessions at the same time",
		run: func(p *place) {
			h := p.handle()
			recs := p.many([]handle{h}, 100, func(int, *driver.Record) {})
			want := make(map[string]driver.Record)
			for _, rec := range recs {
				want[rec.Key] = rec
			}
			together(4, func(int) {
				if err := p.sees(h.scan(p.Context()), want); err != nil {
					p.fail("one of 4 Scans at once: %v", err)
				}
			})
		},
	}}
	for i := range cases {
		cases[i].needs = append(cases[i].needs, "Scanner")
	}
	return cases
}

func (h handle) scan(ctx context.Context) iter.Seq2[driver.Record, error] {
	return h.Store.(driver.Scanner).Scan(ctx)
}

// many creates n records with users of their own, which change may change.
func (p *place) many(hs []handle, n int, change func(i int, rec *driver.Record)) []driver.Record {
	p.Helper()
	recs := make([]driver.Record, n)
	for i := range recs {
		recs[i] = p.record()
		change(i, &recs[i])
	}
	together(8, func(w int) {
		for i := w; i < n && !p.Failed(); i += 8 {
			if _, err := hs[w%len(hs)].Create(p.Context(), recs[i]); err != nil {
				p.fail("Create of a free key: %v", err)
			}
		}
	})
	if p.Failed() {
		p.FailNow()
	}
	return recs
}

// yields reports unless seq yields the records, each at least once, and no other
// ones.
func (p *place) yields(seq iter.Seq2[driver.Record, error], recs ...driver.Record) {
	p.Helper()
	want := make(map[string]driver.Record)
	for _, rec := range recs {
		want[rec.Key] = rec
	}
	var all []driver.Record // what is yielded stays as it is
	for rec, err := range seq {
		if err != nil {
			p.fail("after %d records the sequence ended with: %v", len(all), err)
			return
		}
		all = append(all, rec)
		if len(all) > 10*len(recs)+10 {
			p.fail("%d records were yielded, and no end; there are %d", len(all), len(recs))
			return
		}
	}
	found := make(map[string]bool)
	for _, rec := range all {
		w, known := want[rec.Key]
		if !known {
			p.fail("a record was yielded that is not there: key %q, %d bytes", rec.Key, len(rec.Data))
		} else if diff := differ(rec, w); diff != "" {
			p.fail("a record was yielded otherwise than it was stored: %s", diff)
		}
		found[rec.Key] = known
	}
	if len(found) < len(want) {
		p.fail("%d of %d records were yielded", len(found), len(want))
	}
}

// sees answers an error unless seq yields all that is stable, among others, and
// no record in a state that it never had: what churn writes tells its own.
func (p *place) sees(seq iter.Seq2[driver.Record, error], stable map[string]driver.Record) error {
	found := make(map[string]bool)
	for rec, err := range seq {
		if err != nil {
			return err
		}
		if want, known := stable[rec.Key]; known {
			if diff := differ(rec, want); diff != "" {
				return fmt.Errorf("a record was yielded otherwise than it was stored: %s", diff)
			}
			found[rec.Key] = true
		} else if seq, whole := unstamp(rec.Data); !whole || differ(rec, churned(rec.Key, seq)) != "" {
			return errors.New("a record was yielded in a state that it never had")
		}
	}
	if len(found) < len(stable) {
		return fmt.Errorf("%d of %d records that were there all the time were yielded", len(found), len(stable))
	}
	return nil
}

// churned is a state of a record that churn writes.
func churned(key string, seq uint64) driver.Record {
	return driver.Record{
		Key:   key,
		Data:  stamp(seq, 12+int(seq%5000)),
		Index: map[string]string{"user": fmt.Sprint("user-", seq%3)},
	}
}
