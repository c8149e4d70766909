package conformance

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"time"

	"github.com/websession/websession/session"
)

func valueCases() []testCase {
	return []testCase{
		appCase("Values/TypesRoundTrip",
			"a value reads back as it was written, whatever store is below",
			typesRoundTrip),
		appCase("Values/Names",
			"applications and Perl programs choose names freely; two names must not meet in one place",
			namesRoundTrip),
		appCase("Values/LargeSession",
			"a store with a smaller limit than the framework's fails in production, with the largest basket",
			largeSession),
		appCase("Values/TooLargeIsRefused",
			"a session that is refused must be refused whole, and the one that was stored stays",
			tooLargeIsRefused),
		appCase("Values/ManyAttributes",
			"some applications keep an attribute per item",
			manyAttributes),
		appCase("Values/NotStorableIsRefused",
			"a value that would be damaged without a word must be refused when it is set",
			notStorableIsRefused),
	}
}

// sample is a value that is set, and read back as the same type.
type sample struct {
	set   func(s *session.Session) error
	check func(s *session.Session) error
}

func sampleOf[T any](name string, v T) sample {
	k := session.NewKey[T](name)
	return sample{
		set: func(s *session.Session) error { return k.Set(s, v) },
		check: func(s *session.Session) error {
			got, err := k.Get(s)
			if err != nil {
				return err
			}
			if !sameValue(got, v) {
				return fmt.Errorf("the %T %.80q reads back as %.80q", v, fmt.Sprintf("%#v", v), fmt.Sprintf("%#v", got))
			}
			return nil
		},
	}
}

// sameValue is reflect.DeepEqual that knows NaN, the sign of zero, and that
// zones have no names.
func sameValue(a, b any) bool {
	switch x := a.(type) {
	case float64:
		return math.Float64bits(x) == math.Float64bits(b.(float64))
	case time.Time:
		y := b.(time.Time)
		_, offX := x.Zone()
		_, offY := y.Zone()
		return x.Equal(y) && offX == offY
	}
	return reflect.DeepEqual(a, b)
}

func deep(levels int) any {
	var v any = "bottom"
	for range levels {
		v = []any{v}
	}
	return v
}

func samples() []sample {
	type color string
	type item struct {
		Name  string
		Price float64           `json:",omitempty"`
		Tags  []string          `json:"tags"`
		More  map[string]*item  `json:",omitempty"`
		Since time.Time         `json:",omitzero"`
		Notes map[string]string `json:"n"`
	}
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	text := "tab\t line\n quote\" back\\slash <&> 'x' -- ; Ünïcødé 日本語 😀 e\u0301 \u2028 \ufeff"
	list := []sample{}
	n := 0
	name := func() string { n++; return fmt.Sprintf("sample %02d", n) }
	for _, v := range []bool{true, false} {
		list = append(list, sampleOf(name(), v))
	}
	for _, v := range []int64{0, 1, -1, 127, 128, -128, math.MaxInt32 + 1, 1<<53 + 1, math.MaxInt64, math.MinInt64} {
		list = append(list, sampleOf(name(), v))
	}
	for _, v := range []float64{0, math.Copysign(0, -1), 0.1, -1.5e300, math.MaxFloat64, math.SmallestNonzeroFloat64, math.Inf(1), math.Inf(-1), math.NaN()} {
		list = append(list, sampleOf(name(), v))
	}
	for _, v := range []string{"", " ", "0", "null", text, "\x00", "a\x00b", "\xff\xfe\xc3\x28", string(all), strings.Repeat("ä", 70_000)} {
		list = append(list, sampleOf(name(), v), sampleOf(name(), []byte(v)))
	}
	zone := time.FixedZone("somewhere", -(9*3600 + 30*60))
	now := time.Now().Round(0)
	for _, v := range []time.Time{{}, now.UTC(), now.In(zone), now.Local(), time.Unix(0, 1).UTC(), time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC),
		time.Date(-400, 2, 29, 0, 0, 0, 0, time.UTC)} {
		list = append(list, sampleOf(name(), v))
	}
	it := item{Name: text, Price: 0.1, Tags: []string{"", "b"}, Since: now.UTC(), Notes: map[string]string{"": "empty", "ключ": "x"}}
	it.More = map[string]*item{"one": {Name: "inner", Tags: []string{}, Notes: map[string]string{}}}
	return append(list,
		sampleOf(name(), int(-5)), sampleOf(name(), int8(-128)), sampleOf(name(), int16(math.MaxInt16)), sampleOf(name(), int32(math.MinInt32)),
		sampleOf(name(), uint(5)), sampleOf(name(), uint8(255)), sampleOf(name(), uint16(65535)), sampleOf(name(), uint32(math.MaxUint32)),
		sampleOf(name(), uint64(math.MaxUint64)), sampleOf(name(), float32(0.1)), sampleOf(name(), color("red")), sampleOf(name(), time.Minute),
		sampleOf(name(), it), sampleOf(name(), &it), sampleOf(name(), []item{it, it}), sampleOf(name(), item{}),
		sampleOf(name(), []string{}), sampleOf(name(), []string(nil)), sampleOf(name(), map[string]int{}), sampleOf(name(), map[string]int(nil)),
		sampleOf(name(), map[int]string{1: "one"}), sampleOf(name(), [3]int{1, 2, 3}), sampleOf(name(), []time.Time{now.UTC()}),
		sampleOf[any](name(), text), sampleOf[any](name(), int64(7)), sampleOf[any](name(), []any{"x", 1.5, nil, true, map[string]any{}}),
		sampleOf(name(), deep(session.MaxDepth)),
	)
}

