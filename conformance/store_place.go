package conformance

import (
	"time"

	"github.com/websession/websession/session/driver"
)

func placeCases() []testCase {
	return []testCase{{
		name: "Places/AreApart",
		why:  "two applications in one database, each with its own place, must neither see nor end each other's sessions",
		run: func(p *place) {
			q := *p
			q.props = p.env.Place(p.TB)
			a, b := p.handle(), q.handle()
			const key, user = "the-same-key", "the-same-user"
			mine, yours := p.record(), p.record()
			for _, rec := range []*driver.Record{&mine, &yours} {
				rec.Key, rec.Index = key, map[string]string{"user": user}
			}
			v, w := a.create(mine), b.create(yours)
			same := func(when string) {
				p.Helper()
				b.holds(yours, w, when)
				if p.has("Scanner") {
					p.yields(b.scan(p.Context()), yours)
				}
				if p.has("Search") {
					p.yields(b.search(p.Context(), "user", user), yours)
				}
			}
			a.holds(mine, v, "after Create of the same key in another place")
			same("after Create of the same key in another place")
			next := after(mine, driver.Record{Index: mine.Index})
			if _, err := a.Replace(p.Context(), next, w); err == nil && v != w {
				p.fail("Replace in a version of another place was applied")
			}
			a.delete(mine, "")
			same("after Delete of the same key in another place")
			a.absent(key, "after Delete, of a key that another place has")
			mine = p.record()
			a.create(mine)
			if p.has("Purger") {
				if n := a.purge(in(2*time.Hour), 100); n != 1 {
					p.fail("Purge answered %d; one record of the place expires before the given time", n)
				}
				same("after Purge of another place")
			} else {
				a.delete(mine, "")
			}
			p.empty("when another place has a record")
			if err := a.Close(); err != nil {
				p.fail("Close answered %v", err)
			}
			same("after Close of a store of another place")
		},
	}, {
		name:  "Places/TakeMoreFields",
		why:   "a release that finds sessions by one more attribute begins on one server, while the others go on as before",
		needs: []string{"Search"},
		run: func(p *place) {
			before := handle{p.openIndexed("user"), p}
			user, account := p.token(43), p.token(43)
			old := p.record()
			old.Index = map[string]string{"user": user}
			v := before.create(old)
			later := handle{p.openIndexed("account", "user"), p}
			later.holds(old, v, "through a handle with one more index field")
			p.yields(later.search(p.Context(), "user", user), old)
			p.yields(later.search(p.Context(), "account", account))

			next := after(old, p.record())
			next.Index = map[string]string{"user": user, "account": account}
			v = later.replace(next, v)
			later.holds(next, v, "after Replace with one more index field")
			p.yields(later.search(p.Context(), "account", account), next)
			p.yields(later.search(p.Context(), "user", user), next)

			// To the others it is a record as any other.
			known := next
			known.Index = map[string]string{"user": user}
			got, gotV := before.load(old.Key)
			got.Index = map[string]string{"user": got.Index["user"]} // it may know the other field
			if diff := differ(got, known); diff != "" || gotV != v {
				p.fail("a handle that knows one field of two loads another record: %s", diff)
			}
			fresh := p.record()
			fresh.Index = map[string]string{"user": user}
			w := before.create(fresh)
			later.holds(fresh, w, "of a record that was created without the new field")
			before.delete(known, v)
			p.yields(later.search(p.Context(), "account", account))
			p.yields(later.search(p.Context(), "user", user), fresh)
			later.delete(fresh, w)
			if !later.isSeparate() {
				p.empty("after Delete of all records")
			}
		},
	}}
}
