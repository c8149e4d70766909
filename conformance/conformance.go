package conformance

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/websession/websession/session"
	"github.com/websession/websession/session/driver"
)

// Env is where the suite runs.
type Env struct {
	// Place answers the properties of a fresh, empty place that nobody else
	// uses. Every case gets one of its own, or two. It cleans up by tb.Cleanup. Where
	// index fields must be made by hand, the place has user and account.
	Place func(tb testing.TB) map[string]any

	// Raw answers everything that lies in a place, by name: keys, files, rows,
	// index entries, and what they contain. It is the oracle for what must not
	// be there: left-overs, and session ids. What a driver keeps for itself,
	// whatever the sessions, is left out. Nil: the suite asks Scan.
	Raw func(tb testing.TB, props map[string]any) map[string][]byte

	// StoreOnly leaves out what applications see, and runs the cases of package
	// driver alone. It is for another setting of a server on which all cases run,
	// too: what the core does with a store that keeps the contract is known.
	StoreOnly bool

	// Locking answers, as Place does, the properties of a place whose stores lock
	// (driver.Locker), for no longer than a few seconds: those of Place must not.
	// It is used for the promises about locks alone. Nil: they are left out.
	Locking func(tb testing.TB) map[string]any
}

var (
	seedFlag = flag.Uint64("conformance.seed", 0, "seed of the random cases; 0 means a new one, which is printed")
	fullFlag = flag.Bool("conformance.full", os.Getenv("WEBSESSION_FULL") == "1", "run the counted cases with the full counts; WEBSESSION_FULL=1 in the environment does the same")
)

// Run proves a driver: every case, and, where that makes a difference, again
// with the optional interfaces of the store hidden. It prints the seed of the
// random cases, which -conformance.seed repeats, and at the end how many cases ran
// and how many were left out because the store has no such interface. With -short
// the same cases run, the dearest with a tenth of their counts and sizes, and the
// largest sessions natively only.
func Run(t *testing.T, d driver.Driver, env Env) {
	t.Helper()
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("conformance: class %s, -conformance.seed=%d", d.Class().Name, seed)
	for _, mode := range []struct {
		name string
		hide bool
	}{{"native", false}, {"emulated", true}} {
		t.Run(mode.name, func(t *testing.T) {
			var ran, out atomic.Int64
			cases := allCases()
			if env.StoreOnly {
				cases = storeCases()
			}
			for _, c := range cases {
				if mode.hide && c.once {
					continue
				}
				t.Run(c.name, func(t *testing.T) {
					p := c.place(t, d, env, mode.hide, seed)
					defer func() {
						if t.Skipped() {
							out.Add(1)
						} else {
							ran.Add(1)
						}
					}()
					if missing := c.missing(p); missing != "" {
						t.Skipf("left out: the store has no %s%s", missing, hidden(mode.hide))
					}
					p.why = c.why
					c.run(p)
				})
			}
			t.Logf("conformance: class %s, %s: %d cases ran, %d left out", d.Class().Name, mode.name, ran.Load(), out.Load())
		})
	}
}

func hidden(hide bool) string {
	if hide {
		return " when its optional interfaces are hidden"
	}
	return ""
}

// testCase is one promise.
type testCase struct {
	name  string   // Group/Promise, such as "Replace/NeverCreates"
	why   string   // a sentence: what goes wrong where the promise is not kept
	needs []string // what the case means nothing without: "Scanner", "Purger"; see place.has
	run   func(p *place)

	// once: it runs natively only, since nothing that can be hidden matters to
	// it, or nothing is left of it then.
	once bool
}

// allCases answers every case, in the order in which a driver author wants to
// meet them: the contract first, then what applications see.
func allCases() []testCase {
	return append(storeCases(), managerCases()...)
}

// place answers a fresh place for the case: one of Env.Locking if that is what it
// is about.
func (c testCase) place(tb testing.TB, d driver.Driver, env Env, hide bool, seed uint64) *place {
	tb.Helper()
	if !slices.Contains(c.needs, "Locker") || env.Locking == nil {
		return newPlace(tb, d, env, hide, seed)
	}
	env.Place = env.Locking
	p := newPlace(tb, d, env, hide, seed)
	p.locks = true
	return p
}

func (c testCase) missing(p *place) string {
	for _, need := range c.needs {
		if !p.has(need) {
			return need
		}
	}
	return ""
}

// place is a fresh, empty place and what a case needs to use it.
type place struct {
	testing.TB
	driver driver.Driver
	env    Env
	hide   bool
	locks  bool // its stores must lock
	props  map[string]any
	rng    *rand.Rand // for one goroutine
	why    string

	// patience is how long a call may take that ought to return soon.
	patience time.Duration

	state *caseState
}

// caseState is what the goroutines of a case know of it.
type caseState struct {
	hung atomic.Bool // a call did not return
	over atomic.Bool // nobody listens any more
}

func newPlace(tb testing.TB, d driver.Driver, env Env, hide bool, seed uint64) *place {
	tb.Helper()
	props, state := env.Place(tb), &caseState{}
	tb.Cleanup(func() { state.over.Store(true) }) // after stores are closed, before the place goes
	return &place{
		TB: tb, driver: d, env: env, hide: hide, props: props, state: state,
		rng: rand.New(rand.NewPCG(seed, 1)), patience: 20 * time.Second,
	}
}

