package conformance

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"

	"github.com/websession/websession/session"
	"github.com/websession/websession/session/driver"
)

func faultCases() []testCase {
	return []testCase{
		appCase("Faults/CounterIsExact",
			"a network that loses requests and answers must not lose or double what was changed",
			faultyCounter),
		appCase("Faults/SavesRenewalsLogouts",
			"whatever was answered holds, on a bad network too: saved is saved, dead is dead, one login is one session",
			faultyChains),
		appCase("Faults/OneCallLost",
			"each single loss has one right end: done once, or refused without a doubt",
			oneCallLost),
		appCase("Faults/DoubtIsTold",
			"who is told that a change failed makes it again; if it may have been made, that must be said",
			doubtIsTold),
	}
}

// faultyServers answers Managers whose stores lose requests and answers.
func (a *app) faultyServers(n int) ([]*session.Manager, *faults) {
	a.Helper()
	f := newFaults(a.place)
	m := make([]*session.Manager, n)
	for i := range m {
		var s *spy
		m[i], s = a.spied()
		f.spoil(s)
	}
	return m, f
}

func faultyCounter(a *app) {
	sound := a.server()
	m, f := a.faultyServers(4)
	id := a.visit(sound).ID()
	var acknowledged, unknown, refused atomic.Int64
	each := a.few(a.scale(400, 12), 4)
	together(counterWorkers, func(w int) {
		for range each {
			switch err := m[w%4].Update(a.Context(), id, increment); {
			case err == nil:
				acknowledged.Add(1)
			case errors.Is(err, session.ErrUnknownOutcome):
				unknown.Add(1)
			case errors.Is(err, session.ErrNotFound):
				a.fail("Update of a session that is there: %v", err)
			default:
				refused.Add(1)
			}
		}
	})
	lost, _ := f.end()
	got := countKey.GetOr(a.load(sound, id), 0)
	ack, unk := acknowledged.Load(), unknown.Load()
	if got < ack || got > ack+unk {
		a.fail("%d updates were acknowledged, the outcome of %d is unknown, and the counter is %d", ack, unk, got)
	}
	if most := int64(lost / 1000); unk > most {
		a.fail("%d calls of the store were lost, and the outcome of %d updates is unknown, want at most %d", lost, unk, most)
	}
	a.Logf("%d updates acknowledged, %d unknown, %d refused, %d calls of the store lost", ack, unk, refused.Load(), lost)
}

// chain is what a client knows about its session, which renewals carry from id
// to id.
type chain struct {
	number  int64
	id      session.ID
	dead    []session.ID // must not be loadable
	count   int64        // acknowledged value of the attribute count
	maybe   int64        // a later value, which may have been saved; 0 for none
	renewed bool         // a Renew ended with an unknown outcome: the session may be over
	over    bool         // destroyed, or lost
}

var chainKey = session.NewKey[int64]("chain")

func faultyChains(a *app) {
	var leftovers atomic.Int64
	a.opts.Observe = func(_ context.Context, e session.Event) {
		if e.Kind == session.EventLeftover {
			leftovers.Add(1)
		}
	}
	sound := a.server()
	m, f := a.faultyServers(4)
	chains := make([]*chain, a.few(a.scale(640, 64), 32))
	seed := a.rng.Uint64()
	var mu sync.Mutex // of unborn
	unborn := 0
	together(16, func(w int) {
		rng := rand.New(rand.NewPCG(seed, uint64(w)))
		for i := w; i < len(chains); i += 16 {
			c := &chain{number: int64(i)}
			s := m[w%4].NewSession()
			if err := errors.Join(chainKey.Set(s, c.number), s.Save(a.Context())); err != nil {
				mu.Lock()
				unborn++
				mu.Unlock()
				continue
			}
			c.id = s.ID()
			chains[i] = c
			for range 12 {
				if c.over || c.renewed {
					break
				}
				c.step(a, rng, m[rng.IntN(4)])
			}
		}
	})
	lost, born := f.end()
	lives := 0
	for _, c := range chains {
		if c != nil && c.verify(a, sound) {
			lives++
		}
	}
	// A record whose id nobody has is allowed where Observe was told of it, or
	// where it was created after all had been done to prevent that.
	if a.has("Scanner") {
		listed := len(a.lists(sound))
		if extra := listed - lives; extra < 0 || extra > int(leftovers.Load())+born {
			a.fail("%d sessions are alive, %d are listed; Observe was told of %d left over, %d were created late", lives, listed, leftovers.Load(), born)
		}
	}
	if unborn > lost/1000 {
		a.fail("%d of %d sessions could not be created; %d calls of the store were lost", unborn, len(chains), lost)
	}
	a.Logf("%d sessions, %d alive in the end, %d not created, %d left over, %d calls of the store lost", len(chains), lives, unborn, int(leftovers.Load())+born, lost)
}

