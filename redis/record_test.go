package redis

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/internal/stored"
	"github.com/websession/websession/session/driver"
)

func sample() (value []byte, rec driver.Record, v driver.Version) {
	rec = driver.Record{
		Data: []byte("some data"), Expires: time.UnixMilli(1_900_000_000_123).UTC(),
		Index: map[string]string{"user": "dIgEst", "account": ""},
	}
	index, _ := stored.EncodeIndex(rec.Index)
	e := entries{until: time.UnixMilli(2_000_000_000_000), token: [8]byte{1, 2, 3}}
	s := newStamp(rec.Expires, e)
	return encode(s, index, rec.Data), rec, s.Version()
}

func TestRecordRoundTrips(t *testing.T) {
	value, rec, v := sample()
	got, gotV, err := decode(bytes.Clone(value))
	require.NoError(t, err)
	require.Equal(t, rec, got)
	require.Equal(t, v, gotV)
	require.Len(t, string(v), versionSize)
	e := entriesOf(v)
	require.Equal(t, int64(2_000_000_000_000), e.until.UnixMilli())
	require.Equal(t, [8]byte{1, 2, 3}, e.token)

	got, _, err = decode(encode(newStamp(time.Time{}, entries{}), nil, nil))
	require.NoError(t, err)
	require.True(t, got.Expires.IsZero())
	require.Nil(t, got.Index)
	require.Empty(t, got.Data)
}

// Whatever is cut off a value, or put behind it, and whatever other programs
// store: it is damage, and no panic.
func TestDamageIsNoticed(t *testing.T) {
	value, _, _ := sample()
	for n := range value {
		_, _, err := decode(bytes.Clone(value[:n]))
		require.ErrorIs(t, err, errDamage, "%d bytes", n)
	}
	_, _, err := decode(append(bytes.Clone(value), 0))
	require.ErrorIs(t, err, errDamage)
	for at := range headerSize + 20 { // lengths that lie
		b := bytes.Clone(value)
		b[at] ^= 0xff
		_, _, _ = decode(b)
	}
	for _, text := range []string{"", "null", "WSR1", "WSR2" + string(value[4:]), `{"a":1}`, string(make([]byte, 100))} {
		_, _, err := decode([]byte(text))
		require.ErrorIs(t, err, errDamage, "%q", text)
	}
}

func FuzzDecode(f *testing.F) {
	value, _, _ := sample()
	f.Add(value)
	f.Add(value[:60])
	f.Fuzz(func(t *testing.T, b []byte) {
		rec, v, err := decode(bytes.Clone(b))
		if err != nil {
			return
		}
		index, err := stored.EncodeIndex(rec.Index)
		require.NoError(t, err)
		var s stamp
		copy(s.version[:], v)
		s.expires = rec.Expires
		again, _, err := decode(encode(s, index, rec.Data))
		require.NoError(t, err)
		require.Equal(t, rec, again)
	})
}

// The time-to-live is the remaining life and the margin, rounded up, and never
// nothing.
func TestTimeToLive(t *testing.T) {
	now := time.UnixMilli(1000).Add(400 * time.Microsecond)
	require.Equal(t, "", ttl(time.Time{}, now))
	require.Equal(t, "65000", ttl(time.UnixMilli(6000), now))
	require.Equal(t, "1", ttl(time.UnixMilli(-1e9), now))
	require.Equal(t, "253402300859998", ttl(time.UnixMilli(253402300799999), time.UnixMilli(1)))
}

func TestGlobEscape(t *testing.T) {
	require.Equal(t, `a\*b\?c\[d\]e\\f:`, globEscape(`a*b?c[d]e\f:`))
}

func TestTrafficHasHysteresis(t *testing.T) {
	c := traffic{threshold: threshold{most: 3, least: 1}}
	for range 3 {
		require.False(t, c.enter())
	}
	require.True(t, c.enter(), "the fourth")
	c.leave()
	c.leave()
	c.leave()
	require.True(t, c.enter(), "two are in flight")
	c.leave()
	c.leave()
	require.False(t, c.enter(), "one is in flight")

	off := traffic{}
	for range 100 {
		require.False(t, off.enter())
	}
}

// A command that was withdrawn before it was written is never written.
func TestMark(t *testing.T) {
	args := []any{"SET", "k", "v"}
	m := newMark(args)
	require.Same(t, m, args[2])
	b, err := m.MarshalBinary()
	require.NoError(t, err)
	require.Equal(t, "v", string(b))
	require.False(t, m.withdraw())
	_, err = m.MarshalBinary() // to where a slot has moved
	require.NoError(t, err)

	m = newMark([]any{"SET", "k", "v"})
	require.True(t, m.withdraw())
	_, err = m.MarshalBinary()
	require.Error(t, err)
}

func TestPlanOfEntries(t *testing.T) {
	s := &Store{server: fake{}}
	rec := driver.Record{Key: "k", Index: map[string]string{"user": "u"}, Expires: time.Now().Add(8 * time.Hour)}
	first, err := s.begin("create", rec, "")
	require.NoError(t, err)
	require.True(t, first.late)
	require.Greater(t, first.life, (15 * time.Hour).Milliseconds())

	rec.Expires = rec.Expires.Add(7 * time.Hour)
	c, err := s.begin("touch", rec, first.stamp.Version())
	require.NoError(t, err)
	require.False(t, c.late, "the entries last longer than the record")
	require.Equal(t, entriesOf(first.stamp.Version()), entriesOf(c.stamp.Version()))

	rec.Expires = rec.Expires.Add(2 * time.Hour)
	c, err = s.begin("touch", rec, first.stamp.Version())
	require.NoError(t, err)
	require.True(t, c.late)

	for _, expires := range []time.Time{{}, time.UnixMilli(253402300799999), time.UnixMilli(1)} {
		rec.Expires = expires
		c, err = s.begin("create", rec, "")
		require.NoError(t, err)
		require.True(t, c.late)
		require.Positive(t, c.life)
		require.LessOrEqual(t, c.life, mostLife.Milliseconds())
		c, err = s.begin("touch", rec, c.stamp.Version())
		require.NoError(t, err)
		require.False(t, c.late, "of %v", expires)
	}
}

// decode answers the record in a value.
func decode(value []byte) (driver.Record, driver.Version, error) {
	return decodeBy(string(value), decodeIndex)
}