// fail reports a broken promise, with why it matters. A call that hung and
// returns when the case is over reports nothing.
func (p *place) fail(format string, args ...any) {
	p.Helper()
	if p.state.over.Load() {
		return
	}
	p.Errorf("%s\nThe promise: %s", fmt.Sprintf(format, args...), p.why)
}

// fatal is fail that ends the case.
func (p *place) fatal(format string, args ...any) {
	p.Helper()
	if p.state.over.Load() {
		runtime.Goexit()
	}
	p.Fatalf("%s\nThe promise: %s", fmt.Sprintf(format, args...), p.why)
}

// scale answers full with -conformance.full, else a twentieth of it, at least
// least.
func (p *place) scale(full, least int) int {
	if *fullFlag {
		return full
	}
	return max(full/20, least)
}

// few answers n, or, with -short, a tenth of it, at least least. It is for counts and
// sizes that are dear: under the race detector, each byte and each call.
func (p *place) few(n, least int) int {
	if !testing.Short() {
		return n
	}
	return min(n, max(n/10, least))
}

// limits reports whether the case is to try the limits of the contract: always,
// but with -short only natively, since they are dear, and the same whatever is
// hidden.
func (p *place) limits() bool { return !p.hide || !testing.Short() }

// open answers another handle on the place. It is closed at the end.
func (p *place) open() driver.Store {
	p.Helper()
	return p.openIndexed("user")
}

// openIndexed is open with index fields.
func (p *place) openIndexed(fields ...string) driver.Store {
	p.Helper()
	s, err := p.tryOpen(p.Context(), p.props, driver.OpenOptions{Indexed: fields})
	if err != nil {
		p.fatal("Open: %v", err)
	}
	p.closeAtTheEnd(s)
	return s
}

// tryOpen goes the way that applications go, without the core.
func (p *place) tryOpen(ctx context.Context, props map[string]any, o driver.OpenOptions) (driver.Store, error) {
	dec := driver.NewDecoder(p.driver.Class().Name, props)
	c, err := p.driver.Configure(dec)
	if derr := dec.Err(); derr != nil {
		return nil, derr
	}
	if err != nil {
		return nil, err
	}
	s, err := c.Open(ctx, o)
	if err != nil {
		return nil, err
	}
	if p.hide {
		s = hide(s)
	}
	return s, nil
}

// hide answers s without its optional interfaces, but for Scanner and what the
// core must know to use s at all.
func hide(s driver.Store) driver.Store {
	scanner, scans := s.(driver.Scanner)
	separate, isSeparate := s.(driver.SeparateIndexer)
	switch {
	case scans && isSeparate:
		return struct {
			driver.Store
			driver.Scanner
			driver.SeparateIndexer
		}{s, scanner, separate}
	case scans:
		return struct {
			driver.Store
			driver.Scanner
		}{s, scanner}
	case isSeparate:
		return struct {
			driver.Store
			driver.SeparateIndexer
		}{s, separate}
	}
	return struct{ driver.Store }{s}
}

// has reports whether stores of the place have an interface, and do not decline
// it with errors.ErrUnsupported. "Search" means Searcher or Scanner.
// "RandomVersions" means that it is no ContentVersioner, whose versions may
// repeat, and "OwnExpiry" that it is no Purger, so that it expires records by
// itself: both say what the store is, whatever is hidden. "Locker" says that the
// place is one of Env.Locking.
func (p *place) has(name string) bool {
	p.Helper()
	if name == "Locker" {
		return p.locks
	}
	q := *p
	q.hide = p.hide && name != "RandomVersions" && name != "OwnExpiry"
	s, err := q.tryOpen(p.Context(), p.props, driver.OpenOptions{Indexed: []string{"user"}})
	if err != nil {
		p.fatal("Open: %v", err)
	}
	defer s.Close()
	return supports(p.Context(), s, name)
}

// manager answers a Manager with a handle of its own, and a clock that the case
// sets. It is closed at the end. No janitor runs.
func (p *place) manager(o session.Options) *session.Manager {
	p.Helper()
	m := p.managerOf(p.open(), o)
	return m
}

// managerOf answers a Manager of a store that somebody else closes.
func (p *place) managerOf(s driver.Store, o session.Options) *session.Manager {
	p.Helper()
	if o.PurgeEvery == 0 {
		o.PurgeEvery = session.NoLimit
	}
	if o.RefuseEnded == 0 { // the store has to refuse them
		o.RefuseEnded = session.NoLimit
	}
	o.Class = p.driver.Class().Name
	m, err := session.New(s, &o)
	if err != nil {
		p.fatal("session.New: %v", err)
	}
	return m
}

// raw answers what lies in the place, by the oracle or by Scan, and whether
// either could tell.
func (p *place) raw() (map[string][]byte, bool) {
	p.Helper()
	if p.env.Raw != nil {
		return p.env.Raw(p.TB, p.props), true
	}
	s, err := p.tryOpen(p.Context(), p.props, driver.OpenOptions{Indexed: []string{"user"}})
	if err != nil {
		p.fatal("Open: %v", err)
	}
	defer s.Close()
	scanner, ok := s.(driver.Scanner)
	if !ok {
		return nil, false
	}
	all := make(map[string][]byte)
	for rec, err := range scanner.Scan(p.Context()) {
		if err != nil {
			p.fatal("Scan: %v", err)
		}
		all[rec.Key] = rec.Data
	}
	return all, true
}

// clock is a clock that a case sets. It is safe for concurrent use.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

// newClock answers a clock that shows the present, in whole milliseconds.
func newClock() *clock { return &clock{now: time.Now().UTC().Truncate(time.Millisecond)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}
