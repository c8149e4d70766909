package conformance

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/websession/websession/session/driver"
)

// TestTwin runs the whole suite on the driver that the broken ones are made of.
func TestTwin(t *testing.T) {
	d, env := newTwin()
	Run(t, d, env)
}

// TestMutants runs, on each broken driver, the case that must catch it, and the
// same case on the twin.
func TestMutants(t *testing.T) {
	cases := make(map[string]testCase)
	for _, c := range allCases() {
		cases[c.name] = c
	}
	names := make(map[string]bool)
	var passed sync.Map // names of cases
	for _, m := range mutants {
		name := m.caughtBy + ": " + m.name
		t.Run(name, func(t *testing.T) {
			if names[name] {
				t.Error("there is another one of this name")
			}
			names[name] = true
			c, ok := cases[m.caughtBy]
			if !ok {
				t.Fatalf("there is no case %s", m.caughtBy)
			}
			if strings.HasPrefix(c.name, "Expires/") || strings.HasPrefix(c.name, "Locking/") && c.name != "Locking/LeavesNoGoroutine" {
				t.Parallel() // it mostly waits, and counts no goroutines
			}
			if _, did := passed.Load(c.name); !did {
				d, env := newTwinOf(m)
				if r := try(t, c, d, env, 0, 1); r.failed || r.skipped {
					t.Fatalf("%s does not pass on the correct twin:\n%s", c.name, r.log())
				}
				passed.Store(c.name, true)
			}
			// What goes wrong by chance only may go well once, on a machine that is busy.
			var r *recorder
			for seed := uint64(1); seed <= 5 && (r == nil || !r.failed); seed++ {
				d, env := newMutant(m)
				r = try(t, c, d, env, time.Second, seed)
			}
			if !r.failed {
				t.Errorf("%s did not catch it\n%s", c.name, r.log())
			}
			t.Logf("%s says:\n%s", c.name, r.log())
		})
	}
}

// unprovable are the cases that no driver can fail by a fault of its own, since
// driver.Decoder does what they ask for. They catch a driver that goes around it.
var unprovable = []string{
	"Configure/NamesTheUnknown", "Configure/NamesWhatHasTheWrongType", "Configure/ReportsAllFaults",
}

// TestEveryStoreCaseCatches makes sure that no case passes on every driver.
func TestEveryStoreCaseCatches(t *testing.T) {
	for _, c := range storeCases() {
		caught := slices.ContainsFunc(mutants, func(m mutant) bool { return m.caughtBy == c.name })
		if caught == slices.Contains(unprovable, c.name) {
			t.Errorf("%s: caught a broken driver: %v; listed as unprovable: %v", c.name, caught, !caught)
		}
	}
}

// TestCaseNames makes sure that each case is one promise with a reason.
func TestCaseNames(t *testing.T) {
	pattern := regexp.MustCompile(`^[A-Z][A-Za-z]+/[A-Z][A-Za-z0-9/]+$`)
	names := make(map[string]bool)
	for _, c := range allCases() {
		if !pattern.MatchString(c.name) || names[c.name] {
			t.Errorf("case %q: the name is malformed, or there are two of it", c.name)
		}
		if c.why == "" {
			t.Errorf("case %q has no reason", c.name)
		}
		names[c.name] = true
	}
}

// TestRecorder makes sure that what ends a case does not end the test.
func TestRecorder(t *testing.T) {
	d, env := newTwin()
	for name, want := range map[string]bool{"pass": false, "fail": true, "fatal": true, "panic": true, "skip": false} {
		cleaned := false
		r := try(t, testCase{name: name, why: "of it", run: func(p *place) {
			p.Cleanup(func() { cleaned = true })
			switch name {
			case "fail":
				p.fail("it %s", "failed")
			case "fatal":
				p.fatal("it failed")
				panic("it went on")
			case "panic":
				panic("it failed")
			case "skip":
				p.Skip("it was left out")
			}
		}}, d, env, 0, 1)
		if r.failed != want || !cleaned || want && !strings.Contains(r.log(), "it failed") || strings.Contains(r.log(), "went on") {
			t.Errorf("%s: failed %v, cleaned up %v, said %q", name, r.failed, cleaned, r.log())
		}
		if strings.HasPrefix(name, "fa") && !strings.Contains(r.log(), "The promise: of it") {
			t.Errorf("%s: the reason is missing in %q", name, r.log())
		}
	}
}