func typesRoundTrip(a *app) {
	m := a.servers(2)
	list := samples()
	s := m[0].NewSession()
	for _, v := range list {
		a.need("Set", v.set(s))
	}
	check := func(s *session.Session, when string) {
		a.Helper()
		for _, v := range list {
			if err := v.check(s); err != nil {
				a.fail("%s: %v", when, err)
			}
		}
		if n := len(s.Names()); n < len(list) {
			a.fail("%s: the session has %d attributes, want %d", when, n, len(list))
		}
	}
	check(s, "before Save")
	a.save(s)
	check(s, "after Save")
	other := a.load(m[1], s.ID())
	check(other, "on another server")
	a.need("Save", a.setSave(other, colorKey, "red"))
	check(a.load(m[0], s.ID()), "after a save of another attribute")
	a.need("Renew", other.Renew(a.Context()))
	check(a.load(m[0], other.ID()), "after Renew")
}

func namesRoundTrip(a *app) {
	names := []string{
		"a", "A", "color", "Color", "COLOR", "color ", " color", "co lor", ".", "..", "a.b", "a/b", "a\\b", "$set", "$", "_session_id", "__class__",
		"a:b", "a=b", "a;b", "a,b", "'", "\"", "`", "--", "%s", "*", "[0]", "{x}", "\x00", "a\x00b", "\n", "\t", "0", "-1", "null", "true",
		"ключ", "日本語", "😀", "e\u0301", "\u00e9", "\ufffd", "\u202e", strings.Repeat("n", session.MaxName), strings.Repeat("ä", session.MaxName/2),
		"user.name", "user:ada", "expires", "version", "data", "index", "ix_user", "id",
	}
	m := a.servers(2)
	s := m[0].NewSession()
	for i, n := range names {
		a.need("Set", session.NewKey[int64](n).Set(s, int64(i)))
	}
	a.save(s)
	got := a.load(m[1], s.ID())
	if len(got.Names()) != len(names) {
		a.fail("%d attributes of different names became %d", len(names), len(got.Names()))
	}
	for i, n := range names {
		holds(a, got, session.NewKey[int64](n), int64(i))
		a.need("Delete", got.Delete(n))
		a.save(got)
		if has := a.load(m[0], s.ID()).Names(); len(has) != len(names)-i-1 {
			a.fatal("after %d attributes were deleted, %d of %d are left", i+1, len(has), len(names))
		}
	}
	fresh := m[0].NewSession()
	for _, n := range []string{"", strings.Repeat("n", session.MaxName+1), "a\xff", "\xc3\x28"} {
		if err := session.NewKey[string](n).Set(fresh, "x"); err == nil || fresh.Changed() {
			a.fail("the name %.20q is accepted", n)
		}
	}
}

func largeSession(a *app) {
	bytesKey := session.NewKey[[]byte]("bytes")
	m := a.servers(2)
	store := a.open()
	roundTrip := func(size int) *session.Session {
		a.Helper()
		want := make([]byte, size)
		for i := range min(size, 65_537) {
			want[i] = byte(i * i >> 3)
		}
		for n := 65_537; n < size; n *= 2 {
			copy(want[n:], want[:n])
		}
		s := m[0].NewSession()
		a.need("Set", bytesKey.Set(s, want))
		a.need(fmt.Sprintf("Save of %d bytes", size), s.Save(a.Context()))
		got, err := bytesKey.Get(a.load(m[1], s.ID()))
		if err != nil || !sameValue(got, want) {
			a.fail("an attribute of %d bytes reads back as %d other bytes (%v)", size, len(got), err)
		}
		return s
	}
	for _, size := range []int{1, 4095, 65_535, 65_536, a.few(1<<20, 0)} {
		roundTrip(size)
	}
	if !a.limits() {
		return
	}
	s := roundTrip(3 << 20)
	rec, _ := a.record(store, keyOf(s))
	most := session.MaxSize - (len(rec.Data) - 3<<20)
	s = roundTrip(most)
	if rec, _ := a.record(store, keyOf(s)); len(rec.Data) != session.MaxSize {
		a.fail("the largest session has %d bytes, want %d", len(rec.Data), session.MaxSize)
	}
	s = m[0].NewSession()
	a.need("Set", bytesKey.Set(s, make([]byte, most+1)))
	if err := s.Save(a.Context()); !errors.Is(err, session.ErrTooLarge) {
		a.fail("Save of a session that is a byte too large: %v, want ErrTooLarge", err)
	}
}

