package conformance

import (
	"context"
	"slices"
	"time"

	"github.com/websession/websession/session/driver"
)

func dataCases() []testCase {
	everyByte := make([]byte, 256)
	for i := range everyByte {
		everyByte[i] = byte(i)
	}
	return []testCase{{
		name: "Data/MayBeEmpty",
		why:  "a record without data is not an absent record",
		run: func(p *place) {
			hs := p.handles(2)
			for _, data := range [][]byte{nil, {}} {
				rec := p.record()
				rec.Data = data
				v := hs[0].create(rec)
				hs[1].holds(rec, v, "after Create without data")
				full := after(rec, p.record())
				v = hs[1].replace(full, v)
				hs[0].holds(full, v, "after Replace of no data by some")
				rec = after(full, rec)
				v = hs[0].replace(rec, v)
				hs[1].holds(rec, v, "after Replace of data by none")
			}
		},
	}, {
		name: "Data/KeepsEveryByte",
		why:  "data is opaque: what a store converts, trims or escapes is damaged",
		run: func(p *place) {
			h := p.handle()
			h.roundTrips(everyByte)
			h.roundTrips(slices.Concat(everyByte[128:], everyByte[:128]))
			for _, b := range []byte{0, 1, '\n', '\r', '\t', ' ', '"', '\'', '\\', '%', '{', 0x1a, 0x7f, 0x80, 0xff} {
				h.roundTrips([]byte{b})
			}
		},
	}, {
		name: "Data/IsNeverInterpreted",
		why:  "sessions hold what visitors typed: it must not become a command or a number",
		run: func(p *place) {
			h := p.handle()
			for _, text := range []string{
				"\x00", "a\x00b", "\x00\x00\x00\x00", "trailing space ", "trailing newline\n", "\r\n.\r\n", "\xef\xbb\xbfmark",
				"\xc3\x28", "\xf0\x9f\x98\x80", "\xed\xa0\x80", "null", "0", "007", "1e3", "true", "{}", "[]", `{"a":1}`,
				"'; DROP TABLE sessions; --", `\x41`, `\\`, "%s%d%n", "$1", "?", "*3\r\n$3\r\nSET\r\n", "0x41", "\x1f\x8b\x08", "",
			} {
				h.roundTrips([]byte(text))
			}
		},
	}, {
		name: "Data/MayBeLarge",
		why:  "every size up to driver.MaxData works everywhere, so that sessions can move between stores",
		run: func(p *place) {
			h := p.handle()
			for _, n := range []int{255, 256, 4095, 4096, 65535, 65536, p.few(1<<20, 0), driver.MaxData} {
				h.roundTrips(stamp(uint64(n), n))
			}
		},
	}, {
		name: "Data/GrowsAndShrinks",
		why:  "what is left of longer data behind shorter data makes a session unreadable",
		run: func(p *place) {
			hs := p.handles(2)
			rec := p.record()
			v := hs[0].create(rec)
			for i, n := range []int{3, p.few(1<<20, 0), 70_000, 12, 0, 5000, 1} {
				next := after(rec, p.record())
				next.Data = p.bytes(n)
				v = hs[i%2].replace(next, v)
				hs[(i+1)%2].holds(next, v, "after Replace by data of another size")
				rec = next
			}
		},
	}, {
		name: "Expires/KeepsMilliseconds",
		why:  "the framework takes the last use of a session from its deadline",
		run: func(p *place) {
			h := p.handle()
			for _, ms := range []int{1, 9, 10, 99, 123, 500, 999} {
				h.keepsExpires(in(time.Hour).Truncate(time.Second).Add(time.Duration(ms) * time.Millisecond))
			}
		},
	}, {
		name: "Expires/MayBeNever",
		why:  "a session without a deadline must neither get one nor end at once",
		run:  func(p *place) { p.handle().keepsExpires(time.Time{}) },
	}, {
		name: "Expires/MayBeFarAway",
		why:  "a deadline that overflows ends the session at once",
		run: func(p *place) {
			h := p.handle()
			for _, d := range []time.Time{
				in(31 * 24 * time.Hour), in(21 * 365 * 24 * time.Hour),
				time.Date(2038, 1, 19, 3, 14, 8, 1e6, time.UTC), time.Date(2106, 2, 7, 6, 28, 16, 1e6, time.UTC),
				in(100 * 365 * 24 * time.Hour), time.Date(9999, 12, 31, 23, 59, 59, 999e6, time.UTC),
			} {
				h.keepsExpires(d)
			}
		},
	}, {
		name: "Expires/IsNotJudged",
		why:  "clocks of servers differ: a store that judges logs out users whose session is alive by the framework's clock",
		run: func(p *place) {
			hs := p.handles(2)
			rec := p.record()
			rec.Expires = in(-2 * time.Second) // well within driver.Margin
			v := hs[0].create(rec)
			hs[1].holds(rec, v, "when the record had expired 2 s ago")
			next := after(rec, p.record())
			next.Expires = in(-time.Second)
			v = hs[1].replace(next, v)
			hs[0].holds(next, v, "after Replace of an expired record by another one")
			alive := after(next, next)
			alive.Expires = in(time.Hour)
			v, err := hs[0].touch(p.Context(), alive, v)
			if err != nil {
				p.fatal("a touch of an expired record answered %v", err)
			}
			hs[1].holds(alive, v, "after a touch of an expired record")
			next = after(alive, p.record())
			next.Expires = in(-time.Second)
			v = hs[0].replace(next, v)
			hs[1].delete(next, v)
			hs[0].absent(rec.Key, "after Delete of an expired record in its version")
		},
	}, {
		name:  "Expires/EndsByItself",
		why:   "nobody purges such a store: what does not expire fills it, and what expires too early logs users out",
		needs: []string{"OwnExpiry"},
		run:   func(p *place) { p.endsByItself() },
	}}
}

