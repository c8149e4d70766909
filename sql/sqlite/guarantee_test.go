package sqlite_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/sql/sqlite"
)

// What Ping guarantees is what synchronous is for; TestPowerCut and
// TestKilledWhileWriting show it.
func TestGuarantee(t *testing.T) {
	for level, want := range map[sqlite.Synchronous]string{
		sqlite.Full:   "A kill of the application loses nothing that was answered. Nor does a power cut.",
		sqlite.Normal: "A kill of the application loses nothing that was answered. A power cut may lose the last writes, logouts among them; the database stays whole.",
	} {
		info, err := newStore(t, fresh(t), options(level)).Ping(ctx)
		require.NoError(t, err)
		require.Equal(t, want, info.Guarantee)
	}
}
