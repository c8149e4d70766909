package redis_test

import (
	"testing"

	"github.com/websession/websession/internal/workload"
	"github.com/websession/websession/session"
)

var (
	full, scaled, zero, seeded = workload.Full, workload.Scaled, workload.Zero, workload.Seeded

	manager, newSession, load = workload.Manager, workload.NewSession, workload.Load

	count, left = workload.Count, workload.Left
)

// forgetful is a Manager that does not refuse the sessions it ended: what is
// proven with it is proven of the store.
var forgetful = session.Options{RefuseEnded: session.NoLimit}

// Two overlapping requests of one session that each set another attribute: both
// survive. It says nothing about servers that die; TestFailovers does.
func TestOverlappingSavesLoseNothing(t *testing.T) {
	for _, c := range classes {
		t.Run(c.driver.Class().Name, func(t *testing.T) {
			workload.Overlap(t, c.driver.Class().Name, c.place(t).Properties, scaled(10_000))
		})
	}
}

// A session that was ended stays so, whatever a slow request saves.
func TestSlowSavesBringNothingBack(t *testing.T) {
	for _, c := range classes {
		t.Run(c.driver.Class().Name, func(t *testing.T) {
			workload.SlowSaves(t, c.driver.Class().Name, c.place(t).Properties, scaled(10_000))
		})
	}
}
