package ledger

import (
	"bytes"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
)

// data are what the write number seq of a key stores: a line that says so, and
// bytes that follow from it, of many lengths.
func data(key string, seq int) []byte {
	h := fnv.New64a()
	h.Write([]byte(key))
	rng := rand.New(rand.NewPCG(h.Sum64(), uint64(seq)))
	size := rng.IntN(600)
	if rng.IntN(8) == 0 {
		size = rng.IntN(20_000)
	}
	b := fmt.Appendf(make([]byte, 0, size+64), "%s %d\n", key, seq)
	for range size {
		b = append(b, byte(rng.Uint32()))
	}
	return b
}

// number answers which write of a key stored b.
func number(key string, b []byte) (seq int, err error) {
	line, _, _ := bytes.Cut(b, []byte("\n"))
	var of string
	if n, _ := fmt.Sscanf(string(line), "%s %d", &of, &seq); n != 2 || of != key {
		return 0, fmt.Errorf("%s holds what nobody wrote: %.40q", key, b)
	}
	if !bytes.Equal(b, data(key, seq)) {
		return 0, fmt.Errorf("%s is torn: its write %d had %d bytes, it has %d, some of them others", key, seq, len(data(key, seq)), len(b))
	}
	return seq, nil
}