// endsByItself stores records that the store is to drop in some seconds, by
// Create, by Replace and by a touch, and others that no longer are.
func (p *place) endsByItself() {
	hs := p.handles(2)
	soon := in(max(2*time.Second, p.patience/4) - driver.Margin)
	var staying []driver.Record
	ending := p.many(hs, 2, func(_ int, rec *driver.Record) { rec.Expires = soon })
	for i, expires := range []time.Time{soon, in(time.Hour), {}} {
		for _, change := range []replaceCall{hs[0].Replace, hs[0].touch} {
			rec := p.record()
			rec.Expires = soon
			v := hs[1].create(rec)
			hs[0].holds(rec, v, "when the record had expired, but driver.Margin had not passed")
			next := after(rec, rec)
			next.Expires = expires
			if _, err := change(p.Context(), next, v); err != nil {
				p.fatal("a write in the version that is there answered %v", err)
			}
			if i == 0 {
				ending = append(ending, next)
				continue
			}
			staying = append(staying, next)
			rec = p.record()
			rec.Expires = expires
			v = hs[1].create(rec)
			next = after(rec, rec)
			next.Expires = soon
			if _, err := change(p.Context(), next, v); err != nil {
				p.fatal("a write in the version that is there answered %v", err)
			}
			ending = append(ending, next)
		}
	}
	if !poll(soon.Add(driver.Margin+p.patience), func() bool { return p.there(hs[0], ending) == 0 }) {
		p.fail("%d of %d records are there, long after they had expired", p.there(hs[0], ending), len(ending))
	}
	for _, rec := range staying {
		hs[1].holds(rec, "", "of a record whose deadline had been moved away")
	}
}

// replaceCall is Replace, or a touch.
type replaceCall = func(context.Context, driver.Record, driver.Version) (driver.Version, error)

// roundTrips reports unless data is read as it was stored, by Create and by
// Replace.
func (h handle) roundTrips(data []byte) {
	h.p.Helper()
	rec := h.p.record()
	rec.Data = data
	h.holds(rec, h.create(rec), "after Create")
	other := h.p.record()
	v := h.create(other)
	rec = after(other, rec)
	h.holds(rec, h.replace(rec, v), "after Replace")
}

// keepsExpires reports unless a deadline is read as it was stored, by Create,
// Replace and a touch, and can be changed to never and back.
func (h handle) keepsExpires(t time.Time) {
	h.p.Helper()
	rec := h.p.record()
	rec.Expires = t
	v := h.create(rec)
	h.holds(rec, v, "after Create")
	for _, between := range []time.Time{{}, in(time.Minute)} {
		for _, expires := range []time.Time{between, t} {
			rec = after(rec, rec)
			rec.Expires = expires
			v = h.replace(rec, v)
			h.holds(rec, v, "after Replace with another deadline")
		}
		for _, expires := range []time.Time{between, t} {
			rec = after(rec, rec)
			rec.Expires = expires
			w, err := h.touch(h.p.Context(), rec, v)
			if err != nil {
				h.p.fatal("a touch with another deadline answered %v", err)
			}
			v = w
			h.holds(rec, v, "after a touch with another deadline")
		}
	}
}
