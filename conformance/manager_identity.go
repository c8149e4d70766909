package conformance

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"math"
	"slices"
	"strings"
	"sync"

	"github.com/websession/websession/session"
)

func identityCases() []testCase {
	return []testCase{
		appCase("Identity/NewSessionIsNotStored",
			"an anonymous visit costs nothing; without this every crawler fills the store",
			newSessionIsNotStored),
		appCase("Identity/CreatedSessionIsLoaded",
			"what one server stores every other one reads: data, creation time and deadlines",
			createdSessionIsLoaded),
		appCase("Identity/ParallelCreatesAreDistinct",
			"two visitors with one id read each other's data",
			parallelCreatesAreDistinct),
		appCase("Identity/IDsAreUniform",
			"an id is all that keeps a session from strangers: 256 bits, none of them to be guessed",
			idsAreUniform),
		appCase("Identity/MalformedIDsDoNotReachTheStore",
			"what a client sends is not trusted: a malformed id would be a path, a pattern or a load on the server",
			malformedIDsDoNotReachTheStore),
		appCase("Identity/IDsAreComparedExactly",
			"a store that folds case or drops spaces makes many ids of one",
			idsAreComparedExactly),
		appCase("Identity/UnknownIDIsNotAdopted",
			"who plants an id in a browser must not know the id of the session that begins there",
			unknownIDIsNotAdopted),
		appCase("Identity/StoredKeyIsNotAToken",
			"who reads the store, or a copy of it, must not be able to use the sessions in it",
			storedKeyIsNotAToken),
		appCase("Identity/CancelledCreateStoresNothing",
			"a request that was given up leaves no session that nobody has the id of",
			cancelledCreateStoresNothing),
	}
}

func newSessionIsNotStored(a *app) {
	m, spy := a.spied()
	s := m.NewSession()
	if s.Stored() || s.Changed() || len(s.Names()) != 0 || !s.Created().IsZero() || !s.Expires().IsZero() || !s.Deadline().IsZero() {
		a.fail("a new session is stored %v, changed %v, has the attributes %q, was created %v, expires %v, ends %v",
			s.Stored(), s.Changed(), s.Names(), s.Created(), s.Expires(), s.Deadline())
	}
	if _, err := colorKey.Get(s); !errors.Is(err, session.ErrNoValue) {
		a.fail("Get of an attribute of a new session: %v, want ErrNoValue", err)
	}
	id := s.ID()
	a.save(s)
	a.need("Destroy", s.Destroy(a.Context()))
	a.save(s)
	if _, calls := spy.counted(); calls != 0 {
		a.fail("a session that nobody wrote to cost %d store calls", calls)
	}
	a.notFound("Reload of a session that was never stored", s.Reload(a.Context()))
	a.dead(m, id, "of an id that was never stored")
	a.sameThings(0, "after a visit that wrote nothing")
}

func createdSessionIsLoaded(a *app) {
	m := a.servers(2)
	s := a.visit(m[0])
	if !s.Stored() || s.Changed() {
		a.fail("after Save, Stored is %v and Changed %v", s.Stored(), s.Changed())
	}
	got := a.load(m[1], s.ID())
	holds(a, got, colorKey, "red")
	a.names(got, "color")
	now := a.clock.Now()
	if got.ID() != s.ID() || got.Handle() != s.Handle() || !got.Stored() || got.Changed() || got.Persistent() {
		a.fail("another server answers another session than the one that was stored")
	}
	if !got.Created().Equal(now) || !got.Expires().Equal(now.Add(a.opts.Idle)) || !got.Deadline().Equal(now.Add(a.opts.Absolute)) {
		a.fail("created %v, expires %v, ends %v; want %v, %v later and %v later",
			got.Created(), got.Expires(), got.Deadline(), now, a.opts.Idle, a.opts.Absolute)
	}
}

func parallelCreatesAreDistinct(a *app) {
	m := a.servers(4)
	var mu sync.Mutex
	ids := make(map[session.ID]int64)
	const workers = 8
	each := a.scale(10_000, 400) / workers
	together(workers, func(w int) {
		for i := range each {
			s, n := m[w%len(m)].NewSession(), int64(w*each+i)
			if err := errors.Join(countKey.Set(s, n), s.Save(a.Context())); err != nil {
				a.fail("create: %v", err)
				return
			}
			mu.Lock()
			ids[s.ID()] = n
			mu.Unlock()
		}
	})
	if len(ids) != workers*each {
		a.fail("%d sessions were created, with %d different ids", workers*each, len(ids))
	}
	for id, n := range ids {
		holds(a, a.load(m[0], id), countKey, n)
	}
}

