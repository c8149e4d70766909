package session

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Golden envelopes are sessions as releases of this package wrote them, in
// testdata/golden: vN-what.envelope is the record in format version N, and
// vN-what.json says what is in it. A file that was released is never changed.
//
// Whoever raises envelopeVersion runs go test ./session -run Golden -golden.write,
// which writes the files of the new version and overwrites none.

var goldenWrite = flag.Bool("golden.write", false, "write the golden envelopes of the present format version that are not there")

// golden is the content of an envelope, for people.
type golden struct {
	Version    int
	Key        string
	Created    string
	Deadline   string
	Idle       string
	Persistent bool
	Tags       []string
	Attributes map[string]string
}

// goldenSample is what a golden envelope is made of.
type goldenSample struct {
	meta  meta
	tags  []writeTag
	attrs map[string]any
}

func goldenSamples() map[string]goldenSample {
	type item struct {
		Name  string
		Price float64
		Tags  []string          `json:"tags"`
		Notes map[string]string `json:",omitempty"`
	}
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	deep := any("bottom")
	for range MaxDepth {
		deep = []any{deep}
	}
	many := make(map[string]any)
	for i := range 300 {
		many[fmt.Sprint("attribute ", i)] = int64(i)
	}
	tag := func(writer, mutation byte) writeTag {
		return writeTag{writer, 0xfe, 3, 4, 5, 6, 7, 8, 0, 0, 1, mutation}
	}
	var tags []writeTag
	for i := range byte(maxTags) {
		tags = append(tags, tag(i, 255-i))
	}
	noon := time.Date(2026, 7, 31, 12, 0, 0, 123456789, time.UTC)
	plain := meta{created: noon.UnixMilli(), deadline: noon.UnixMilli() + 7*86400_000}
	one := tags[:1]
	return map[string]goldenSample{
		"no-attributes": {meta: plain, tags: one},
		"no-tags":       {meta: plain, attrs: map[string]any{"color": "red"}},
		"tags-full":     {plain, tags, map[string]any{"color": "red"}},
		"persistent":    {meta{created: plain.created, deadline: plain.deadline, persistent: true}, one, map[string]any{"color": "red"}},
		"no-deadline":   {meta{created: plain.created}, one, map[string]any{"color": "red"}},
		"own-idle":      {meta{created: plain.created, deadline: plain.deadline, idle: 90_500}, one, map[string]any{"color": "red"}},
		"far-deadlines": {meta{created: 1, deadline: maxMilli, idle: maxLife.Milliseconds(), persistent: true}, one, map[string]any{"color": "red"}},
		"texts": {plain, one, map[string]any{
			"empty": "", "text": "tab\t \"quote\" <&> Ünïcødé 日本語 😀", "nul": "a\x00b", "invalid UTF-8": "\xff\xfe",
			"bytes": all, "no bytes": []byte{},
		}},
		"numbers": {plain, one, map[string]any{
			"true": true, "false": false,
			"int64 0": int64(0), "int64 -1": int64(-1), "int64 63": int64(63), "int64 64": int64(64),
			"int64 max": int64(math.MaxInt64), "int64 min": int64(math.MinInt64), "int": 7, "int8": int8(-128), "duration": time.Minute,
			"uint64 0": uint64(0), "uint64 max": uint64(math.MaxUint64), "uint8": uint8(255),
			"float64": 0.1, "float64 -0": math.Copysign(0, -1), "float64 max": math.MaxFloat64, "float64 +Inf": math.Inf(1),
			"float64 NaN": math.Float64frombits(0x7ff8000000000001), "float32": float32(0.5),
		}},
		"times": {plain, one, map[string]any{
			"UTC": noon, "zone": noon.In(time.FixedZone("", 5*3600+1800)), "zone of seconds": noon.In(time.FixedZone("", 17*60+30)),
			"1970": time.Unix(0, 0).UTC(), "zero": time.Time{}, "year 9999": time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC),
		}},
		"composites": {plain, one, map[string]any{
			"struct": item{"<pen> & \u2028", 1.5, []string{"a", ""}, map[string]string{"ключ": "x"}}, "list": []any{"x", 1.5, nil, true, map[string]any{}},
			"no list": []string(nil), "empty list": []int{}, "map": map[int]string{2: "two", 1: "one"}, "deep": deep,
		}},
		"names": {plain, one, map[string]any{
			"a": true, "A": true, " ": true, "a.b": true, "\x00": true, "ключ": true, "😀": true, "e\u0301": true, "\u00e9": true,
			strings.Repeat("n", 127): true, strings.Repeat("n", 128): true, strings.Repeat("n", MaxName): true,
		}},
		"lengths": {plain, one, map[string]any{
			"126": strings.Repeat("x", 126), "127": strings.Repeat("x", 127), "16382": strings.Repeat("x", 16382), "16383": strings.Repeat("x", 16383),
		}},
		"many": {plain, one, many},
	}
}

// encode answers the envelope of the present version.
func (g goldenSample) encode(t testing.TB) []byte {
	b, err := encodeEnvelope(envelopeKey, g.meta, g.tags, nil, changesOf(t, g.attrs))
	require.NoError(t, err)
	return b
}

