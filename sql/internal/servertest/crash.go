package servertest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/internal/lyingdisk/ledger"
	"github.com/websession/websession/internal/workload"
	"github.com/websession/websession/session/driver"
	websql "github.com/websession/websession/sql"
)

const (
	crashWriters = 8
	crashLoad    = 200                  // mutations that are answered before a kill
	crashReturn  = 2 * time.Second      // after which a store works again at the latest
	crashPause   = 5 * time.Millisecond // after a failure
)

// Crash kills the server under writers, and starts it again: what was answered is
// there, and the stores, which stay open, work again by themselves, in a full run
// within two seconds of the server's return.
func (c Class) Crash(t *testing.T, props map[string]any, server Server, kills int) {
	rng := workload.Seeded(t)
	stores := []*websql.Store{c.Open(t, props), c.Open(t, props)}
	answers := &answered{}
	l := ledger.New(1, answers)
	var longest time.Duration
	for kill := range kills {
		ctx, stop := context.WithCancel(background)
		var all sync.WaitGroup
		for w := range crashWriters {
			own := rand.New(rand.NewPCG(rng.Uint64(), 0))
			all.Go(func() { workOn(ctx, t, l, stores[w%2], w, own) })
		}
		target := answers.total() + crashLoad
		Until(t, func() bool { return answers.total() >= target || t.Failed() })
		require.NoError(t, server.Kill())
		require.NoError(t, server.Restart(background))
		back, before := time.Now(), answers.each()
		Until(t, func() bool { return answers.allBeyond(before) || t.Failed() })
		longest = max(longest, time.Since(back))
		stop()
		all.Wait()
		for _, s := range stores {
			found, err := l.Check(s, ledger.Everything)
			require.NoError(t, err, "kill %d", kill+1)
			l.Settle(found)
		}
	}
	name, n := c.Driver.Class().Name, answers.total()
	t.Logf("figure: %s: answered writes that were lost and logouts that were undone by %d kills of the server: %s", name, kills, workload.Zero(n))
	t.Logf("figure: %s: after %d kills each of %d writers was answered again %d ms after the server's return at the latest", name, kills, crashWriters, longest.Milliseconds())
	if workload.Full {
		require.LessOrEqual(t, longest, crashReturn)
	}
}

// workOn changes records of a writer's own, and goes on after failures.
func workOn(ctx context.Context, t *testing.T, l *ledger.Ledger, s *websql.Store, w int, rng *rand.Rand) {
	keys := ledger.Worker(w)
	for ctx.Err() == nil {
		err := l.Work(s, keys, rng, 10)
		if err == nil {
			continue
		}
		for _, never := range []error{driver.ErrConflict, driver.ErrExists, driver.ErrNotFound, driver.ErrCorrupt} {
			if errors.Is(err, never) {
				t.Errorf("nobody else writes these records, and the answer is %v", err)
				return
			}
		}
		for _, key := range keys {
			if contains(key)([]byte(err.Error())) {
				t.Errorf("the key is in the error: %v", err)
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(crashPause):
		}
	}
}

// answered is the log of a ledger: it counts the mutations of each writer that
// were answered.
type answered struct{ count [crashWriters]atomic.Int64 }

func (a *answered) Write(line []byte) (int, error) {
	var w int
	if n, _ := fmt.Sscanf(string(line), "ok w%d-", &w); n == 1 {
		a.count[w].Add(1)
	}
	return len(line), nil
}

func (a *answered) each() (counts [crashWriters]int64) {
	for w := range counts {
		counts[w] = a.count[w].Load()
	}
	return counts
}

func (a *answered) total() (n int) {
	for _, c := range a.each() {
		n += int(c)
	}
	return n
}

// allBeyond reports whether each writer has been answered since.
func (a *answered) allBeyond(before [crashWriters]int64) bool {
	for w, now := range a.each() {
		if now <= before[w] {
			return false
		}
	}
	return true
}