func idsAreUniform(a *app) {
	m := a.server()
	n := a.few(10_000, 1000)
	var ones [256]int
	seen := make(map[session.ID]bool)
	for range n {
		id := m.NewSession().ID()
		b := idBytes(id)
		if len(id.Reveal()) != 43 || len(b) != 32 || strings.Trim(id.Reveal(), keyAlphabet) != "" {
			a.fatal("an id has %d characters, which hold %d bytes; want 43 characters of base64url, 32 bytes", len(id.Reveal()), len(b))
		}
		if seen[id] {
			a.fatal("an id came twice in %d", n)
		}
		seen[id] = true
		for i := range ones {
			ones[i] += int(b[i/8] >> (i % 8) & 1)
		}
	}
	for i, k := range ones {
		// A fair bit is 7 standard deviations off once in 10^11.
		if math.Abs(float64(k)-float64(n)/2) > 7*math.Sqrt(float64(n))/2 {
			a.fail("bit %d is set in %d of %d ids", i, k, n)
		}
	}
}

func malformedIDsDoNotReachTheStore(a *app) {
	m, spy := a.spied()
	id := a.visit(m).ID().Reveal()
	spy.reset(nil, nil)
	with := func(c string) string { return id[:21] + c + id[22:] }
	for _, bad := range []string{
		"", "x", id[:42], id + "A", id + id, strings.Repeat("A", 1<<20), id + " ", " " + id, id + "\n", id + "\x00", id + "=",
		with("/"), with("\\"), with("."), with("+"), with("="), with(" "), with("\x00"), with("\xff"), with("*"), with("%"),
		with("'"), with("é"), id[:41] + "é", strings.Repeat("../", 14) + "x", strings.Repeat("\xff", 43), strings.Repeat(".", 43),
	} {
		_, err := m.Load(a.Context(), session.ID(bad))
		a.notFound("Load", err)
		a.notFound("Update", m.Update(a.Context(), session.ID(bad), increment))
		a.need("Destroy of a malformed id", m.Destroy(a.Context(), session.ID(bad)))
		if _, n := spy.counted(); n != 0 {
			a.fatal("the malformed id %.60q cost %d store calls", bad, n)
		}
	}
	holds(a, a.load(m, session.ID(id)), colorKey, "red")
}

func idsAreComparedExactly(a *app) {
	m := a.server()
	s := a.visit(m)
	id := []byte(s.ID().Reveal())
	for i, c := range id {
		other := bytes.Clone(id)
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z':
			other[i] = c ^ 0x20 // the other case
		case c == '9' || c == '_':
			other[i] = '0'
		default:
			other[i] = c + 1
			if !strings.ContainsRune(keyAlphabet, rune(other[i])) {
				other[i] = 'A'
			}
		}
		a.dead(m, session.ID(other), "of an id that differs in one character")
	}
	holds(a, a.load(m, s.ID()), colorKey, "red")
}

func unknownIDIsNotAdopted(a *app) {
	m := a.servers(2)
	planted := m[0].NewSession().ID()
	a.dead(m[1], planted, "of an id that nobody stored")
	a.notFound("Update of an id that nobody stored", m[1].Update(a.Context(), planted, increment))
	a.need("Destroy of an id that nobody stored", m[1].Destroy(a.Context(), planted))
	a.sameThings(0, "after requests with an id that nobody stored")
	s := a.visit(m[1])
	if s.ID() == planted {
		a.fail("a new session has the id that the client brought")
	}
	a.dead(m[0], planted, "of an id that nobody stored")
}

func storedKeyIsNotAToken(a *app) {
	m := a.server()
	store := a.open()
	s := a.visit(m)
	key := keyOf(s)
	a.record(store, key) // it is the key
	tokens := []string{key, base64.RawURLEncoding.EncodeToString([]byte(key))}
	if all, ok := a.raw(); ok {
		for name := range all {
			tokens = append(tokens, name)
		}
	}
	for _, t := range slices.Compact(tokens) {
		a.dead(m, session.ID(t), "by what the store calls the session")
		a.need("Destroy", m.Destroy(a.Context(), session.ID(t)))
	}
	if !a.alive(m, s.ID()) {
		a.fail("Destroy by what the store calls the session ended it")
	}
}

func cancelledCreateStoresNothing(a *app) {
	m := a.server()
	ctx, cancel := context.WithCancel(a.Context())
	cancel()
	s := m.NewSession()
	a.need("Set", userKey.Set(s, "ada"))
	if err := s.Save(ctx); !errors.Is(err, context.Canceled) || errors.Is(err, session.ErrUnknownOutcome) {
		a.fail("Save with a context that had ended: %v, want its error, and no doubt", err)
	}
	if s.Stored() || !s.Changed() {
		a.fail("after a Save that failed, Stored is %v and Changed %v", s.Stored(), s.Changed())
	}
	a.sameThings(0, "after a Save with a context that had ended")
	a.save(s)
	holds(a, a.load(m, s.ID()), userKey, "ada")
}