// TestLeftOut makes sure that a case is left out only where the store has no
// such interface, or declines it.
func TestLeftOut(t *testing.T) {
	d, env := newTwin()
	declining, _ := newTwinOf(mutant{twin: func(_ *world, _ calls, c *calls) {
		no := func(yield func(driver.Record, error) bool) { yield(driver.Record{}, errors.ErrUnsupported) }
		c.touch = func(context.Context, driver.Record, driver.Version) (driver.Version, error) {
			return "", errors.ErrUnsupported
		}
		c.scan = func(context.Context) recordSeq { return no }
		c.search = func(context.Context, string, string) recordSeq { return no }
		c.purge = func(context.Context, time.Time, int) (int, error) { return 0, errors.ErrUnsupported }
		c.ping = func(context.Context) (driver.Info, error) { return driver.Info{}, errors.ErrUnsupported }
	}})
	for need, want := range map[string]struct{ native, hidden, declined bool }{
		"Scanner":        {true, true, false},
		"Search":         {true, true, false},
		"Searcher":       {true, false, false},
		"Toucher":        {true, false, false},
		"Purger":         {true, false, false},
		"Pinger":         {true, false, false},
		"RandomVersions": {true, true, true},
		"OwnExpiry":      {false, false, true},
	} {
		if newPlace(t, d, env, false, 1).has(need) != want.native {
			t.Errorf("has(%q) is %v", need, !want.native)
		}
		if newPlace(t, d, env, true, 1).has(need) != want.hidden {
			t.Errorf("hidden: has(%q) is %v", need, !want.hidden)
		}
		if newPlace(t, declining, env, false, 1).has(need) != want.declined {
			t.Errorf("declined: has(%q) is %v", need, !want.declined)
		}
	}
}

// TestLockingPlace makes sure that only cases about locks meet stores that lock.
func TestLockingPlace(t *testing.T) {
	d, env := newTwin()
	about, other := testCase{needs: []string{"Locker"}}, testCase{needs: []string{"Scanner"}}
	for _, c := range []struct {
		testCase
		env   Env
		locks bool
	}{{about, env, true}, {other, env, false}, {about, Env{Place: env.Place}, false}} {
		p := c.place(t, d, c.env, false, 1)
		if p.has("Locker") != c.locks || (p.props["locking"] == "on") != c.locks {
			t.Errorf("needs %v: the place locks: %v, %v", c.needs, p.has("Locker"), p.props)
		}
	}
}

// TestDeclining runs the whole suite on a store that declines all of the optional
// interfaces but Scanner, call by call.
func TestDeclining(t *testing.T) {
	d, env := newTwinOf(mutant{twin: func(w *world, m calls, c *calls) {
		ownExpiry(w, m, c)
		c.touch = func(context.Context, driver.Record, driver.Version) (driver.Version, error) {
			return "", errors.ErrUnsupported
		}
		c.search = func(context.Context, string, string) recordSeq {
			return func(yield func(driver.Record, error) bool) { yield(driver.Record{}, errors.ErrUnsupported) }
		}
		c.ping = func(context.Context) (driver.Info, error) { return driver.Info{}, errors.ErrUnsupported }
	}})
	Run(t, d, env)
}

