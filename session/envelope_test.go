package session

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/session/driver"
)

func changesOf(t testing.TB, attrs map[string]any) *changeSet {
	c := &changeSet{}
	names := slices.Collect(maps.Keys(attrs))
	if len(names) > 1000 { // each that is set before others moves them
		slices.Sort(names)
	}
	for _, name := range names {
		raw, err := encodeValue(name, attrs[name])
		require.NoError(t, err)
		c.set(change{name: name, raw: raw})
	}
	return c
}

// encodeEnvelope answers base after c. What it was written as is what its bytes
// are read as.
func encodeEnvelope(key string, m meta, tags []writeTag, base *envelope, c *changeSet) ([]byte, error) {
	e := &envelope{meta: m}
	var flat []byte
	for _, tag := range tags {
		flat = append(flat, tag[:]...)
	}
	if err := e.encode(nil, key, flat, base, c); err != nil {
		return nil, err
	}
	if read, err := decodeEnvelope(key, e.data); err != nil {
		return nil, fmt.Errorf("what was written cannot be read: %w", err)
	} else if len(read.places) != len(e.places) || !slices.Equal(read.places, e.places) || read.first != e.first || read.meta != e.meta || !slices.Equal(read.tags(), e.tags()) {
		return nil, errors.New("what was written is read as something else")
	}
	return e.data, nil
}

func decodeEnvelope(key string, data []byte) (*envelope, error) {
	sum, ok := sumOfKey(key)
	if !ok {
		return nil, &corruptError{"record of another session"}
	}
	e := new(envelope)
	return e, e.decode(&sum, data)
}

var envelopeKey = digest("an id")

func encoded(t testing.TB, attrs map[string]any) []byte {
	b, err := encodeEnvelope(envelopeKey, meta{created: 1, deadline: 2, idle: 3, persistent: true}, []writeTag{{1}, {2}}, nil, changesOf(t, attrs))
	require.NoError(t, err)
	return b
}

// seal answers b with a checksum that matches.
func seal(b []byte) []byte {
	body := b[:len(b)-crc32.Size]
	return binary.BigEndian.AppendUint32(slices.Clone(body), crc32.Checksum(body, castagnoli))
}

func TestEnvelopeGolden(t *testing.T) {
	b := encoded(t, map[string]any{"uid": int64(7), "a": "x"})
	want := "0100" + hex.EncodeToString(mustKey(envelopeKey)) + "01" + "02" + "04" + "03" + "02" + "010000000000000000000000" + "020000000000000000000000" +
		"02" + "01" + "61" + "02" + "7378" + "03" + "756964" + "02" + "690e"
	require.Equal(t, want, hex.EncodeToString(b[:len(b)-4]))
	e, err := decodeEnvelope(envelopeKey, b)
	require.NoError(t, err)
	require.Equal(t, meta{created: 1, deadline: 2, idle: 3, persistent: true}, e.meta)
	require.Equal(t, []writeTag{{1}, {2}}, e.tags())
	require.Equal(t, "sx", string(e.lookup("a")))
	require.Nil(t, e.lookup("b"))
}

func mustKey(key string) []byte {
	b, err := base64.RawURLEncoding.DecodeString(key)
	if err != nil {
		panic(err)
	}
	return b
}

func TestEnvelopeIsChecked(t *testing.T) {
	good := encoded(t, map[string]any{"uid": int64(7), "name": "ada", "list": []int{1, 2}})
	for i := range good {
		_, err := decodeEnvelope(envelopeKey, good[:i])
		require.ErrorIs(t, err, ErrCorrupt, "truncated to %d", i)
		for bit := range 8 {
			bad := bytes.Clone(good)
			bad[i] ^= 1 << bit
			_, err := decodeEnvelope(envelopeKey, bad)
			require.ErrorIs(t, err, ErrCorrupt, "bit %d of byte %d", bit, i)
		}
	}
	_, err := decodeEnvelope(envelopeKey, append(bytes.Clone(good), 0))
	require.ErrorIs(t, err, ErrCorrupt)
	_, err = decodeEnvelope(digest("another id"), good)
	require.ErrorIs(t, err, ErrCorrupt, "a record that was copied to another session")
	for _, key := range []string{"", envelopeKey[1:], envelopeKey + "A", strings.Repeat("A", driver.MaxKey)} {
		_, err = decodeEnvelope(key, good)
		require.ErrorIs(t, err, ErrCorrupt, "a key that no session has")
	}

	// Malformed in spite of a checksum that matches.
	at := bytes.Index(good, []byte("\x04list"))
	for _, change := range []func(b []byte){
		func(b []byte) { b[0] = 2 },
		func(b []byte) { b[1] = 1 },
		func(b []byte) { b[34] |= 2 },
		func(b []byte) { b[38] = maxTags + 1 },
		func(b []byte) { b[at] = 0 },
		func(b []byte) { b[at+1] = 0xff },
		func(b []byte) { b[at+1] = 'z' },
		func(b []byte) { b[at-1] = 4 },
		func(b []byte) { b[at-1] = 2 },
	} {
		bad := bytes.Clone(good)
		change(bad)
		_, err := decodeEnvelope(envelopeKey, seal(bad))
		require.ErrorIs(t, err, ErrCorrupt)
	}
}

