package session_test

import (
	"encoding/json"
	"errors"
	"math"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/session"
	"github.com/websession/websession/session/memory"
)

// roundTrip stores v and answers what another request reads.
func roundTrip[T any](t *testing.T, v T) T {
	t.Helper()
	m := newManager(t, memory.New(), nil)
	k := session.NewKey[T]("k")
	s := m.NewSession()
	require.NoError(t, k.Set(s, v))
	before, err := k.Get(s)
	require.NoError(t, err)
	require.NoError(t, s.Save(t.Context()))
	after, err := k.Get(load(t, m, s.ID()))
	require.NoError(t, err)
	if b, isFloat := any(before).(float64); !isFloat || !math.IsNaN(b) {
		require.Equal(t, before, after, "a value reads the same before and after it is stored")
	}
	return after
}

func same[T any](t *testing.T, v T) {
	t.Helper()
	require.Equal(t, v, roundTrip(t, v))
}

type (
	userID int64
	named  string
	cart   struct {
		Items []string
		Total float64
		When  time.Time
	}
	unsaveable struct{ C chan int }
)

func TestValuesReadBackAsTheyWereWritten(t *testing.T) {
	same(t, "")
	same(t, "a\x00b\xff\xfe invalid UTF-8, ünïcode, \U0001F600")
	same(t, []byte{})
	same(t, []byte{0, 255, 1})
	same(t, true)
	same(t, false)
	same(t, int(-7))
	same(t, int64(math.MinInt64))
	same(t, int64(math.MaxInt64))
	same(t, uint64(math.MaxUint64))
	same(t, int8(-128))
	same(t, uint16(65535))
	same(t, float32(1.5))
	same(t, 0.1)
	same(t, math.Inf(-1))
	require.True(t, math.IsNaN(roundTrip(t, math.NaN())))
	same(t, userID(7))
	same(t, named("x"))
	same(t, time.Duration(1500))
	same(t, netip.MustParseAddr("::1"))
	same(t, map[string]int{"a": 1})
	same(t, map[string]int{})
	same(t, []string(nil))
	same(t, []cart{{Items: []string{"<a>", "\U0001F600"}, Total: 1.25, When: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)}})
	same(t, json.RawMessage(`{"a":[1,2]}`))

	zone := time.FixedZone("", 5*3600+1800)
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, zone)
	got := roundTrip(t, at)
	require.True(t, at.Equal(got))
	_, offset := got.Zone()
	require.Equal(t, 5*3600+1800, offset)

	n := int64(7)
	require.Equal(t, n, *roundTrip(t, &n))
	require.Equal(t, "x", roundTrip[any](t, "x"))
	require.Equal(t, int64(3), roundTrip[any](t, 3))
}

func TestNilDeletes(t *testing.T) {
	m := newManager(t, memory.New(), nil)
	s := stored(t, m)
	require.NoError(t, session.NewKey[*int]("count").Set(s, nil))
	require.False(t, s.Has("count"))
	require.NoError(t, session.NewKey[any]("other").Set(s, nil))
	require.False(t, s.Has("other"))
}

func TestTypesAreChecked(t *testing.T) {
	m := newManager(t, memory.New(), nil)
	s := stored(t, m)
	require.NoError(t, color.Set(s, "red"))
	var typeError *session.TypeError
	_, err := session.NewKey[int]("color").Get(s)
	require.ErrorAs(t, err, &typeError)
	require.Equal(t, `session attribute "color" is a string, not a int`, err.Error())
	require.Equal(t, 5, session.NewKey[int]("color").GetOr(s, 5))
	_, err = session.NewKey[cart]("count").Get(s)
	require.ErrorAs(t, err, &typeError)
	require.NoError(t, count.Set(s, 300))
	_, err = session.NewKey[int8]("count").Get(s)
	require.ErrorAs(t, err, &typeError, "it does not fit")
	v, err := session.NewKey[uint16]("count").Get(s)
	require.NoError(t, err)
	require.EqualValues(t, 300, v)
	_, err = session.NewKey[string]("absent").Get(s)
	require.ErrorIs(t, err, session.ErrNoValue)

	for _, err := range []error{
		session.NewKey[any]("k").Set(s, make(chan int)),
		session.NewKey[unsaveable]("k").Set(s, unsaveable{}),
		session.NewKey[[]float64]("k").Set(s, []float64{math.NaN()}),
		session.NewKey[[]string]("k").Set(s, []string{"\xff"}),
		session.NewKey[json.RawMessage]("k").Set(s, json.RawMessage(strings.Repeat("[", 33)+strings.Repeat("]", 33))),
		session.NewKey[[]string]("user").Set(s, []string{"indexed"}),
	} {
		require.ErrorAs(t, err, &typeError)
	}
	require.False(t, s.Has("k"))
	require.NoError(t, session.NewKey[[]string]("k").Set(s, []string{`\ufffd and \\ufffd`, "\ufffd"}), "what only looks like damage is stored")
	require.NoError(t, session.NewKey[json.RawMessage]("k").Set(s, json.RawMessage(strings.Repeat("[", 32)+strings.Repeat("]", 32))))

	require.ErrorIs(t, color.Set(s, strings.Repeat("x", session.MaxSize)), session.ErrTooLarge)
	for _, name := range []string{"", "\xff", strings.Repeat("n", session.MaxName+1)} {
		require.Error(t, session.NewKey[int](name).Set(s, 1))
	}
}

