package conformance

import (
	"context"
	"fmt"
	"strings"

	"github.com/websession/websession/session/driver"
)

func errorCases() []testCase {
	return []testCase{{
		name: "Errors/NameNoKeys",
		why:  "errors end in logs; the key of a foreign format may be the id, and a digest tells who was there",
		run: func(p *place) {
			hs := p.handles(2)
			rec, gone := p.record(), p.record()
			stale := hs[0].create(rec)
			v := hs[0].replace(after(rec, rec), stale)
			hs[0].delete(gone, hs[0].create(gone))
			look := func(what string, rec driver.Record, err error) {
				p.Helper()
				text := fmt.Sprintf("%v %+v %q", err, err, fmt.Sprint(err))
				for name, secret := range map[string]string{"key": rec.Key, "index digest": rec.Index["user"]} {
					if strings.Contains(text, secret) {
						p.fail("the error of %s names the %s: %v", what, name, err)
					}
				}
			}
			writes := func(when string, rec driver.Record, old driver.Version) {
				p.Helper()
				_, err := hs[1].Replace(p.Context(), after(rec, rec), old)
				look("Replace "+when, rec, err)
				_, err = hs[1].touch(p.Context(), after(rec, rec), old)
				look("a touch "+when, rec, err)
				look("Delete "+when, rec, hs[1].Delete(p.Context(), after(rec, driver.Record{}), old))
			}
			_, err := hs[1].Create(p.Context(), rec)
			look("Create of a key that is taken", rec, err)
			_, _, err = hs[1].Load(p.Context(), gone.Key)
			look("Load of an absent record", gone, err)
			writes("of an absent record", gone, v)
			writes("in a stale version", rec, stale)

			large, long := p.record(), p.record()
			large.Data = make([]byte, driver.MaxData+1)
			long.Key = p.token(driver.MaxKey + 1)
			for what, rec := range map[string]driver.Record{"of too much data": large, "of too long a key": long} {
				_, err = hs[1].Create(p.Context(), rec)
				look("Create "+what, rec, err)
				_, err = hs[1].Replace(p.Context(), rec, v)
				look("Replace "+what, rec, err)
			}
			_, _, err = hs[1].Load(p.Context(), long.Key)
			look("Load of too long a key", long, err)

			ctx, cancel := context.WithCancel(p.Context())
			cancel()
			all := func(ctx context.Context, when string) {
				p.Helper()
				for _, m := range methods {
					if p.hasAll(m.needs) {
						look(m.name+" "+when, rec, m.call(ctx, hs[1], rec, v))
					}
				}
			}
			all(ctx, "with a context that had ended")
			if err := hs[1].Close(); err != nil {
				p.fail("Close answered %v", err)
			}
			all(p.Context(), "after Close")
			hs[0].holds(rec, v, "after calls that were refused")
		},
	}}
}
