package deadline

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAlarmsRingOnTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var a Alarms
		began := time.Now()
		var waits []*Context
		for _, d := range []time.Duration{0, 1, Tick - 1, Tick, 99 * time.Millisecond, time.Second, time.Second + 1} {
			waits = append(waits, a.Before(t.Context(), began.Add(d)))
		}
		require.Less(t, a.count(), len(waits), "deadlines of one tick share a timer")
		for _, u := range waits {
			require.NoError(t, u.Err())
		}
		for _, u := range waits {
			deadline, ok := u.Deadline()
			require.True(t, ok)
			<-u.Done()
			require.ErrorIs(t, u.Err(), context.DeadlineExceeded)
			late := time.Since(deadline)
			require.GreaterOrEqual(t, late, time.Duration(0))
			require.LessOrEqual(t, late, Tick)
		}
		require.Zero(t, a.count())
	})
}

func TestAlarmOfThePastRingsSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var a Alarms
		began := time.Now()
		<-a.Before(t.Context(), began.Add(-time.Hour)).Done()
		require.LessOrEqual(t, time.Since(began), Tick)
	})
}

// count answers how many timers run.
func (a *Alarms) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.rings)
}