func TestEnvelopeLimits(t *testing.T) {
	many := make(map[string]any)
	for i := range MaxAttributes {
		many[fmt.Sprint(i)] = true
	}
	e, err := decodeEnvelope(envelopeKey, encoded(t, many))
	require.NoError(t, err)
	require.Len(t, e.places, MaxAttributes)
	many["one more"] = true
	_, err = encodeEnvelope(envelopeKey, meta{}, nil, nil, changesOf(t, many))
	require.ErrorIs(t, err, ErrTooLarge)
	_, err = encodeEnvelope(envelopeKey, meta{}, nil, nil, changesOf(t, map[string]any{"a": strings.Repeat("x", MaxSize)}))
	require.ErrorIs(t, err, ErrTooLarge)
}

// Decoding what a hostile store answers allocates at most 64 KiB plus four
// times its size.
func TestEnvelopeAllocatesLittle(t *testing.T) {
	many := make(map[string]any)
	for i := range MaxAttributes {
		many[string(rune(i+0x100))] = true
	}
	huge := encoded(t, map[string]any{"a": strings.Repeat("x", 1<<20)})
	lie := encoded(t, map[string]any{"a": true})
	at := bytes.Index(lie, []byte("\x01a"))
	lie = seal(append(binary.AppendUvarint(bytes.Clone(lie[:at-1]), MaxAttributes), lie[at:]...))
	for name, data := range map[string][]byte{"many attributes": encoded(t, many), "large attribute": huge, "a lie about the count": lie} {
		most := uint64(64<<10 + 4*len(data))
		require.LessOrEqual(t, allocated(most, func() { decodeEnvelope(envelopeKey, data) }), most, name)
	}
}

// allocated answers the bytes that fn allocates, at most so much if one of some
// runs shows that: other goroutines allocate too.
func allocated(most uint64, fn func()) (n uint64) {
	for range 5 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		fn()
		runtime.ReadMemStats(&after)
		if n = after.TotalAlloc - before.TotalAlloc; n <= most {
			break
		}
	}
	return n
}

// FuzzEnvelope decodes bytes with a checksum that matches. It neither panics nor
// accepts what it would not write itself.
func FuzzEnvelope(f *testing.F) {
	f.Add(encoded(f, nil))
	f.Add(encoded(f, map[string]any{"uid": int64(7), "a": "x", "f": 1.5, "t": true, "j": []int{1}}))
	f.Add([]byte{})
	for _, sample := range goldenSamples() {
		f.Add(sample.encode(f))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) >= minEnvelope {
			copy(data[2:], mustKey(envelopeKey))
			data = seal(data)
		}
		var e *envelope
		var err error
		most := uint64(64<<10 + 4*len(data))
		if n := allocated(most, func() { e, err = decodeEnvelope(envelopeKey, data) }); n > most {
			t.Fatalf("decoding %d bytes allocated %d", len(data), n)
		}
		if err != nil {
			return
		}
		for i := range e.places {
			a := attribute{raw: e.valueAt(i)}
			var v any
			_ = a.decode("a", &v)
			var s string
			_ = a.decode("a", &s)
		}
		again, err := encodeEnvelope(envelopeKey, e.meta, e.tags(), e, &changeSet{})
		if err != nil {
			t.Fatal(err)
		}
		e2, err := decodeEnvelope(envelopeKey, again)
		if err != nil || len(e2.places) != len(e.places) {
			t.Fatalf("what was written again cannot be read: %v", err)
		}
	})
}

// The merge of change sets is that of maps.
func TestMergeIsThatOfMaps(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	var env *envelope
	want := map[string]string{}
	for range 2000 {
		c := &changeSet{clear: rng.IntN(20) == 0}
		if c.clear {
			clear(want)
		}
		for range rng.IntN(6) {
			name := fmt.Sprint("a", rng.IntN(30))
			if rng.IntN(3) == 0 {
				c.set(change{name: name})
				delete(want, name)
			} else {
				v := fmt.Sprint(rng.Uint32())
				c.set(change{name: name, raw: []byte("s" + v)})
				want[name] = v
			}
		}
		b, err := encodeEnvelope(envelopeKey, meta{}, nil, env, c)
		require.NoError(t, err)
		env, err = decodeEnvelope(envelopeKey, b)
		require.NoError(t, err)
		require.Len(t, env.places, len(want))
		for name, v := range want {
			require.Equal(t, "s"+v, string(env.lookup(name)))
		}
	}
}
