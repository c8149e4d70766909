package conformance

import (
	"strings"

	"github.com/websession/websession/session/driver"
)

func limitCases() []testCase {
	return []testCase{{
		name: "Limits/BeyondIsRefused",
		why:  "a record that is too large for the contract must be refused whole, not cut, and not half of it stored",
		run: func(p *place) {
			hs := p.handles(2)
			full := p.record()
			full.Data = stamp(1, driver.MaxData)
			v := hs[0].create(full)
			other := p.record()
			w := hs[1].create(other)

			tooMuch := stamp(2, driver.MaxData+1)
			fresh := func() driver.Record {
				rec := p.record()
				if hs[0].isSeparate() {
					rec.Index = nil // an entry is written first, and may stay for a while
				}
				return rec
			}
			for _, was := range []struct {
				rec driver.Record
				v   driver.Version
			}{{full, v}, {other, w}} {
				next := after(was.rec, fresh())
				next.Data = tooMuch
				_, err := hs[0].Replace(p.Context(), next, was.v)
				p.refused("Replace by a byte more than driver.MaxData", err)
				hs[1].holds(was.rec, was.v, "after Replace by a byte more than driver.MaxData")
			}
			rec := fresh()
			rec.Data = tooMuch
			_, err := hs[0].Create(p.Context(), rec)
			p.refused("Create of a byte more than driver.MaxData", err)
			hs[1].absent(rec.Key, "after Create of a byte more than driver.MaxData")

			long := strings.Repeat("k", driver.MaxKey)
			rec = fresh()
			rec.Key = long + "k"
			_, err = hs[0].Create(p.Context(), rec)
			p.refused("Create of a key of a byte more than driver.MaxKey", err)
			if _, _, err := hs[1].Load(p.Context(), rec.Key); err == nil {
				p.fail("after it was refused, a record is there under a key of a byte more than driver.MaxKey")
			}
			_, err = hs[0].Replace(p.Context(), rec, v)
			p.refused("Replace under a key of a byte more than driver.MaxKey", err)
			hs[1].absent(long, "after writes of a key that begins so")

			rec = after(full, p.record())
			rec.Data = stamp(3, driver.MaxData)
			v = hs[1].replace(rec, v)
			hs[0].holds(rec, v, "after Replace by driver.MaxData bytes")
			hs[0].delete(rec, v)
			hs[0].delete(other, w)
			p.empty("after writes that were refused")
		},
	}}
}

// refused reports unless err says that a write certainly had no effect.
func (p *place) refused(what string, err error) {
	p.Helper()
	if !driver.WasNotApplied(err) {
		p.fail("%s answered %v; it should match ErrNotApplied", what, err)
	}
}
