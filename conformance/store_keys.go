package conformance

import (
	"strings"

	"github.com/websession/websession/session/driver"
)

func keyCases() []testCase {
	return []testCase{{
		name: "Keys/TakeEveryCharacter",
		why:  "keys are random: one that a store cannot keep fails for a user now and then",
		run: func(p *place) {
			var keys []string
			for _, c := range keyAlphabet {
				keys = append(keys, string(c))
			}
			p.storesAll(append(keys, keyAlphabet))
		},
	}, {
		name: "Keys/TakeOddOnes",
		why:  "a key is a name, not a path, a number, an option or a reserved word",
		run: func(p *place) {
			p.storesAll([]string{"--", "-rf", "-1", "_", "__proto__", "0", "00", "0x10", "1e3", "null", "NULL", "true",
				"CON", "nul", "aux", "COM1", "index", "user", "tmp", "lock", "a--b", "_id", "id", "key", "data"})
		},
	}, {
		name: "Keys/TakeEveryLength",
		why:  "a key that is cut would be another session's",
		run: func(p *place) {
			long := p.token(driver.MaxKey-1) + "-"
			keys := []string{long[:driver.MaxKey-1] + "_"}
			for _, n := range []int{1, 2, 3, 31, 32, 33, 40, 43, 63, 64, 65, 100, driver.MaxKey - 1, driver.MaxKey} {
				keys = append(keys, long[:n])
			}
			p.storesAll(keys)
		},
	}, {
		name: "Keys/AreComparedExactly",
		why:  "a key that matches another one opens another user's session",
		run: func(p *place) {
			hs := p.handles(2)
			const key = "aBcDeFgHiJkLmNoPqRsTuVwXyZ-_0123456789abcDE"
			near := []string{
				strings.ToLower(key), strings.ToUpper(key), "A" + key[1:], key[:42] + "e", // case
				key[:42], key + "E", key + "-", key[:1], key + "_", // prefixes
				key[:42] + "F", "b" + key[1:], // one character
				strings.Replace(key, "-", "_", 1), strings.Replace(key, "_", "-", 1),
				strings.Replace(key, "D", "_", 1), // as LIKE has it
			}
			rec := p.record()
			rec.Key = key
			v := hs[0].create(rec)
			for _, k := range near {
				p.strange(hs[1], driver.Record{Key: k}, v)
			}
			hs[0].holds(rec, v, "after calls with keys that look like its own")
			all := append(near, key)
			hs[0].delete(rec, v)
			p.storesAll(all)
		},
	}, {
		name: "Keys/DoNotDisturbEachOther",
		why:  "requests of different users run at the same time, and must not meet",
		run: func(p *place) {
			hs := p.handles(4)
			const workers = 8
			keys := p.tokens(workers)
			rounds := p.scale(200, 5)
			together(workers, func(w int) {
				for i := range rounds {
					if !p.ownLife(hs[w%4], hs[(w+1)%4], keys[w], uint64(w)<<32|uint64(i)<<8) {
						return
					}
				}
			})
		},
	}}
}

// storesAll stores records under all keys, changes every second, deletes every
// third, and reports unless every key has its own record.
func (p *place) storesAll(keys []string) {
	p.Helper()
	hs := p.handles(2)
	recs := make([]driver.Record, len(keys))
	versions := make([]driver.Version, len(keys))
	for i, key := range keys {
		recs[i] = p.record()
		recs[i].Key = key
		v, err := hs[i%2].Create(p.Context(), recs[i])
		if err != nil {
			p.fatal("Create of the free key %q: %v", key, err)
		}
		versions[i] = v
	}
	for i := range keys {
		if i%2 == 0 {
			next := after(recs[i], p.record())
			versions[i] = hs[0].replace(next, versions[i])
			recs[i] = next
		}
		if i%3 == 0 {
			hs[1].delete(recs[i], versions[i])
		}
	}
	for i, key := range keys {
		if i%3 == 0 {
			hs[0].absent(key, "after Delete of "+key)
		} else {
			hs[0].holds(recs[i], versions[i], "of the key "+key)
		}
	}
}

// strange reports unless calls with a key that is not there find nothing.
func (p *place) strange(h handle, rec driver.Record, v driver.Version) {
	p.Helper()
	h.absent(rec.Key, "of the key "+rec.Key)
	if _, err := h.Replace(p.Context(), rec, v); !isGone(err) {
		p.fail("Replace of the key %s, which is not there, answered %v", rec.Key, err)
	}
	if _, err := h.touch(p.Context(), rec, v); !isGone(err) {
		p.fail("a touch of the key %s, which is not there, answered %v", rec.Key, err)
	}
	if err := h.Delete(p.Context(), rec, v); !isGone(err) {
		p.fail("Delete of the key %s in a version, which is not there, answered %v", rec.Key, err)
	}
	if err := h.Delete(p.Context(), rec, ""); err != nil {
		p.fail("Delete of the key %s, which is not there, answered %v", rec.Key, err)
	}
}

// ownLife takes a key that nobody else uses from Create to Delete, writing with
// a and reading with b, and reports whether all went well.
func (p *place) ownLife(a, b handle, key string, seq uint64) bool {
	ctx := p.Context()
	rec := driver.Record{Key: key, Data: stamp(seq, 100)}
	v, err := a.Create(ctx, rec)
	for i := range uint64(3) {
		if err != nil {
			p.fail("a write of a key that nobody else uses answered %v", err)
			return false
		}
		got, gotV, err2 := b.Load(ctx, key)
		if err2 != nil || gotV != v || differ(got, rec) != "" {
			p.fail("Load of a key that nobody else uses answered something else than was written: %v %s", err2, differ(got, rec))
			return false
		}
		rec.Data = stamp(seq+i+1, 100)
		v, err = a.Replace(ctx, rec, v)
	}
	if err == nil {
		err = a.Delete(ctx, rec, v)
	}
	if err != nil {
		p.fail("a write of a key that nobody else uses answered %v", err)
		return false
	}
	return true
}