func tooLargeIsRefused(a *app) {
	if !a.limits() {
		a.Skip("left out with -short when its optional interfaces are hidden: it ran natively")
	}
	bytesKey, moreKey := session.NewKey[[]byte]("bytes"), session.NewKey[[]byte]("more")
	m, spy := a.spied()
	s := m.NewSession()
	a.need("Set", colorKey.Set(s, "red"))
	if err := bytesKey.Set(s, make([]byte, session.MaxSize)); !errors.Is(err, session.ErrTooLarge) {
		a.fail("Set of more than a session can hold: %v, want ErrTooLarge", err)
	}
	a.names(s, "color")
	a.need("Set", bytesKey.Set(s, make([]byte, 3<<20)))
	a.need("Set", moreKey.Set(s, make([]byte, 1<<20)))
	if err := s.Save(a.Context()); !errors.Is(err, session.ErrTooLarge) {
		a.fail("Save of more than a session can hold: %v, want ErrTooLarge", err)
	}
	if _, n := spy.counted(); n != 0 || s.Stored() {
		a.fail("a session that is too large reached the store")
	}
	a.need("Delete", moreKey.Delete(s))
	a.save(s)
	things, _ := a.things()

	a.need("Set", moreKey.Set(s, make([]byte, 1<<20)))
	a.need("Set", colorKey.Set(s, "blue"))
	for what, err := range map[string]error{
		"Save":  s.Save(a.Context()),
		"Renew": s.Renew(a.Context()),
		"Update": m.Update(a.Context(), s.ID(), func(s *session.Session) error {
			return errors.Join(moreKey.Set(s, make([]byte, 1<<20)), colorKey.Set(s, "blue"))
		}),
	} {
		if !errors.Is(err, session.ErrTooLarge) {
			a.fail("%s of more than a session can hold: %v, want ErrTooLarge", what, err)
		}
	}
	got := a.load(m, s.ID())
	a.names(got, "bytes", "color")
	holds(a, got, colorKey, "red")
	a.sameThings(things, "after changes that were too large")
}

func manyAttributes(a *app) {
	m := a.servers(2)
	s := m[0].NewSession()
	key := func(i int) session.Key[int64] { return session.NewKey[int64](fmt.Sprintf("attribute %05d", i)) }
	n := a.few(10_000, 1000)
	for i := range n {
		a.need("Set", key(i).Set(s, int64(i)))
	}
	a.save(s)
	got := a.load(m[1], s.ID())
	if len(got.Names()) != n {
		a.fail("%d attributes became %d", n, len(got.Names()))
	}
	for i := range n {
		holds(a, got, key(i), int64(i))
	}
	a.need("Delete", key(n/2).Delete(got))
	a.save(got)
	if k := len(a.load(m[0], s.ID()).Names()); k != n-1 {
		a.fail("after one of %d attributes was deleted, %d are left", n, k)
	}
	if !a.limits() {
		return
	}
	for i := range session.MaxAttributes + 1 {
		a.need("Set", key(i).Set(got, int64(i)))
	}
	if err := got.Save(a.Context()); !errors.Is(err, session.ErrTooLarge) {
		a.fail("Save of %d attributes: %v, want ErrTooLarge", session.MaxAttributes+1, err)
	}
	a.need("Delete", key(0).Delete(got))
	a.save(got)
}

func notStorableIsRefused(a *app) {
	m, spy := a.spied()
	s := m.NewSession()
	type ring struct{ Next *ring }
	loop := &ring{}
	loop.Next = loop
	for what, err := range map[string]error{
		"a channel":              session.NewKey[chan int]("x").Set(s, make(chan int)),
		"a function":             session.NewKey[func()]("x").Set(s, func() {}),
		"a complex number":       session.NewKey[complex128]("x").Set(s, 1),
		"a ring":                 session.NewKey[*ring]("x").Set(s, loop),
		"NaN in a list":          session.NewKey[[]float64]("x").Set(s, []float64{math.NaN()}),
		"invalid UTF-8 in a map": session.NewKey[map[string]string]("x").Set(s, map[string]string{"k": "\xff"}),
		"too deep a list":        session.NewKey[any]("x").Set(s, deep(session.MaxDepth+1)),
		"a map of channels":      session.NewKey[map[string]chan int]("x").Set(s, map[string]chan int{"k": nil}),
	} {
		var te *session.TypeError
		if !errors.As(err, &te) || te.Attribute != "x" {
			a.fail("Set of %s: %v, want a *TypeError that names the attribute", what, err)
		}
	}
	a.save(s)
	if _, n := spy.counted(); n != 0 || s.Changed() || len(s.Names()) != 0 {
		a.fail("values that cannot be stored reached the session or the store")
	}
	a.sameThings(0, "after values that cannot be stored")
}