func TestValuesAreCopies(t *testing.T) {
	m := newManager(t, memory.New(), nil)
	k := session.NewKey[map[string]int]("k")
	b := session.NewKey[[]byte]("b")
	s := m.NewSession()
	in, bytes := map[string]int{"a": 1}, []byte("abc")
	require.NoError(t, k.Set(s, in))
	require.NoError(t, b.Set(s, bytes))
	in["a"], bytes[0] = 2, 'X'
	require.Equal(t, map[string]int{"a": 1}, k.GetOr(s, nil))
	require.Equal(t, []byte("abc"), b.GetOr(s, nil))
	require.NoError(t, s.Save(t.Context()))
	out := b.GetOr(s, nil)
	out[0] = 'X'
	require.Equal(t, []byte("abc"), b.GetOr(s, nil))
}

func TestPop(t *testing.T) {
	m := newManager(t, memory.New(), nil)
	s := stored(t, m)
	n, err := count.Pop(s)
	require.NoError(t, err)
	require.EqualValues(t, 1, n)
	_, err = count.Pop(s)
	require.ErrorIs(t, err, session.ErrNoValue)
	require.NoError(t, s.Save(t.Context()))
	require.False(t, load(t, m, s.ID()).Has("count"))
}

// The rules by which changes of one attribute add up.
func TestChangesAddUp(t *testing.T) {
	for _, tc := range []struct {
		name   string
		do     func(s *session.Session) error
		writes bool
		want   []string
	}{
		{"nothing", func(s *session.Session) error { return nil }, false, []string{"count"}},
		{"remove what is absent", func(s *session.Session) error { return color.Delete(s) }, false, []string{"count"}},
		{"add, remove", func(s *session.Session) error {
			return errors.Join(color.Set(s, "red"), color.Delete(s))
		}, false, []string{"count"}},
		{"add, change", func(s *session.Session) error {
			return errors.Join(color.Set(s, "red"), color.Set(s, "blue"))
		}, true, []string{"color", "count"}},
		{"change, remove", func(s *session.Session) error {
			return errors.Join(count.Set(s, 2), count.Delete(s))
		}, true, nil},
		{"remove, add", func(s *session.Session) error {
			return errors.Join(count.Delete(s), count.Set(s, 2))
		}, true, []string{"count"}},
		{"clear, add", func(s *session.Session) error {
			return errors.Join(s.Clear(), color.Set(s, "red"))
		}, true, []string{"color"}},
		{"add, clear", func(s *session.Session) error {
			return errors.Join(color.Set(s, "red"), s.Clear())
		}, true, nil},
		{"clear, add, remove", func(s *session.Session) error {
			return errors.Join(s.Clear(), count.Set(s, 3), count.Delete(s))
		}, true, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			store := newScripted()
			m := newManager(t, store, nil)
			s := load(t, m, stored(t, m).ID())
			store.reset()
			require.NoError(t, tc.do(s))
			require.Equal(t, tc.want, s.Names())
			require.NoError(t, s.Save(t.Context()))
			require.NoError(t, s.Save(t.Context()))
			if tc.writes {
				require.Equal(t, []string{"replace"}, store.made(), "one write, however often it is saved")
			} else {
				require.Empty(t, store.made())
			}
			require.Equal(t, tc.want, load(t, m, s.ID()).Names())
		})
	}
	store := newScripted()
	m := newManager(t, store, nil)
	s := m.NewSession()
	require.NoError(t, color.Set(s, "red"))
	require.NoError(t, s.Clear())
	require.NoError(t, s.Save(t.Context()))
	require.Empty(t, store.made(), "an empty new session is not stored")
}

// Zones had offsets with seconds once. Such a time keeps its instant.
func TestTimesWithSecondsInTheirOffset(t *testing.T) {
	for _, offset := range []int{-(17*60 + 30), 17*60 + 30, -1, 1} {
		was := time.Date(1911, 3, 10, 23, 0, 0, 0, time.FixedZone("", offset))
		is := roundTrip(t, was)
		require.True(t, was.Equal(is))
		if _, got := is.Zone(); offset < 0 {
			require.Equal(t, time.UTC, is.Location())
		} else {
			require.Equal(t, offset, got)
		}
	}
}
