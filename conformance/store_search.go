package conformance

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/websession/websession/session/driver"
)

func searchCases() []testCase {
	cases := []testCase{{
		name: "Search/FindsWholeRecords",
		why:  "a session of the user that is not found is not ended when the password was stolen",
		run: func(p *place) {
			hs := p.handles(2)
			user := p.token(43)
			var recs []driver.Record
			for i := range 6 {
				rec := p.record()
				switch i % 3 {
				case 0:
					rec.Index = map[string]string{"user": user}
					recs = append(recs, rec)
				case 1:
					rec.Index = nil
				}
				hs[i%2].create(rec)
			}
			for _, h := range hs {
				p.yields(h.search(p.Context(), "user", user), recs...)
				p.yields(h.search(p.Context(), "user", p.token(43)))
			}
		},
	}, {
		name: "Search/FindsMany",
		why:  "a user of an interface has hundreds of sessions, more than a page",
		run: func(p *place) {
			hs := p.handles(4)
			user := p.token(43)
			recs := p.many(hs, p.scale(4000, 200), func(i int, rec *driver.Record) { rec.Index["user"] = user })
			p.many(hs, 50, func(int, *driver.Record) {})
			p.yields(hs[3].search(p.Context(), "user", user), recs...)
		},
	}, {
		name: "Search/FollowsEveryMutation",
		why:  "a session that changes its user belongs to the new one, at once, and to nobody after the logout",
		run: func(p *place) {
			hs := p.handles(2)
			a, b := p.token(43), p.token(43)
			rec := p.record()
			rec.Index = map[string]string{"user": a}
			v := hs[0].create(rec)
			change := func(index map[string]string) {
				rec = after(rec, rec)
				rec.Index = index
				v = hs[0].replace(rec, v)
			}
			p.findsOnly(hs[1], map[string][]driver.Record{a: {rec}, b: nil})
			change(map[string]string{"user": b})
			p.findsOnly(hs[1], map[string][]driver.Record{a: nil, b: {rec}})
			change(nil)
			p.findsOnly(hs[1], map[string][]driver.Record{a: nil, b: nil})
			change(map[string]string{"user": a})
			rec = after(rec, rec)
			rec.Data = []byte("something else") // the index stays
			v = hs[1].replace(rec, v)
			p.findsOnly(hs[0], map[string][]driver.Record{a: {rec}, b: nil})
			rec = after(rec, rec)
			rec.Index = map[string]string{"user": b}
			v, err := hs[1].touch(p.Context(), rec, v)
			if err != nil {
				p.fatal("a touch in the version that is there answered %v", err)
			}
			p.findsOnly(hs[0], map[string][]driver.Record{a: nil, b: {rec}})
			hs[0].delete(rec, v)
			p.findsOnly(hs[1], map[string][]driver.Record{a: nil, b: nil})
			again := driver.Record{Key: rec.Key, Index: map[string]string{"user": a}}
			hs[0].create(again)
			p.findsOnly(hs[1], map[string][]driver.Record{a: {again}, b: nil})
		},
	}, {
		name: "Search/RefusedWritesChangeNothing",
		why:  "an entry that is written or dropped for a save that was refused hides a session, or shows one to another user",
		run: func(p *place) {
			hs := p.handles(2)
			a, b := p.token(43), p.token(43)
			rec := p.record()
			rec.Index = map[string]string{"user": a}
			stale := hs[0].create(rec)
			v := hs[0].replace(after(rec, rec), stale)
			other := after(rec, rec)
			other.Index = map[string]string{"user": b}
			if _, err := hs[1].Create(p.Context(), other); err == nil {
				p.fail("Create of a key that is taken was applied")
			}
			if _, err := hs[1].Replace(p.Context(), other, stale); err == nil {
				p.fail("Replace in a stale version was applied")
			}
			if _, err := hs[1].touch(p.Context(), other, stale); err == nil {
				p.fail("a touch in a stale version was applied")
			}
			if err := hs[1].Delete(p.Context(), other, stale); err == nil {
				p.fail("Delete in a stale version was applied")
			}
			hs[0].holds(rec, v, "after writes that were refused")
			p.findsOnly(hs[0], map[string][]driver.Record{a: {rec}, b: nil})
		},
	}, {
		name: "Search/LeavesOutOrphans",
		why:  "a request that knew the session as it was leaves an index entry for nothing: whoever searches must not stumble over it",
		run: func(p *place) {
			hs := p.handles(2)
			a, b, c := p.token(43), p.token(43), p.token(43)
			indexed := func(rec driver.Record, digest string) driver.Record {
				rec.Index = map[string]string{"user": digest}
				return rec
			}
			kept := indexed(p.record(), b)
			hs[0].create(kept)
			var again driver.Record
			for i := range 4 {
				rec := indexed(p.record(), a)
				v := hs[i%2].create(rec)
				moved := indexed(after(rec, p.record()), b)
				hs[i%2].replace(moved, v)
				hs[(i+1)%2].delete(rec, "") // it was b's
				if i == 3 {
					again = indexed(moved, c)
					again.Was = nil
					hs[0].create(again)
				}
			}
			for _, h := range hs {
				p.findsOnly(h, map[string][]driver.Record{a: nil, b: {kept}, c: {again}})
			}
		},
	}, {
		name: "Search/ComparesExactly",
		why:  "a digest that matches another one ends the sessions of somebody else",
		run: func(p *place) {
			hs := p.handles(2)
			want := make(map[string][]driver.Record)
			for i, digest := range []string{
				"aBcD-_09", "ABCD-_09", "abcd-_09", "aBcD-_0", "aBcD-_099", "BcD-_09", "aBcD__09", "aBcD--09",
				"-", "_", "0", "00", "null", p.token(1), p.token(43), p.token(driver.MaxKey),
			} {
				if want[digest] != nil {
					continue
				}
				rec := p.record()
				rec.Index = map[string]string{"user": digest}
				hs[i%2].create(rec)
				want[digest] = []driver.Record{rec}
			}
			want[strings.Repeat("z", driver.MaxKey)] = nil
			p.findsOnly(hs[0], want)
		},
	}, {
		name: "Search/KnowsFieldsApart",
		why:  "the number of a user may be the number of an account",
		run: func(p *place) {
			h := handle{p.openIndexed("account", "user"), p}
			digest := p.token(43)
			user, account, both := p.record(), p.record(), p.record()
			user.Index = map[string]string{"user": digest}
			account.Index = map[string]string{"account": digest, "user": p.token(43)}
			both.Index = map[string]string{"account": digest, "user": digest}
			v := h.create(user)
			h.create(account)
			w := h.create(both)
			h.holds(user, v, "with one field of two")
			h.holds(both, w, "with two fields")
			p.yields(h.search(p.Context(), "user", digest), user, both)
			p.yields(h.search(p.Context(), "account", digest), account, both)
			user = after(user, user)
			user.Index = map[string]string{"account": digest}
			v = h.replace(user, v)
			h.holds(user, v, "after Replace with another field")
			p.yields(h.search(p.Context(), "user", digest), both)
			p.yields(h.search(p.Context(), "account", digest), user, account, both)
		},
	}, {
		name: "Search/WhileOthersWrite",
		why:  "a session that nobody touches is found, whatever other sessions of the user come and go",
		run: func(p *place) {
			hs := p.handles(4)
			stable := make(map[string]driver.Record)
			for _, rec := range p.many(hs, 30, func(_ int, rec *driver.Record) { rec.Index["user"] = "user-1" }) {
				stable[rec.Key] = rec
			}
			busy := p.tokens(40)
			p.whileOthersWrite(hs, busy, p.few(p.scale(300, 15), 5), func(h handle) {
				if err := p.sees(h.search(p.Context(), "user", "user-1"), stable); err != nil {
					p.fail("Search while others write: %v", err)
				}
			})
		},
	}, {
		name: "Search/FollowsTheWinner",
		why:  "of logins that overlap in one session the one that was stored last decides whose it is",
		run: func(p *place) {
			hs := p.handles(4)
			r := races{p: p}
			rec := p.record()
			v := hs[0].create(rec)
			for range p.scale(400, 15) {
				nexts := make([]driver.Record, 4)
				for i := range nexts {
					nexts[i] = after(rec, p.record())
				}
				r.oneWinner("Replace by another user", 4, func(i int) error {
					_, err := hs[i].Replace(p.Context(), nexts[i], v)
					return err
				}, driver.ErrConflict)
				was := rec
				rec, v = hs[0].load(rec.Key)
				want := map[string][]driver.Record{was.Index["user"]: nil}
				for _, next := range nexts {
					want[next.Index["user"]] = nil
				}
				want[rec.Index["user"]] = []driver.Record{rec}
				p.findsOnly(hs[1], want)
				if p.Failed() {
					return
				}
			}
			r.end()
		},
	}, {
		name: "Search/MayBeLeft",
		why:  "whoever has found what it looked for leaves the loop: a cursor or a connection that stays would end the service",
		run: func(p *place) {
			hs := p.handles(2)
			p.many(hs, 50, func(_ int, rec *driver.Record) { rec.Index["user"] = "many" })
			p.leaves(hs[0], func() iter.Seq2[driver.Record, error] { return hs[0].search(p.Context(), "user", "many") })
		},
	}, {
		name: "Search/StoreMayBeUsedInTheLoop",
		why:  "ending all sessions of a user deletes in the loop that finds them",
		run: func(p *place) {
			hs := p.handles(2)
			p.many(hs, 30, func(_ int, rec *driver.Record) { rec.Index["user"] = "many" })
			p.usedInLoop(hs[0], func(ctx context.Context) iter.Seq2[driver.Record, error] {
				return hs[0].search(ctx, "user", "many")
			})
		},
	}}
	for i := range cases {
		cases[i].needs = append(cases[i].needs, "Search")
	}
	return cases
}

