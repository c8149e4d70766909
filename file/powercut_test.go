//go:build linux

package file

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/websession/websession/internal/lyingdisk"
	"github.com/websession/websession/internal/lyingdisk/ledger"
)

// cuts is a row of power cuts: on a disk that forgets, with stores that may
// leave something out.
type cuts struct {
	disk       *lyingdisk.Disk
	durability Durability
	promise    ledger.Promise
	without    string // what is not synced: "file", "folder", "root", or "": nothing is left out
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
		c.work(t, l, rand.New(rand.NewPCG(seed, 1)))
		for image := range uint64(3) { // each as the cut may have left it
			from = filepath.Join(memoryDir(t), "disk")
			if err := os.Mkdir(from, 0o700); err != nil {
				t.Fatal(err)
			}
			c.disk.Survive(seed+image, from)
			found, err := afterCrash(l, filepath.Join(from, "sessions"), c.promise)
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
	c.disk.CutAfter(rng.IntN([]int{20, 200}[rng.IntN(2)]))
	var workers sync.WaitGroup
	for i := range 2 {
		s, err := New(filepath.Join(c.disk.Dir, "sessions"), &Options{Durability: c.durability})
		if err != nil {
			continue // it was cut by now
		}
		defer s.Close()
		leaveOut(s, c.without)
		for w := range 2 {
			seed := rng.Uint64()
			workers.Go(func() { l.Work(s, ledger.Worker(2*i+w), rand.New(rand.NewPCG(seed, 0)), 1000) })
		}
	}
	workers.Wait()
	c.disk.Cut()
}

// leaveOut makes a store say that it has synced what it has not.
func leaveOut(s *Store, what string) {
	s.sync = func(f *os.File) error {
		path, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", f.Fd()))
		if err != nil {
			return err
		}
		is := "folder"
		switch {
		case path == s.directory:
			is = "root"
		case strings.Contains(path, "/"+tempFolder+"/"):
			is = "file"
		}
		if is == what {
			return nil
		}
		return flush(f)
	}
}

// What each durability promises when the power is cut.
func TestPowerCut(t *testing.T) {
	if testing.Short() {
		t.Skip("left out with -short: cuts the power many times")
	}
	t.Parallel()
	rng, disk, n := seeded(t), lyingdisk.Start(t), scaled(200)
	for _, c := range []cuts{
		{disk, DurabilityFull, ledger.Everything, ""},
		{disk, DurabilityFile, ledger.Logouts, ""},
		{disk, DurabilityNone, ledger.LogoutsOnly, ""},
	} {
		began := time.Now()
		if _, err := c.run(t, rng, n); err != nil {
			t.Fatalf("durability %s: %v", c.durability, err)
		}
		what := "records that were damaged and logouts that were undone"
		switch c.durability {
		case DurabilityFull:
			what = "answered writes that were lost and logouts that were undone"
		case DurabilityNone:
			what = "logouts that were undone"
		}
		t.Logf("figure: File: durability %s: power cuts with %s: %s (%.0f s)", c.durability, what, zero(n), time.Since(began).Seconds())
	}
}

// Each sync is needed: a store that leaves one out breaks its promise.
func TestPowerCutWithoutSync(t *testing.T) {
	if testing.Short() {
		t.Skip("left out with -short: cuts the power many times")
	}
	t.Parallel()
	rng, disk := seeded(t), lyingdisk.Start(t)
	for _, c := range []cuts{
		{disk, DurabilityFull, ledger.Everything, "file"},
		{disk, DurabilityFull, ledger.Everything, "folder"},
		{disk, DurabilityFull, ledger.Everything, "root"},
		{disk, DurabilityFile, ledger.Logouts, "file"},
		{disk, DurabilityFile, ledger.Logouts, "folder"},
		{disk, DurabilityNone, ledger.LogoutsOnly, "folder"},
		{disk, DurabilityFile, ledger.Everything, ""}, // which promises less
	} {
		i, err := c.run(t, rng, 200)
		if err == nil {
			t.Errorf("durability %s without sync of the %s: not caught", c.durability, c.without)
			continue
		}
		how := "which promises less than full,"
		if c.without != "" {
			how = "without sync of the " + c.without
		}
		t.Logf("figure: File: durability %s %s is caught by power cut %d", c.durability, how, i)
		t.Log(err)
	}
}
