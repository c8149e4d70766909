package backends_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/internal/workload"
	"github.com/websession/websession/session"
	"github.com/websession/websession/session/driver"

	_ "github.com/websession/websession/backends"
)

// place is a class and where its sessions lie, with the counts of its proofs.
type place struct {
	class      string
	propsIn    func(t *testing.T, folder string) map[string]any
	pairs      int // overlapping saves; saves against a logout
	increments int

	hasty map[string]any // properties with which writes do not wait for the disk
}

var places = []place{
	{"Memory", func(t *testing.T, _ string) map[string]any { return map[string]any{"name": t.Name()} }, 1000, 1_000_000, nil},
	{"File", func(_ *testing.T, folder string) map[string]any { return map[string]any{"Directory": folder} }, 1000, 20_000,
		map[string]any{"durability": "none"}},
	{"SQLite", func(_ *testing.T, folder string) map[string]any {
		return map[string]any{"file": filepath.Join(folder, "sessions.db")}
	}, 1000, 20_000, map[string]any{"synchronous": "normal"}},
}

// props answers the properties of an empty place. In a short run no disk is asked.
func (p place) props(t *testing.T) map[string]any {
	if testing.Short() {
		return p.propsIn(t, memoryDir(t))
	}
	return p.propsIn(t, t.TempDir())
}

// memoryDir answers an empty folder in memory, where there is such a place.
func memoryDir(t *testing.T) string {
	dir, err := os.MkdirTemp("/dev/shm", "backends-test-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	return dir
}

var (
	full             = workload.Full
	scaled, zero     = workload.Scaled, workload.Zero
	newSession, load = workload.NewSession, workload.Load
	left, right      = workload.Left, workload.Right
)

func forEachPlace(t *testing.T, fn func(t *testing.T, p place)) {
	for _, p := range places {
		t.Run(p.class, func(t *testing.T) { fn(t, p) })
	}
}

// Two overlapping requests of one session, on two servers, that each set an
// attribute: both survive.
func TestOverlappingSavesLoseNothing(t *testing.T) {
	forEachPlace(t, func(t *testing.T, p place) { workload.Overlap(t, p.class, p.props(t), scaled(p.pairs)) })
}

// A request that saves while another ends the session: it stays dead.
func TestLogoutDuringSlowSaveStaysALogout(t *testing.T) {
	forEachPlace(t, func(t *testing.T, p place) { workload.SlowSaves(t, p.class, p.props(t), scaled(p.pairs)) })
}

func TestUpdateLosesNothing(t *testing.T) {
	forEachPlace(t, func(t *testing.T, p place) { workload.ExactSum(t, p.class, p.props(t), scaled(p.increments)) })
}

var errDropped = errors.New("connection was cut")

// dropping is a store that loses one request in a hundred before it is
// executed, and one answer in a hundred after.
type dropping struct {
	driver.Store
	dropped *atomic.Int64
	mu      *sync.Mutex
	rng     *rand.Rand
}

func (d dropping) call(execute func() error) error {
	d.mu.Lock()
	n := d.rng.IntN(100)
	d.mu.Unlock()
	if n == 0 {
		d.dropped.Add(1)
		return errDropped
	}
	err := execute()
	if n == 1 {
		d.dropped.Add(1)
		return errDropped
	}
	return err
}

func (d dropping) Load(ctx context.Context, key string) (rec driver.Record, v driver.Version, err error) {
	err = d.call(func() (err error) { rec, v, err = d.Store.Load(ctx, key); return err })
	return rec, v, err
}

func (d dropping) Replace(ctx context.Context, rec driver.Record, old driver.Version) (v driver.Version, err error) {
	err = d.call(func() (err error) { v, err = d.Store.Replace(ctx, rec, old); return err })
	return v, err
}

// store opens the store of a place without a Manager.
func (p place) store(t *testing.T, props map[string]any) driver.Store {
	for _, d := range driver.Registered() {
		if d.Class().Name == p.class {
			c, err := d.Configure(driver.NewDecoder(p.class, props))
			require.NoError(t, err)
			s, err := c.Open(t.Context(), driver.OpenOptions{Indexed: []string{"user"}})
			require.NoError(t, err)
			return s
		}
	}
	require.Fail(t, "class is not registered")
	return nil
}

func TestUpdateThroughAConnectionThatDrops(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	forEachPlace(t, func(t *testing.T, p place) {
		props := p.props(t)
		var dropped atomic.Int64
		var mu sync.Mutex
		rng := rand.New(rand.NewPCG(seed, 0))
		var ms []*session.Manager
		for range 4 {
			m, err := session.New(dropping{p.store(t, props), &dropped, &mu, rng}, nil)
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, m.Close()) })
			ms = append(ms, m)
		}
		sound, err := session.New(p.store(t, props), nil)
		require.NoError(t, err)
		defer sound.Close()
		id := newSession(t, sound)
		n := scaled(p.increments)
		began := time.Now()
		acked, unknown := workload.Increments(t, ms, id, n, errDropped) // one that dropped was a load
		sum := workload.Count.GetOr(load(t, sound, id), 0)
		require.LessOrEqual(t, acked, sum)
		require.LessOrEqual(t, sum, acked+unknown)
		require.LessOrEqual(t, unknown, dropped.Load()/1000, "of %d dropped", dropped.Load())
		t.Logf("figure: %s: %d increments while %d requests and answers were dropped: %d acknowledged, %d unknown, sum %d (%.0f s)",
			p.class, n, dropped.Load(), acked, unknown, sum, time.Since(began).Seconds())
	})
}
