package file

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/websession/websession/session/driver"
)

var update = flag.Bool("update", false, "write testdata anew")

func sample() driver.Record {
	return driver.Record{
		Key:     "Zm9vYmFy-_0123",
		Data:    []byte("the data\x00\xff"),
		Expires: time.UnixMilli(1800000000123).UTC(),
		Index:   map[string]string{"user": "digest-1", "tenant": "digest_2"},
	}
}

func mustEncode(tb testing.TB, rec driver.Record) []byte {
	tb.Helper()
	b, _, err := encode(rec)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func TestRecordRoundTrip(t *testing.T) {
	long := strings.Repeat("x", driver.MaxKey)
	for name, rec := range map[string]driver.Record{
		"sample":        sample(),
		"never expires": {Key: "k", Data: []byte("d")},
		"no data":       {Key: "k", Expires: time.UnixMilli(0).UTC()},
		"before 1970":   {Key: "k", Expires: time.UnixMilli(-1).UTC()},
		"empty index":   {Key: "k", Index: map[string]string{}},
		"empty texts":   {Key: "k", Index: map[string]string{"": ""}},
		"longest":       {Key: long, Data: make([]byte, driver.MaxData), Index: map[string]string{"user": long}},
	} {
		h, got, err := parse(mustEncode(t, rec))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if string(h.key) != rec.Key || !bytes.Equal(got.Data, rec.Data) || got.Expires != rec.Expires {
			t.Errorf("%s: got another record", name)
		}
		if len(got.Index)+len(rec.Index) > 0 && !reflect.DeepEqual(got.Index, rec.Index) {
			t.Errorf("%s: got index %v", name, got.Index)
		}
	}
}

func TestVersionsNeverRepeat(t *testing.T) {
	seen := map[driver.Version]bool{}
	for range 1000 {
		_, v, _ := encode(sample())
		if v == "" || seen[v] {
			t.Fatalf("version %q again", v)
		}
		seen[v] = true
	}
}

// A file of the first format is read by every later release.
func TestGoldenRecord(t *testing.T) {
	path := filepath.Join("testdata", "record-v1")
	if *update {
		if err := os.WriteFile(path, mustEncode(t, sample()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	h, rec, err := parse(b)
	if err != nil {
		t.Fatal(err)
	}
	rec.Key = string(h.key)
	if !reflect.DeepEqual(rec, sample()) {
		t.Fatalf("got %+v", rec)
	}
	if v := h.Version(); len(v) != 32 || strings.Trim(string(v), "0123456789abcdef") != "" {
		t.Fatalf("version %q", v)
	}
}

// Every bit counts, and every byte.
func TestDamageIsFound(t *testing.T) {
	b := mustEncode(t, sample())
	for i := range 8 * len(b) {
		c := bytes.Clone(b)
		c[i/8] ^= 1 << (i % 8)
		if _, _, err := parse(c); !isDamage(err) {
			t.Fatalf("bit %d of byte %d flipped: %v", i%8, i/8, err)
		}
	}
	for n := range b {
		if _, _, err := parse(b[:n]); !isDamage(err) {
			t.Fatalf("cut to %d bytes: %v", n, err)
		}
	}
	if _, _, err := parse(append(bytes.Clone(b), 0)); err != errSize {
		t.Fatalf("one byte more: %v", err)
	}
}

// Lengths that lie, with checksums that are right, allocate nothing and panic
// nowhere.
func TestLyingLengths(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Log("seed", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	b := mustEncode(t, sample())
	head := fixedSize + len(sample().Key)
	n := 20_000
	if testing.Short() {
		n /= 10
	}
	for range n {
		c := bytes.Clone(b)
		for range 1 + r.IntN(3) {
			c[32+r.IntN(len(c)-32)] = byte(r.IntN(256)) >> r.IntN(8)
		}
		copy(c[head:], appendSum(bytes.Clone(c[:head]))[head:])
		body := len(c) - sumSize
		c = appendSum(c[:body])
		h, rec, err := parse(c)
		if err != nil && !isDamage(err) {
			t.Fatal(err)
		}
		if err == nil && (len(rec.Data) != h.data || len(h.key) == 0) {
			t.Fatal("accepted lengths that do not fit")
		}
	}
}

func TestFormatVersion(t *testing.T) {
	b := mustEncode(t, sample())
	b[7]++
	if _, _, err := parse(b); err != errFormat {
		t.Fatalf("got %v", err)
	}
}

func TestRefusedRecords(t *testing.T) {
	s, _ := fresh(t)
	create(t, s, record("k", "old"))
	long := strings.Repeat("x", 70000)
	for name, rec := range map[string]driver.Record{
		"no key":       record("", "new"),
		"long key":     record(strings.Repeat("k", driver.MaxKey+1), "new"),
		"large data":   {Key: "k", Data: make([]byte, driver.MaxData+1)},
		"long field":   {Key: "k", Index: map[string]string{long: "d"}},
		"long digest":  {Key: "k", Index: map[string]string{"f": long}},
		"large fields": {Key: "k", Index: map[string]string{long[:40000]: long[:40000]}},
	} {
		_, err := s.Create(context.Background(), rec)
		if !errors.Is(err, driver.ErrNotApplied) {
			t.Errorf("%s: %v", name, err)
		}
		mustHold(t, s, "k", "old")
	}
}

func FuzzRecord(f *testing.F) {
	f.Add(mustEncode(f, sample()))
	f.Add(mustEncode(f, driver.Record{Key: "k"}))
	f.Fuzz(func(t *testing.T, b []byte) {
		parseHeader(b[:min(len(b), maxHeader)], int64(len(b)))
		h, rec, err := parse(b)
		if err != nil {
			if !isDamage(err) {
				t.Fatal(err)
			}
			return
		}
		// What is accepted is written the same way, but for its version.
		rec.Key = string(h.key)
		again := mustEncode(t, rec)
		h2, rec2, err := parse(again)
		if err != nil || len(again) != len(b) {
			t.Fatalf("encoded again: %v", err)
		}
		rec2.Key = string(h2.key)
		if !reflect.DeepEqual(rec, rec2) {
			t.Fatalf("got %+v, want %+v", rec2, rec)
		}
	})
}
