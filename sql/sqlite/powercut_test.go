//go:build linux

package sqlite_test

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/internal/lyingdisk"
	"github.com/websession/websession/internal/lyingdisk/ledger"
	"github.com/websession/websession/sql/sqlite"
)

// cuts is a row of power cuts: on a disk that forgets, and perhaps lies.
type cuts struct {
	disk    *lyingdisk.Disk
	level   sqlite.Synchronous
	promise ledger.Promise
	lie     []lyingdisk.Op
}

// run cuts the power n times, and answers how many cuts there were when a
// promise was broken, and how.
func (c cuts) run(t *testing.T, rng *rand.Rand, n int) (int, error) {
	var l *ledger.Ledger
	from := ""
	for i := range n {
		if i%5 == 0 { // else where the cut before left off
			l, from = ledger.New(1, nil), ""
		}
		seed := rng.Uint64()
		c.disk.Reset(from)
		c.disk.Lie(c.lie...)
		c.work(t, l, rand.New(rand.NewPCG(seed, 1)))
		for image := range uint64(3) { // each as the cut may have left it
			from = memoryFolder(t)
			c.disk.Survive(seed+image, from)
			found, err := afterCrash(l, filepath.Join(from, "sessions.db"), c.promise)
			if err != nil {
				return i + 1, fmt.Errorf("cut %d, seed %d, image %d: %w", i+1, seed, image, err)
			}
			if image == 2 {
				l.Settle(found)
			}
		}
	}
	return n, nil
}

// work changes records through two stores until the power is cut.
func (c cuts) work(t *testing.T, l *ledger.Ledger, rng *rand.Rand) {
	c.disk.CutAfter(rng.IntN([]int{40, 400}[rng.IntN(2)]))
	var workers sync.WaitGroup
	for i := range 2 {
		s, err := sqlite.New(filepath.Join(c.disk.Dir, "sessions.db"), options(c.level))
		if err != nil {
			continue // it was cut by now
		}
		defer s.Close()
		for w := range 2 {
			seed := rng.Uint64()
			workers.Go(func() { l.Work(s, ledger.Worker(2*i+w), rand.New(rand.NewPCG(seed, 0)), 1000) })
		}
	}
	workers.Wait()
	c.disk.Cut()
}

// What each level of synchronous promises when the power is cut.
func TestPowerCut(t *testing.T) {
	if testing.Short() {
		t.Skip("left out with -short: cuts the power many times")
	}
	t.Parallel()
	rng, disk, n := seeded(t), lyingdisk.Start(t), scaled(200)
	for _, c := range []cuts{
		{disk, sqlite.Full, ledger.Everything, nil},
		{disk, sqlite.Normal, ledger.Whole, nil},
	} {
		began := time.Now()
		_, err := c.run(t, rng, n)
		require.NoError(t, err, "synchronous %s", c.level)
		what := "databases that were damaged"
		if c.level == sqlite.Full {
			what = "answered writes that were lost and logouts that were undone"
		}
		t.Logf("figure: SQLite: synchronous %s: power cuts with %s: %s (%.0f s)", c.level, what, zero(n), time.Since(began).Seconds())
	}
}

// Each sync is needed: on a disk that does not do it, or with a setting that
// asks for less, the promise is broken.
func TestPowerCutWithoutSync(t *testing.T) {
	if testing.Short() {
		t.Skip("left out with -short: cuts the power many times")
	}
	t.Parallel()
	rng, disk := seeded(t), lyingdisk.Start(t)
	for _, c := range []cuts{
		{disk, sqlite.Full, ledger.Everything, []lyingdisk.Op{lyingdisk.Fsync}},
		{disk, sqlite.Full, ledger.Everything, []lyingdisk.Op{lyingdisk.FsyncDir}},
		{disk, sqlite.Normal, ledger.Everything, nil}, // which promises less
	} {
		i, err := c.run(t, rng, 200)
		require.Error(t, err, "synchronous %s, lies %v: not caught", c.level, c.lie)
		on := "a good disk, which promises less than full,"
		if c.lie != nil {
			on = fmt.Sprintf("a disk that lies about %v", c.lie)
		}
		t.Logf("figure: SQLite: synchronous %s on %s is caught by power cut %d", c.level, on, i)
		t.Log(err)
	}
}
