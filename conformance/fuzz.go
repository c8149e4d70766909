package conformance

import (
	"encoding/binary"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/websession/websession/session/driver"
)

// Fuzz makes the requests that the fuzzer's bytes stand for to sessions on the
// driver's store and on session/memory, and fails when the two behave
// differently. It is the same engine that Run drives at random; the fuzzer looks
// for requests that reach new code.
//
//	func FuzzConformance(f *testing.F) { conformance.Fuzz(f, bolt.Driver{}, env) }
func Fuzz(f *testing.F, d driver.Driver, env Env) {
	for seed := range uint64(4) {
		rng := rand.New(rand.NewPCG(seed, 0))
		requests := make([]byte, 256)
		for i := range requests {
			requests[i] = byte(rng.Uint32())
		}
		f.Add(requests)
	}
	f.Fuzz(func(t *testing.T, requests []byte) {
		p := newPlace(t, d, env, false, 1)
		p.why = "an application that was tested on one store must behave so on every other one"
		a := newApp(p)
		store := a.open()
		mo := newModel(a, store, supported{a.has("Purger"), a.has("Search"), a.has("Scanner")}, 1)
		source := &byteSource{requests, rand.NewPCG(1, 1)}
		mo.rng = rand.New(source)
		for n := 0; n < maxFuzzRequests && len(source.bytes) > 0; n++ {
			if !mo.step(n) {
				t.Logf("the requests were:\n%s", strings.Join(mo.log, "\n"))
				return
			}
		}
		mo.close()
	})
}

// maxFuzzRequests bounds the time that one input takes.
const maxFuzzRequests = 200

// byteSource is a source of random numbers that are not random: two bytes each,
// spread over the number, so that the fuzzer sees what a byte does. When the
// bytes are used up it goes on with numbers of a fixed seed, because drawing from
// a range may reject a number, and rejects a constant for ever.
type byteSource struct {
	bytes []byte
	rest  *rand.PCG
}

func (s *byteSource) Uint64() uint64 {
	if len(s.bytes) < 2 {
		s.bytes = nil
		return s.rest.Uint64()
	}
	n := binary.BigEndian.Uint16(s.bytes)
	s.bytes = s.bytes[2:]
	return uint64(n) * 0x0001000100010001
}
