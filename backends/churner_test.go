package backends_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/websession/websession/session"
)

// churner is set in a process that plays a server for TestChurn.
const churner = "WEBSESSION_TEST_CHURNER"

// churn is an hour of a server whose sessions come and go, or a shorter time in
// which everything that takes a time goes faster.
type churn struct {
	Class      string
	Properties map[string]any
	Live       int           // sessions
	Length     time.Duration // stands for an hour
	Rate       int           // requests a second
	Seed       uint64
	Leaks      bool // it keeps some of all that it needs
}

// Shares of the time that a churn takes.
const (
	churnIdle    = 6   // a sixth: sessions of which nobody hears, and how long ended ones are refused
	churnPurge   = 30  // from one purge to the next
	churnSamples = 120 // how many samples are taken
)

// sample is what a server that stands still has in use, and what it has done.
type sample struct {
	At                            time.Duration
	Heap, RSS                     int64 // bytes, after a collection of garbage
	Goroutines, Descriptors       int64
	Reads, Modifies               int64
	Created, Destroyed, Abandoned int64
	Expired                       int64 // sessions that were asked for and had expired
	Purged                        int64
}

// churning is a churn that goes on.
type churning struct {
	churn
	m     *session.Manager
	began time.Time
	gate  sync.RWMutex // a request holds it for reading

	reads, modifies, created, destroyed, abandoned, expired, purged atomic.Int64

	mu   sync.Mutex
	kept [][]byte // what leaks
}

// now is the clock of the sessions.
func (c *churning) now() time.Time {
	return c.began.Add(time.Duration(float64(time.Since(c.began)) * float64(time.Hour) / float64(c.Length)))
}

// run fills the store, lets requests run for c.Length, and prints samples as
// JSON, a line each.
func (c churn) run(out io.Writer) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	r := &churning{churn: c, began: time.Now()}
	var err error
	r.m, err = session.Open(ctx, c.Class, c.Properties, &session.Options{
		Now:         r.now,
		Idle:        time.Hour / churnIdle,
		PurgeEvery:  c.Length / churnPurge,
		RefuseEnded: c.Length / churnIdle,

		StoreTimeout: session.NoLimit, // a machine that has more to do is no failure
		Observe: func(_ context.Context, e session.Event) {
			switch e.Kind {
			case session.EventPurged:
				r.purged.Add(int64(e.Count))
			case session.EventPurgeFailed, session.EventTouchFailed, session.EventCorrupt:
				fmt.Fprintln(os.Stderr, "churn:", c.Class, e.Kind, e.Err)
			}
		},
	})
	if err != nil {
		return err
	}
	defer r.m.Close()
	const visitors = 16
	errs := make(chan error, visitors)
	var filled sync.WaitGroup
	start := make(chan struct{})
	for v := range visitors {
		w := &visitor{churning: r, rng: rand.New(rand.NewPCG(c.Seed, uint64(v))), seats: make([]seat, c.Live/visitors)}
		filled.Add(1)
		go func() { errs <- w.visit(ctx, &filled, start, visitors) }()
	}
	filled.Wait()
	begin := time.Now()
	close(start)
	samples := time.NewTicker(c.Length / churnSamples)
	defer samples.Stop()
	for print := json.NewEncoder(out); time.Since(begin) < c.Length; {
		select {
		case err := <-errs:
			return err
		case <-samples.C:
		}
		s, err := r.sample(time.Since(begin))
		if err == nil {
			err = print.Encode(s)
		}
		if err != nil {
			return err
		}
	}
	cancel()
	for range visitors {
		if err := <-errs; err != nil {
			return err
		}
	}
	return nil
}