// step makes one request.
func (c *chain) step(a *app, rng *rand.Rand, m *session.Manager) {
	s, err := m.Load(a.Context(), c.id)
	switch {
	case errors.Is(err, session.ErrNotFound):
		a.fail("a session that nobody ended is gone")
		c.over = true
		return
	case err != nil:
		return // a load that was lost
	}
	switch rng.IntN(8) {
	case 0, 1, 2, 3:
		next := max(c.count, c.maybe) + 1
		err := errors.Join(countKey.Set(s, next), s.Save(a.Context()))
		switch {
		case err == nil:
			c.count, c.maybe = next, 0
		case errors.Is(err, session.ErrNotFound):
			a.fail("Save of a session that nobody ended: %v", err)
		case errors.Is(err, session.ErrUnknownOutcome):
			c.maybe = next
		}
	case 4, 5, 6:
		old := c.id
		err := s.Renew(a.Context())
		switch {
		case err == nil:
			c.id = s.ID()
			c.dead = append(c.dead, old)
		case errors.Is(err, session.ErrNotFound):
			if !errors.Is(err, session.ErrUnknownOutcome) {
				a.fail("Renew of a session that nobody ended: %v", err)
			}
			c.dead = append(c.dead, old)
			c.over = true
		case errors.Is(err, session.ErrUnknownOutcome):
			c.renewed = true
		}
	case 7:
		err := m.Destroy(a.Context(), c.id)
		for errors.Is(err, session.ErrUnknownOutcome) {
			err = m.Destroy(a.Context(), c.id)
		}
		if err == nil {
			c.dead = append(c.dead, c.id)
			c.over = true
		}
	}
}

// verify compares what a client knows with what is there, and reports whether
// the session lives.
func (c *chain) verify(a *app, m *session.Manager) bool {
	for _, id := range c.dead {
		a.dead(m, id, "by an id that was renewed or destroyed")
	}
	if c.over {
		return false
	}
	s, err := m.Load(a.Context(), c.id)
	if err != nil {
		if !c.renewed || !errors.Is(err, session.ErrNotFound) {
			a.fail("Load of a session that nobody ended: %v", err)
		}
		return false
	}
	if n := chainKey.GetOr(s, -1); n != c.number {
		a.fail("session %d has become session %d", c.number, n)
	}
	if n := countKey.GetOr(s, 0); n < c.count || n > max(c.count, c.maybe) {
		a.fail("a session holds %d; %d was acknowledged, up to %d may have been saved", n, c.count, max(c.count, c.maybe))
	}
	return true
}

// doubtIsTold loses the answer to a write while so many servers write the same
// session that its record does not tell any more what became of it.
func doubtIsTold(a *app) {
	const others = 9
	store := a.open()
	far := make([]*session.Manager, others)
	for i := range far {
		far[i] = a.managerOf(store, a.opts)
	}
	m, spy := a.spied()
	for _, executed := range []bool{false, true} {
		for _, refuse := range []bool{false, true} {
			for _, by := range []string{"Save", "Update"} {
				id := a.visit(far[0]).ID()
				s := a.load(m, id)
				full := errors.New("disk full")
				cut := func() error {
					for _, m := range far {
						a.need("Update", m.Update(a.Context(), id, increment))
					}
					return errCut
				}
				writes := 0
				spy.reset(func(c storeCall) error {
					if c.method != "Replace" {
						return nil
					}
					switch writes++; {
					case writes == 1 && !executed:
						return cut()
					case writes > 1 && refuse:
						return driver.NotApplied(full)
					}
					return nil
				}, func(c storeCall, err error) error {
					if c.method == "Replace" && writes == 1 && executed {
						return cut()
					}
					return err
				})
				var err error
				if by == "Save" {
					err = a.setSave(s, shapeKey, "round")
				} else {
					err = m.Update(a.Context(), id, increment)
				}
				spy.reset(nil, nil)
				got := a.load(far[0], id)
				want := int64(others)
				switch {
				case by == "Save" && !refuse:
					a.need("Save that was repeated", err)
					holds(a, got, shapeKey, "round")
				case !errors.Is(err, session.ErrUnknownOutcome):
					a.fail("%s that may have been applied (it was: %v) and was not repeated: %v, want ErrUnknownOutcome", by, executed, err)
				case by == "Update" && executed:
					want++
				}
				holds(a, got, countKey, want)
				a.need("Destroy", m.Destroy(a.Context(), id))
			}
		}
	}
}
