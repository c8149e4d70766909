package conformance

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"

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
		appCase("Secrets/EventsHoldNoID",
			"events end in logs, in metrics and in traces, which many people read and many machines keep",
			eventsHoldNoID),
		appCase("Secrets/KeysTellNothingOfIDs",
			"who measures how long lookups take must not learn that the beginning of a guess was right",
			keysTellNothingOfIDs),
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

func eventsHoldNoID(a *app) {
	var mu sync.Mutex
	var said bytes.Buffer
	kinds := make(map[session.EventKind]bool)
	level := &slog.HandlerOptions{Level: slog.LevelDebug}
	text, json := slog.New(slog.NewTextHandler(&said, level)), slog.New(slog.NewJSONHandler(&said, level))
	a.opts.Observe = func(ctx context.Context, e session.Event) {
		mu.Lock()
		defer mu.Unlock()
		kinds[e.Kind] = true
		session.LogEvents(text)(ctx, e)
		session.LogEvents(json)(ctx, e)
		fmt.Fprintf(&said, "%v %+v %#v %s\n", e, e, e, e.Err)
	}
	m, spy := a.spied()
	store := a.open()
	var ids []session.ID
	known := func(s *session.Session) *session.Session {
		ids = append(ids, s.ID())
		text.Info("a session", "session", s, "id", s.ID(), "handle", s.Handle())
		json.Info("a session", "session", s, "id", s.ID(), "handle", s.Handle())
		return s
	}
	s := known(a.visitOf(m, "ada"))
	late := a.load(m, s.ID())
	a.need("Save", a.setSave(s, colorKey, "blue"))
	a.need("Save after another one", a.setSave(late, shapeKey, "round"))
	a.need("Renew", s.Renew(a.Context()))
	known(s)

	a.clock.Advance(a.opts.Idle / 2)
	away := errors.New("the disk is away")
	spy.reset(func(storeCall) error { return driver.NotApplied(away) }, nil)
	a.save(s) // a touch
	ctx, cancel := context.WithCancel(a.Context())
	defer cancel()
	spy.reset(func(c storeCall) error {
		if c.method != "Replace" {
			return nil
		}
		cancel()
		return driver.UnknownOutcome(ctx.Err())
	}, nil)
	a.need("Set", colorKey.Set(s, "green"))
	if err := s.Save(ctx); !errors.Is(err, session.ErrUnknownOutcome) {
		a.fail("Save whose context ended meanwhile: %v, want ErrUnknownOutcome", err)
	}
	spy.reset(nil, nil)
	rec, _ := a.record(store, keyOf(s))
	a.overwrite(store, rec, rec.Data[1:])
	a.corrupt(m, s.ID(), "its first byte cut off")
	for range m.Find(a.Context(), "user", "ada") {
	}
	a.need("Destroy", m.Destroy(a.Context(), s.ID()))

	for _, kind := range []session.EventKind{session.EventCreated, session.EventConflict, session.EventRenewed, session.EventTouchFailed,
		session.EventUnknownOutcome, session.EventCorrupt, session.EventDestroyed} {
		if !kinds[kind] {
			a.fail("there was no event %q", kind)
		}
	}
	for _, id := range ids {
		for how, secret := range spellings(id) {
			if bytes.Contains(said.Bytes(), secret) {
				a.fail("events, or what logs make of a session, hold an id %s", how)
			}
		}
	}
}

// keysTellNothingOfIDs looks at what the store is asked for.
func keysTellNothingOfIDs(a *app) {
	m, spy := a.spied()
	s := a.visit(m)
	id, key := s.ID().Reveal(), keyOf(s)
	asked := ""
	spy.reset(func(c storeCall) error {
		asked = c.key
		return nil
	}, nil)
	const few = 12 // characters that two digests begin with now and then: once in 10^21
	for i := range len(id) {
		guess := []byte(id)
		if guess[i]++; !strings.Contains(keyAlphabet, string(guess[i])) {
			guess[i] = 'A'
		}
		asked = ""
		a.dead(m, session.ID(guess), "of an id that differs in one character")
		if len(asked) != len(key) || asked[:few] == key[:few] {
			a.fail("an id that is right up to character %d is looked up as %q, where the right one is %q", i, asked, key)
		}
		for at := range len(asked) - few {
			if strings.Contains(string(guess), asked[at:at+few]) {
				a.fail("the key %q holds a part of the id that it is made of", asked)
			}
		}
	}
	holds(a, a.load(m, s.ID()), colorKey, "red")
	if asked != key {
		a.fail("the session of the key %q was looked up as %q", key, asked)
	}
}
