package conformance

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"sync/atomic"

	"github.com/websession/websession/session"
	"github.com/websession/websession/session/driver"
)

func damageCases() []testCase {
	return []testCase{
		appCase("Damage/IsCorruptNeverAPanic",
			"a damaged record must not stop the server, be taken for a session, or be deleted: somebody will want to look at it",
			damageIsCorrupt),
		appCase("Damage/SwappedRecordsAreRefused",
			"who can write to the store must not make one visitor another by moving records",
			swappedRecords),
		appCase("Damage/NewerFormatIsLeftAlone",
			"while a new release is rolled out, servers of the old one meet its sessions: they must not damage them",
			newerFormat),
		appCase("Damage/OneRecordDoesNotHideOthers",
			"a list of sessions, and a logout everywhere, must work although one record is damaged",
			damageDoesNotHide, "Scanner"),
		appCase("Damage/OneAttributeDoesNotHideOthers",
			"an attribute that a new release cannot read must not log the user out",
			damagedAttribute),
	}
}

// overwrite puts bytes in place of the record of a session.
func (a *app) overwrite(store driver.Store, rec driver.Record, data []byte) {
	a.Helper()
	_, v := a.record(store, rec.Key)
	was := rec.Index
	rec.Data, rec.Was = data, was
	_, err := store.Replace(a.Context(), rec, v)
	a.need("Replace", err)
}

// corrupt demands ErrCorrupt of every use of a session.
func (a *app) corrupt(m *session.Manager, id session.ID, what string) {
	a.Helper()
	defer func() {
		if r := recover(); r != nil {
			a.fail("Load of a record with %s panics: %v", what, r)
		}
	}()
	if _, err := m.Load(a.Context(), id); !errors.Is(err, session.ErrCorrupt) || errors.Is(err, session.ErrNotFound) {
		a.fail("Load of a record with %s: %v, want ErrCorrupt", what, err)
	}
}

func damageIsCorrupt(a *app) {
	var events atomic.Int64
	a.opts.Observe = func(_ context.Context, e session.Event) {
		if e.Kind == session.EventCorrupt {
			events.Add(1)
		}
	}
	m := a.server()
	store := a.open()
	s := a.visitOf(m, "ada")
	stale := a.load(m, s.ID())
	rec, _ := a.record(store, keyOf(s))
	good := bytes.Clone(rec.Data)
	tries := 0
	try := func(data []byte, what string) {
		a.Helper()
		tries++
		a.overwrite(store, rec, data)
		a.corrupt(m, s.ID(), what)
		if got, _ := a.record(store, rec.Key); !bytes.Equal(got.Data, data) {
			a.fatal("a load changed a record with %s", what)
		}
	}
	step := 1
	if a.scale(20, 1) == 1 {
		step = 3
	}
	for n := a.rng.IntN(step); n < len(good); n += step {
		try(good[:n], "its end cut off")
	}
	for i := a.rng.IntN(step); i < len(good); i += step {
		bad := bytes.Clone(good)
		bad[i] ^= 1 << a.rng.IntN(8)
		try(bad, "one bit changed")
	}
	try(nil, "no data")
	try(append(bytes.Clone(good), 0), "a byte too many")
	try(append(bytes.Clone(good), good...), "twice its data")
	try(bytes.Repeat([]byte{0}, 200), "zeros")
	try(bytes.Repeat([]byte{0xff}, 1<<16), "ones")
	try(a.bytes(500), "noise")
	if int(events.Load()) != tries {
		a.fail("%d damaged records were met, and Observe was told of %d", tries, events.Load())
	}

	for what, err := range map[string]error{
		"Update": m.Update(a.Context(), s.ID(), increment),
		"Save":   a.setSave(stale, colorKey, "blue"),
		"Reload": stale.Reload(a.Context()),
	} {
		if !errors.Is(err, session.ErrCorrupt) {
			a.fail("%s of a damaged session: %v, want ErrCorrupt", what, err)
		}
	}
	a.overwrite(store, rec, good)
	holds(a, a.load(m, s.ID()), userKey, "ada")
	a.overwrite(store, rec, good[1:])
	a.need("Destroy of a damaged session", m.Destroy(a.Context(), s.ID()))
	a.dead(m, s.ID(), "after Destroy of a damaged session")
	a.sameThings(0, "after Destroy of a damaged session")
}

// sealed answers the bytes of an envelope with the checksum that they need.
func sealed(data []byte) []byte {
	sum := len(data) - crc32.Size
	return binary.BigEndian.AppendUint32(bytes.Clone(data[:sum]), crc32.Checksum(data[:sum], crc32.MakeTable(crc32.Castagnoli)))
}