// search is what the core makes of Search, or of Scan where there is none: the
// records of the digest, without others that Search may yield.
func (h handle) search(ctx context.Context, field, digest string) iter.Seq2[driver.Record, error] {
	return func(yield func(driver.Record, error) bool) {
		if searcher, ok := h.Store.(driver.Searcher); ok {
			declined := false
			for rec, err := range searcher.Search(ctx, field, digest) {
				if declined = errors.Is(err, errors.ErrUnsupported); declined {
					break
				}
				if (err != nil || rec.Index[field] == digest) && !yield(rec, err) {
					return
				}
			}
			if !declined {
				return
			}
		}
		for rec, err := range h.scan(ctx) {
			if (err != nil || rec.Index[field] == digest) && !yield(rec, err) {
				return
			}
		}
	}
}

// findsOnly reports unless the users have these records.
func (p *place) findsOnly(h handle, want map[string][]driver.Record) {
	p.Helper()
	for user, recs := range want {
		if err := p.finds(h, user, recs); err != nil {
			p.fail("Search for the user %.50q: %v", user, err)
		}
	}
}

func (p *place) finds(h handle, user string, recs []driver.Record) error {
	found := make(map[string]bool)
	for rec, err := range h.search(p.Context(), "user", user) {
		if err != nil {
			return err
		}
		found[rec.Key] = true
		diff := "it is not there"
		for _, want := range recs {
			if want.Key == rec.Key {
				diff = differ(rec, want)
			}
		}
		if diff != "" {
			return errors.New("a record was found wrongly: " + diff)
		}
	}
	if len(found) < len(recs) {
		return fmt.Errorf("%d of %d records were found", len(found), len(recs))
	}
	return nil
}