// describe answers what is in an envelope.
func describe(t *testing.T, data []byte) golden {
	t.Helper()
	e, err := decodeEnvelope(envelopeKey, data)
	require.NoError(t, err, "what a release wrote must be read by all later ones")
	when := func(ms int64) string {
		if ms == 0 {
			return ""
		}
		return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z")
	}
	g := golden{
		Version: int(data[0]), Key: envelopeKey, Created: when(e.created), Deadline: when(e.deadline),
		Persistent: e.persistent, Tags: []string{}, Attributes: make(map[string]string),
	}
	if e.idle != 0 {
		g.Idle = (time.Duration(e.idle) * time.Millisecond).String()
	}
	for _, tag := range e.tags() {
		g.Tags = append(g.Tags, hex.EncodeToString(tag[:]))
	}
	for i := range e.places {
		name := string(e.nameAt(i))
		require.Equal(t, e.valueAt(i), e.lookup(name))
		g.Attributes[name] = describeValue(t, e.valueAt(i))
	}
	return g
}

func describeValue(t *testing.T, raw []byte) string {
	t.Helper()
	v, err := attribute{raw: raw}.any()
	require.NoError(t, err)
	var text string
	switch v := v.(type) {
	case string:
		text = strconv.QuoteToASCII(v)
	case []byte:
		text = hex.EncodeToString(v)
	case float64:
		text = fmt.Sprintf("%v 0x%016x", v, math.Float64bits(v))
	case time.Time:
		_, offset := v.Zone()
		text = fmt.Sprintf("%s offset %d s", v.UTC().Format(time.RFC3339Nano), offset)
	case bool, int64, uint64:
		text = fmt.Sprint(v)
	default:
		b, err := json.Marshal(v)
		require.NoError(t, err)
		text = string(b)
	}
	if len(text) > 1000 {
		text = fmt.Sprintf("%.20s... (%d characters, SHA-256 %x)", text, len(text), sha256.Sum256([]byte(text)))
	}
	return kindOf(raw) + " " + text
}

func goldenPath(version int, name, ext string) string {
	return filepath.Join("testdata", "golden", fmt.Sprintf("v%d-%s%s", version, name, ext))
}

// TestGoldenEnvelopesAreWritten: the format does not change unless its version
// does, since servers of two releases share a store.
func TestGoldenEnvelopesAreWritten(t *testing.T) {
	var missing []string
	for name, sample := range goldenSamples() {
		got := sample.encode(t)
		path := goldenPath(envelopeVersion, name, ".envelope")
		want, err := os.ReadFile(path)
		if os.IsNotExist(err) {
			if missing = append(missing, path); *goldenWrite {
				writeGolden(t, name, got)
			}
			continue
		}
		require.NoError(t, err)
		if !bytes.Equal(got, want) {
			t.Errorf("%s: the same session is written as other bytes than by the releases of format version %d.\n"+
				"If that is on purpose, raise envelopeVersion, and keep reading the former one.\ngot  %x\nwant %x", path, envelopeVersion, got, want)
		}
	}
	if len(missing) > 0 && !*goldenWrite {
		slices.Sort(missing)
		t.Errorf("envelopeVersion is %d, and %d golden envelopes of it are missing: %v.\nRun go test ./session -run Golden -golden.write, "+
			"and keep those of the versions before: sessions that they wrote are in stores.", envelopeVersion, len(missing), missing)
	}
}

// writeGolden writes an envelope, and beside it what is in it.
func writeGolden(t *testing.T, name string, data []byte) {
	t.Helper()
	text, err := json.MarshalIndent(describe(t, data), "", "\t")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(goldenPath(envelopeVersion, name, ".json"), append(text, '\n'), 0o644))
	require.NoError(t, os.WriteFile(goldenPath(envelopeVersion, name, ".envelope"), data, 0o644))
}

// TestGoldenEnvelopesAreRead: a session that any release stored is the same
// session to this one.
func TestGoldenEnvelopesAreRead(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "golden", "*"))
	require.NoError(t, err)
	seen := make(map[int]int)
	for _, file := range files {
		base, ext := strings.TrimSuffix(file, filepath.Ext(file)), filepath.Ext(file)
		if ext == ".json" {
			require.FileExists(t, base+".envelope", "%s describes nothing", file)
			continue
		}
		t.Run(filepath.Base(base), func(t *testing.T) {
			require.Equal(t, ".envelope", ext)
			data, err := os.ReadFile(file)
			require.NoError(t, err)
			var version int
			var name string
			_, err = fmt.Sscanf(filepath.Base(base), "v%d-%s", &version, &name)
			require.NoError(t, err)
			require.Equal(t, version, int(data[0]), "the format version")
			seen[version]++

			text, err := os.ReadFile(base + ".json")
			require.NoError(t, err, "what is in it?")
			var want golden
			require.NoError(t, json.Unmarshal(text, &want))
			require.Equal(t, want, describe(t, data))
		})
	}
	for version := 1; version <= envelopeVersion; version++ {
		require.NotZero(t, seen[version], "there is no golden envelope of format version %d: what it wrote must be readable for ever", version)
		delete(seen, version)
	}
	require.Empty(t, seen, "golden envelopes of format versions that this package does not write")
}