// newerFormat has a session in a format version, or under an encryption key, that
// the next release may have.
func newerFormat(a *app) {
	m := a.servers(2)
	store := a.open()
	for _, at := range []int{0, 1} {
		s := a.visitOf(m[0], "ada")
		id := s.ID()
		changed, read, login := a.load(m[0], id), a.load(m[1], id), a.load(m[0], id)
		rec, _ := a.record(store, keyOf(s))
		newer := append(bytes.Clone(rec.Data), "what the old release does not know"...)
		newer[at]++
		a.overwrite(store, rec, sealed(newer))
		there, v := a.record(store, rec.Key)
		things, _ := a.things()

		a.corrupt(m[0], id, "a newer format")
		a.clock.Advance(a.opts.Idle / 2)
		a.need("Save of a session that was only read", read.Save(a.Context()))
		for what, err := range map[string]error{
			"Update": m[1].Update(a.Context(), id, increment),
			"Save":   a.setSave(changed, colorKey, "blue"),
			"Renew":  login.Renew(a.Context()),
			"Reload": changed.Reload(a.Context()),
		} {
			if !errors.Is(err, session.ErrCorrupt) {
				a.fail("%s of a session in a newer format: %v, want ErrCorrupt", what, err)
			}
		}
		now, nowV := a.record(store, rec.Key)
		if diff := differ(now, there); diff != "" || nowV != v {
			a.fail("a session in a newer format was changed: %s", diff)
		}
		a.sameThings(things, "after requests with a session in a newer format")

		a.overwrite(store, rec, rec.Data) // the roll-out is undone
		holds(a, a.load(m[1], id), userKey, "ada")
		a.overwrite(store, rec, sealed(newer))
		a.need("Destroy of a session in a newer format", m[0].Destroy(a.Context(), id))
		a.dead(m[1], id, "after Destroy of a session in a newer format")
		a.sameThings(0, "after Destroy of a session in a newer format")
	}
}

func swappedRecords(a *app) {
	m := a.server()
	store := a.open()
	ada, admin := a.visitOf(m, "ada"), a.visitOf(m, "admin")
	recA, _ := a.record(store, keyOf(ada))
	recB, _ := a.record(store, keyOf(admin))
	a.overwrite(store, recA, recB.Data)
	a.overwrite(store, recB, recA.Data)
	a.corrupt(m, ada.ID(), "the data of another session")
	a.corrupt(m, admin.ID(), "the data of another session")
	a.overwrite(store, recA, recA.Data)
	holds(a, a.load(m, ada.ID()), userKey, "ada")
}

func damageDoesNotHide(a *app) {
	m := a.server()
	store := a.open()
	bad, good := a.visitOf(m, "ada"), a.visitOf(m, "ada")
	rec, _ := a.record(store, keyOf(bad))
	// The same session under keys that the framework never makes.
	for _, key := range []string{"x", rec.Key + "A", rec.Key[:42], string(bytes.Repeat([]byte("k"), driver.MaxKey))} {
		stray := rec
		stray.Key = key
		_, err := store.Create(a.Context(), stray)
		a.need("Create", err)
	}
	a.overwrite(store, rec, rec.Data[:len(rec.Data)-1])
	if got := a.lists(m); len(got) != 1 || got[good.Handle()] == 0 {
		a.fail("beside damaged records, %d sessions are listed, want the one that is whole", len(got))
	}
	a.finds(m, "user", "ada", good)
	if n, err := m.DestroyFound(a.Context(), "user", "ada", nil); n != 1 || err != nil {
		a.fail("DestroyFound beside damaged records: %d, %v; want 1", n, err)
	}
	a.dead(m, good.ID(), "after DestroyFound")
	a.record(store, rec.Key)
}

func damagedAttribute(a *app) {
	type cart struct{ Items []string }
	cartKey := session.NewKey[cart]("cart")
	m := a.servers(2)
	store := a.open()
	s := a.visitOf(m[0], "ada")
	a.need("Set", cartKey.Set(s, cart{[]string{"pen"}}))
	a.save(s)
	// What a fault in a program would write: JSON that is none, in a record that
	// is whole.
	rec, _ := a.record(store, keyOf(s))
	bad := bytes.Replace(rec.Data, []byte(`{"Items"`), []byte(`["Items"`), 1)
	a.overwrite(store, rec, sealed(bad))

	got := a.load(m[1], s.ID())
	var te *session.TypeError
	if _, err := cartKey.Get(got); !errors.As(err, &te) || te.Attribute != "cart" {
		a.fail("Get of an attribute that cannot be decoded: %v, want a *TypeError that names it", err)
	}
	if _, err := got.Value("cart"); !errors.As(err, &te) {
		a.fail("Value of an attribute that cannot be decoded: %v, want a *TypeError", err)
	}
	a.names(got, "cart", "color", "user")
	holds(a, got, userKey, "ada")
	a.need("Save", a.setSave(got, colorKey, "blue"))
	a.need("Renew", got.Renew(a.Context()))
	if now, _ := a.record(store, keyOf(got)); !bytes.Contains(now.Data, []byte(`["Items"`)) {
		a.fail("an attribute that cannot be decoded was changed by the save of another one")
	}
	a.need("Set", cartKey.Set(got, cart{}))
	a.save(got)
	if _, err := cartKey.Get(a.load(m[0], got.ID())); err != nil {
		a.fail("Get of an attribute that was set anew: %v", err)
	}
}
