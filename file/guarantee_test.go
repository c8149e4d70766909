package file

import (
	"context"
	"strings"
	"testing"
)

// What Ping guarantees is what the durability and the medium are for; TestPowerCut
// and TestKilledWhileWriting show it.
func TestGuarantee(t *testing.T) {
	for _, c := range []struct {
		durability Durability
		kind       mediumKind
		want       string
	}{
		{DurabilityFull, local, "A kill of the application loses nothing that was answered. Nor does a power cut."},
		{DurabilityFile, local, "A power cut may put sessions back to an older state, whole; no logout that was answered is undone."},
		{DurabilityNone, local, "A power cut may lose or damage sessions; no logout that was answered is undone."},
		{DurabilityFull, memory, "nothing survives a power cut"},
		{DurabilityFull, network, "Nothing is guaranteed on a network file system."},
		{DurabilityFull, maybeShared, "Nor does a power cut. That holds if no other machine uses the file system."},
	} {
		if got := guarantee(c.durability, c.kind); !strings.Contains(got, c.want) {
			t.Errorf("durability %s, medium %d: %q", c.durability, c.kind, got)
		}
	}
	for _, d := range []Durability{DurabilityNone, DurabilityFile, DurabilityFull} {
		s := newStore(t, quickDir(t), d)
		info, err := s.Ping(context.Background())
		if want := guarantee(d, s.medium().kind); err != nil || info.Guarantee != want {
			t.Errorf("durability %s: %q, not %q: %v", d, info.Guarantee, want, err)
		}
	}
}
