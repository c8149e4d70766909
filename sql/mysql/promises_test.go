package mysql_test

import (
	"testing"

	"github.com/websession/websession/internal/workload"
)

// Two overlapping requests of one session that each set another attribute: both
// survive. Read committed and one conditional statement are enough.
func TestOverlappingSavesLoseNothing(t *testing.T) {
	workload.Overlap(t, "MySQL", place(t).Properties, workload.Scaled(5000))
}

// A session that was ended stays so, whatever a slow request saves.
func TestSlowSavesBringNothingBack(t *testing.T) {
	workload.SlowSaves(t, "MySQL", place(t).Properties, workload.Scaled(5000))
}

func TestUpdateLosesNothing(t *testing.T) {
	workload.ExactSum(t, "MySQL", place(t).Properties, workload.Scaled(50_000))
}