// sample lets no request run, and looks at the process.
func (c *churning) sample(at time.Duration) (s sample, err error) {
	c.gate.Lock()
	defer c.gate.Unlock()
	debug.FreeOSMemory()
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return s, err
	}
	var size, resident int64
	if _, err := fmt.Sscan(string(statm), &size, &resident); err != nil {
		return s, err
	}
	descriptors, err := os.ReadDir("/proc/self/fd")
	return sample{
		At: at, Heap: int64(memory.HeapAlloc), RSS: resident * int64(os.Getpagesize()),
		Goroutines: int64(runtime.NumGoroutine()), Descriptors: int64(len(descriptors)),
		Reads: c.reads.Load(), Modifies: c.modifies.Load(),
		Created: c.created.Load(), Destroyed: c.destroyed.Load(), Abandoned: c.abandoned.Load(),
		Expired: c.expired.Load(), Purged: c.purged.Load(),
	}, err
}

// visitor sends requests, one after the other, in sessions of its own.
type visitor struct {
	*churning
	rng   *rand.Rand
	seats []seat
}

// seat is where a session sits until another takes its place.
type seat struct {
	id   session.ID
	used time.Time
}

func (v *visitor) visit(ctx context.Context, filled *sync.WaitGroup, start chan struct{}, visitors int) error {
	var err error
	for i := range v.seats {
		if err = v.create(&v.seats[i]); err != nil {
			break
		}
	}
	filled.Done()
	if err != nil {
		return err
	}
	<-start
	tick := time.NewTicker(time.Second * time.Duration(visitors) / time.Duration(v.Rate))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		v.gate.RLock()
		err := v.request(&v.seats[v.rng.IntN(len(v.seats))])
		v.gate.RUnlock()
		if err != nil {
			return err
		}
	}
}

// request reads a session, changes it, ends it, or forgets it.
func (v *visitor) request(at *seat) error {
	if v.Leaks && v.rng.IntN(50) == 0 {
		v.leak()
	}
	switch p := v.rng.IntN(100); {
	case p < 55:
		return v.use(at, &v.reads, func(s *session.Session) error { _, err := left.Get(s); return err })
	case p < 90:
		return v.use(at, &v.modifies, func(s *session.Session) error { return left.Set(s, v.payload()) })
	case p < 95:
		if err := v.m.Destroy(context.Background(), at.id); err != nil {
			return err
		}
		v.destroyed.Add(1)
	default:
		v.abandoned.Add(1) // until it expires
	}
	return v.create(at)
}

// use loads the session at a seat and saves it. If it has expired another one
// takes its place.
func (v *visitor) use(at *seat, counter *atomic.Int64, fn func(*session.Session) error) error {
	now := v.now()
	s, err := v.m.Load(context.Background(), at.id)
	if err == nil {
		if err = fn(s); err == nil {
			err = s.Save(context.Background())
		}
	}
	switch {
	case err == nil:
		counter.Add(1)
		if s.Expires().After(v.now()) { // it did not end during the request
			at.used = now
		}
		return nil
	case !errors.Is(err, session.ErrNotFound):
		return err
	}
	// A deadline lags behind the last use by a tenth of the idle time at most.
	if idle := v.now().Sub(at.used); idle < time.Hour/churnIdle*9/10 {
		return fmt.Errorf("a session that was used %v ago has expired", idle)
	}
	v.expired.Add(1)
	return v.create(at)
}

func (v *visitor) create(at *seat) error {
	now := v.now()
	s := v.m.NewSession()
	err := left.Set(s, v.payload())
	if err == nil {
		err = s.Save(context.Background())
	}
	if err != nil {
		return err
	}
	v.created.Add(1)
	*at = seat{s.ID(), now}
	return nil
}

// payload is 200 to 400 bytes long.
func (v *visitor) payload() string {
	return fmt.Sprintf("%016x", v.rng.Uint64()) + strings.Repeat("x", 184+v.rng.IntN(200))
}

// leak keeps memory, a goroutine and a descriptor.
func (c *churning) leak() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kept = append(c.kept, make([]byte, 64<<10))
	for i := range c.kept[len(c.kept)-1] {
		c.kept[len(c.kept)-1][i] = 1 // so that it is resident
	}
	f, err := os.Open(os.DevNull)
	if err != nil {
		panic(err)
	}
	go func() { <-context.Background().Done(); f.Close() }()
}