// TestIndexApart runs the cases of this half on a store whose index is apart.
func TestIndexApart(t *testing.T) {
	d, env := newTwinOf(mutant{twin: separateIndex})
	d.separate = true
	for _, c := range storeCases() {
		t.Run(c.name, func(t *testing.T) {
			p := c.place(t, d, env, false, 1)
			if missing := c.missing(p); missing != "" {
				t.Skip("left out: the store has no " + missing)
			}
			p.why = c.why
			c.run(p)
		})
	}
}

// try runs a case on a driver by itself, for at most 30 s, in a full run 10 min. A
// patience of 0 is the usual one.
func try(t *testing.T, c testCase, d driver.Driver, env Env, patience time.Duration, seed uint64) *recorder {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r := &recorder{TB: t, ctx: ctx}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer r.cleanUp()
		defer cancel()
		defer func() {
			if v := recover(); v != nil {
				r.Errorf("panic: %v\n%s", v, debug.Stack())
			}
		}()
		p := c.place(r, d, env, false, seed)
		p.patience = cmp.Or(patience, p.patience)
		if missing := c.missing(p); missing != "" {
			r.Skipf("left out: the store has no %s", missing)
		}
		p.why = c.why
		c.run(p)
	}()
	limit := 30 * time.Second
	if *fullFlag {
		limit = 10 * time.Minute
	}
	select {
	case <-done:
	case <-time.After(limit):
		r.Errorf("it did not end within %v", limit)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return &recorder{failed: r.failed, skipped: r.skipped, lines: slices.Clone(r.lines)}
}

// recorder is a testing.TB that keeps what a case reports.
type recorder struct {
	testing.TB
	ctx      context.Context
	mu       sync.Mutex
	failed   bool
	skipped  bool
	lines    []string
	cleanups []func()
}

func (r *recorder) log() string {
	if len(r.lines) > 5 {
		return strings.Join(r.lines[:5], "\n") + fmt.Sprintf("\n(and %d more)", len(r.lines)-5)
	}
	return strings.Join(r.lines, "\n")
}

func (r *recorder) cleanUp() {
	for {
		r.mu.Lock()
		n := len(r.cleanups)
		if n == 0 {
			r.mu.Unlock()
			return
		}
		f := r.cleanups[n-1]
		r.cleanups = r.cleanups[:n-1]
		r.mu.Unlock()
		f()
	}
}

func (r *recorder) note(failed, skipped bool, text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed = r.failed || failed
	r.skipped = r.skipped || skipped
	if text != "" {
		r.lines = append(r.lines, text)
	}
}

func (r *recorder) Helper()                  {}
func (r *recorder) Context() context.Context { return r.ctx }
func (r *recorder) Log(args ...any)          { r.note(false, false, fmt.Sprint(args...)) }
func (r *recorder) Logf(format string, args ...any) {
	r.note(false, false, fmt.Sprintf(format, args...))
}
func (r *recorder) Error(args ...any) { r.note(true, false, fmt.Sprint(args...)) }
func (r *recorder) Errorf(format string, args ...any) {
	r.note(true, false, fmt.Sprintf(format, args...))
}
func (r *recorder) Fail() { r.note(true, false, "") }
func (r *recorder) FailNow() {
	r.note(true, false, "")
	runtime.Goexit()
}
func (r *recorder) Fatal(args ...any) {
	r.note(true, false, fmt.Sprint(args...))
	runtime.Goexit()
}
func (r *recorder) Fatalf(format string, args ...any) {
	r.note(true, false, fmt.Sprintf(format, args...))
	runtime.Goexit()
}
func (r *recorder) Skip(args ...any) {
	r.note(false, true, fmt.Sprint(args...))
	runtime.Goexit()
}
func (r *recorder) Skipf(format string, args ...any) {
	r.note(false, true, fmt.Sprintf(format, args...))
	runtime.Goexit()
}
func (r *recorder) SkipNow() {
	r.note(false, true, "")
	runtime.Goexit()
}
func (r *recorder) Failed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failed
}
func (r *recorder) Skipped() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.skipped
}
func (r *recorder) Cleanup(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cleanups = append(r.cleanups, f)
}
