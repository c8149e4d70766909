package conformance

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/websession/websession/session"
	"github.com/websession/websession/session/driver"
)

func secretCases() []testCase {
	return []testCase{
		appCase("Secrets/StoreNeverSeesAnID",
			"a backup, a replica or a log of the store must not hold what lets anybody in",
			storeNeverSeesAnID),
		appCase("Secrets/IndexHoldsNoValues",
			"the index is seen by whoever lists keys; it must not tell who is logged in",
			indexHoldsNoValues),
		appCase("Secrets/ErrorsHoldNoID",
			"errors end in logs, which more people read than may use the sessions",
			errorsHoldNoID),
	}
}

// spellings answers how an id could lie in a store.
func spellings(id session.ID) map[string][]byte {
	text, raw := []byte(id.Reveal()), idBytes(id)
	return map[string][]byte{
		"as it is":                text,
		"in its bytes":            raw,
		"in hexadecimal":          []byte(hex.EncodeToString(raw)),
		"in capital hexadecimal":  []byte(strings.ToUpper(hex.EncodeToString(raw))),
		"in base64":               []byte(base64.RawStdEncoding.EncodeToString(raw)),
		"twice encoded in hex":    []byte(hex.EncodeToString(text)),
		"twice encoded in base64": []byte(base64.RawStdEncoding.EncodeToString(text)),
		"in base64url, twice":     []byte(base64.RawURLEncoding.EncodeToString(text)),
		"without its end":         text[:30],
	}
}

func storeNeverSeesAnID(a *app) {
	var seen []session.ID
	look := func(when string) {
		a.Helper()
		all, ok := a.raw()
		if !ok {
			return
		}
		for _, id := range seen {
			for how, secret := range spellings(id) {
				for name, content := range all {
					if strings.Contains(name, string(secret)) || bytes.Contains(content, secret) {
						a.fatal("%s, the store holds an id %s", when, how)
					}
				}
			}
		}
	}
	m := a.servers(2)
	s := a.visitOf(m[0], "ada")
	seen = append(seen, s.ID())
	look("after a first Save")
	a.need("Save", a.setSave(s, userKey, "bob"))
	look("after a Save")
	a.clock.Advance(a.opts.Idle / 2)
	a.save(a.load(m[1], s.ID()))
	look("after a touch")
	a.need("Update", m[1].Update(a.Context(), s.ID(), increment))
	a.need("Set", shapeKey.Set(s, "round"))
	a.need("Renew", s.Renew(a.Context()))
	seen = append(seen, s.ID(), a.visit(m[1]).ID())
	look("after Renew")
	for range m[0].Find(a.Context(), "user", "bob") {
	}
	a.need("Destroy", s.Destroy(a.Context()))
	look("after Destroy")
}

func indexHoldsNoValues(a *app) {
	m := a.server()
	const secret = "ada.lovelace@example.org"
	s := a.visitOf(m, secret)
	a.need("Save", a.setSave(s, colorKey, "blue"))
	a.clock.Advance(a.opts.Idle / 2)
	a.save(a.load(m, s.ID()))
	all, ok := a.raw()
	if !ok {
		return
	}
	clear := 0
	for name, content := range all {
		clear += bytes.Count(content, []byte(secret))
		for how, spelled := range map[string]string{
			"as it is":       secret,
			"in hexadecimal": hex.EncodeToString([]byte(secret)),
			"in base64":      base64.RawStdEncoding.EncodeToString([]byte(secret)),
			"in base64url":   base64.RawURLEncoding.EncodeToString([]byte(secret)),
		} {
			if strings.Contains(name, spelled) {
				a.fail("the store has a key that names the user %s", how)
			}
		}
	}
	if clear > 1 {
		a.fail("the user's name lies %d times in the store, want once, in the session", clear)
	}
}

func errorsHoldNoID(a *app) {
	m, spy := a.spied()
	s := a.visit(m)
	id := s.ID()
	spy.reset(func(c storeCall) error { return driver.NotApplied(errors.New("disk full")) }, nil)
	_, loadErr := m.Load(a.Context(), id)
	for what, err := range map[string]error{
		"Load":    loadErr,
		"Save":    a.setSave(s, colorKey, "blue"),
		"Update":  m.Update(a.Context(), id, increment),
		"Renew":   s.Renew(a.Context()),
		"Reload":  s.Reload(a.Context()),
		"Destroy": m.Destroy(a.Context(), id),
	} {
		var e *session.Error
		if !errors.As(err, &e) || e.Class != a.driver.Class().Name {
			a.fail("%s of a store that fails: %v, want a *session.Error that names the class", what, err)
			continue
		}
		text := fmt.Sprintf("%v %+v %#v", err, err, e)
		if strings.Contains(text, id.Reveal()) {
			a.fail("the error of %s holds the id", what)
		}
	}
	spy.reset(nil, nil)
	if text := fmt.Sprintf("%v %+v %#v %s %q %x %d", s, id, id, id, id, id, s); strings.Contains(text, id.Reveal()) ||
		strings.Contains(text, hex.EncodeToString([]byte(id.Reveal()))) {
		a.fail("fmt prints the id")
	}
}
