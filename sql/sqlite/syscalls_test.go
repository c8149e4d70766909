//go:build linux

package sqlite_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/internal/lyingdisk/syscalls"
	"github.com/websession/websession/session/driver"
	"github.com/websession/websession/sql/sqlite"
)

func init() { children["steps"] = childSteps }

// childSteps writes and deletes a record, with a mark before and after each
// step, and much between two of them, so that the journal comes to its end and
// begins anew: path, synchronous.
func childSteps(args []string) error {
	s, err := sqlite.New(args[0], options(sqlite.Synchronous(args[1])))
	if err != nil {
		return err
	}
	defer s.Close()
	var v driver.Version
	steps := []func() error{
		func() error { v, err = s.Create(ctx, record("k", "one")); return err },
		func() error { v, err = s.Replace(ctx, record("k", "two"), v); return err },
	}
	for i := range 30 {
		steps = append(steps, func() error {
			v, err = s.Replace(ctx, record("k", strings.Repeat(string(rune('a'+i)), 200_000)), v)
			return err
		})
	}
	steps = append(steps,
		func() error { return s.Delete(ctx, record("k", ""), v) },
		func() error { v, err = s.Create(ctx, record("k", "three")); return err },
		func() error { return s.Delete(ctx, record("k", ""), "") })
	for _, f := range steps {
		if err := syscalls.Mark("begin"); err != nil {
			return err
		}
		if err := f(); err != nil {
			return err
		}
		if err := syscalls.Mark("end"); err != nil {
			return err
		}
	}
	return nil
}

const (
	traceDB  = "sessions.db"
	traceWAL = traceDB + "-wal"
)

// ordered reports where calls break the order that keeps what was answered.
func ordered(calls []syscalls.Call) error {
	state := syscalls.NewState()
	begun, written, head := false, false, false // head: the first bytes of the journal are not on the disk
	for i, c := range calls {
		wrong := ""
		switch {
		case c.Name == "mark" && c.Path == "begin":
			begun, written = true, false
		case c.Name == "mark" && !written:
			wrong = "it is answered before it is in the journal"
		case c.Name == "mark" && state.Dirty(traceWAL):
			wrong = "it is answered before the journal is on the disk"
		case c.Name == "mark" && (state.Pending(traceDB) || state.Pending(traceWAL)):
			wrong = "it is answered before the names of the files are on the disk"
		case begun && c.Name == "write" && c.Path == traceDB && state.Dirty(traceWAL):
			wrong = "the database is written from a journal that is not on the disk"
		case begun && c.Name == "write" && c.Path == traceWAL && c.Offset == 0 && state.Dirty(traceDB):
			wrong = "the journal begins anew, and the database is not on the disk"
		case begun && c.Name == "write" && c.Path == traceWAL && c.Offset > 0 && head:
			wrong = "the journal goes on behind a beginning that is not on the disk"
		case c.Name == "write" && c.Path == traceWAL:
			written, head = true, c.Offset == 0
		case c.Name == "sync" && c.Path == traceWAL:
			head = false
		}
		if wrong != "" {
			return fmt.Errorf("call %d, %v: %s", i, c, wrong)
		}
		state.Apply(c)
	}
	return nil
}

// traceSteps answers the calls until the last mark: closing promises nothing.
func traceSteps(t *testing.T, level sqlite.Synchronous) []syscalls.Call {
	t.Helper()
	dir := memoryFolder(t)
	calls := syscalls.Trace(t, dir, child("steps", filepath.Join(dir, traceDB), string(level)))
	last := 0
	for i, c := range calls {
		if c.Name == "mark" {
			last = i
		}
	}
	require.NotZero(t, last, "no marks")
	return calls[:last+1]
}

// The order of the system calls, and that it is found out when one of them is
// left out, or comes too late.
func TestOrderOfSystemCalls(t *testing.T) {
	if testing.Short() {
		t.Skip("left out with -short: runs strace")
	}
	t.Parallel()
	calls := traceSteps(t, sqlite.Full)
	require.NoError(t, ordered(calls))

	state, variants, syncs, anew, begun := syscalls.NewState(), 0, 0, 0, false
	caught := func(what string, altered []syscalls.Call) {
		variants++
		require.Error(t, ordered(altered), "%s: not caught", what)
	}
	beginsAnew := func(c syscalls.Call) bool { return c.Name == "write" && c.Path == traceWAL && c.Offset == 0 }
	lastAnew := 0
	for i, c := range calls {
		if beginsAnew(c) {
			lastAnew = i
		}
	}
	for i, c := range calls {
		begun = begun || c.Name == "mark"
		if begun && beginsAnew(c) {
			anew++
		}
		// On the last syncs of the database nothing depends yet, and the sync of a
		// transaction that copies the journal is done twice.
		twice := i+1 < len(calls) && calls[i+1].Name == "sync" && calls[i+1].Path == c.Path
		if begun && c.Name == "sync" && state.Needed(c) && !twice && (c.Path != traceDB || i < lastAnew) {
			syncs++
			caught(fmt.Sprintf("without call %d, %v", i, c), syscalls.Without(calls, i))
			if calls[i+1].Name == "mark" && c.Path == traceWAL {
				caught(fmt.Sprintf("call %d, %v, after the answer", i, c), syscalls.Swapped(calls, i))
			}
		}
		state.Apply(c)
	}
	require.GreaterOrEqual(t, anew, 1, "the journal did not begin anew: nothing was shown")
	normal := traceSteps(t, sqlite.Normal)
	caught("synchronous normal", normal)
	t.Logf("figure: SQLite: synchronous full: %d syncs that were needed, each before the answer, and the journal began anew %d times; %d variants that leave a call out or make it late were caught",
		syncs, anew, variants)
}
