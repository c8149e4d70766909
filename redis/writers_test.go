package redis_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/session"
	"github.com/websession/websession/session/driver"
)

const writerCount = 16

var user = session.NewKey[string]("user")

// work is what 16 writers do to sessions until they are stopped, and what they
// were answered. They share counters, and create and destroy sessions of their
// own.
type work struct {
	counters []session.ID
	writers  []*writer
	stopped  chan struct{}
	running  sync.WaitGroup

	mu   sync.Mutex
	last time.Time // of a success
	gap  time.Duration
}

// writer is one of them. An answer of nil is a confirmation; with
// ErrUnknownOutcome both is right; any other error says that nothing was changed.
type writer struct {
	w    *work
	m    *session.Manager
	rng  *rand.Rand
	user string
	own  session.Key[int64] // how often it incremented a counter

	acked, unknown []int64               // by counter
	alive          map[session.ID]string // with what is in them
	line           []session.ID          // the same
	ended          []session.ID

	succeeded, doubtful, refused int
	example                      error // of what was refused
	wrong                        []error
}

// newWork prepares writers on these Managers, and some counters.
func newWork(tb testing.TB, ms []*session.Manager, rng *rand.Rand) *work {
	tb.Helper()
	w := &work{stopped: make(chan struct{})}
	for range 4 {
		w.counters = append(w.counters, newSession(tb, ms[0]))
	}
	run := rng.Uint32()
	for i := range writerCount {
		w.writers = append(w.writers, &writer{
			w: w, m: ms[i%len(ms)], rng: rand.New(rand.NewPCG(rng.Uint64(), 0)),
			user: fmt.Sprintf("user-%d-%d", run, i), own: session.NewKey[int64](fmt.Sprint("by", i)),
			alive: make(map[session.ID]string),
		})
	}
	return w
}

// has gives a writer a session that somebody else has created.
func (w *writer) has(id session.ID, text string) {
	w.alive[id] = text
	w.line = append(w.line, id)
}

// begin has the writers begin.
func (w *work) begin() {
	w.last = time.Now()
	for _, one := range w.writers {
		one.acked, one.unknown = make([]int64, len(w.counters)), make([]int64, len(w.counters))
		w.running.Go(func() {
			for {
				select {
				case <-w.stopped:
					return
				default:
					one.act()
				}
			}
		})
	}
}

// stop ends the work, and answers the longest time without a success.
func (w *work) stop() time.Duration {
	close(w.stopped)
	w.running.Wait()
	return w.longest()
}

func (w *work) succeed() {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	w.gap, w.last = max(w.gap, now.Sub(w.last)), now
}

func (w *work) longest() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return max(w.gap, time.Since(w.last))
}

// act makes one call, as a request does: within 5 s.
func (w *writer) act() {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	switch n := w.rng.IntN(10); {
	case n < 5:
		w.increment(ctx)
	case n < 8 || len(w.line) == 0:
		w.create(ctx)
	default:
		w.destroy(ctx)
	}
}

func (w *writer) increment(ctx context.Context) {
	i := w.rng.IntN(len(w.w.counters))
	err := w.m.Update(ctx, w.w.counters[i], func(s *session.Session) error {
		if err := count.Set(s, count.GetOr(s, 0)+1); err != nil {
			return err
		}
		return w.own.Set(s, w.own.GetOr(s, 0)+1)
	})
	switch w.note(err) {
	case nil:
		w.acked[i]++
	case session.ErrUnknownOutcome:
		w.unknown[i]++
	}
}

func (w *writer) create(ctx context.Context) {
	s := w.m.NewSession()
	text := fmt.Sprintf("%s has %x", w.user, w.rng.Uint64())
	err := errors.Join(left.Set(s, text), user.Set(s, w.user))
	if err == nil {
		err = s.Save(ctx)
	}
	if w.note(err) == nil {
		w.has(s.ID(), text)
	}
}

func (w *writer) destroy(ctx context.Context) {
	i := w.rng.IntN(len(w.line))
	id := w.line[i]
	switch w.note(w.m.Destroy(ctx, id)) {
	case nil:
		w.ended = append(w.ended, id)
	case session.ErrUnknownOutcome:
	default: // it is still alive
		return
	}
	w.line[i] = w.line[len(w.line)-1]
	w.line = w.line[:len(w.line)-1]
	delete(w.alive, id)
}

var errRefused = errors.New("not applied")

// note takes note of an answer, and says which of the three it is.
func (w *writer) note(err error) error {
	switch {
	case err == nil:
		w.succeeded++
		w.w.succeed()
		return nil
	case errors.Is(err, session.ErrUnknownOutcome):
		w.doubtful++
		return session.ErrUnknownOutcome
	case errors.Is(err, session.ErrNotFound), errors.Is(err, session.ErrCorrupt), errors.Is(err, driver.ErrExists):
		w.wrong = append(w.wrong, err) // every session that is used was confirmed
	}
	w.refused, w.example = w.refused+1, err
	return errRefused
}

// losses are the calls that were confirmed and whose effect is gone.
type losses struct {
	sessions, increments, logouts int

	unfound int // sessions that are there, and that their user does not find
}

func (l losses) sum() int { return l.sessions + l.increments + l.logouts + l.unfound }

func (l *losses) add(o losses) {
	l.sessions += o.sessions
	l.increments += o.increments
	l.logouts += o.logouts
	l.unfound += o.unfound
}

func (l losses) String() string {
	return fmt.Sprintf("%d sessions, %d increments, %d logouts, %d entries of the index", l.sessions, l.increments, l.logouts, l.unfound)
}

// judge compares what is there with what was confirmed, when the work has
// stopped. What is neither lost nor right fails the test: the data of another
// session, half of an update, an update that was applied twice.
func (w *work) judge(tb testing.TB, m *session.Manager) (l losses) {
	tb.Helper()
	for i, id := range w.counters {
		s, err := m.Load(ctx, id)
		if errors.Is(err, session.ErrNotFound) {
			l.sessions++
			continue
		}
		require.NoError(tb, err)
		sum := int64(0)
		for n, one := range w.writers {
			got := one.own.GetOr(s, 0)
			sum += got
			require.LessOrEqual(tb, got, one.acked[i]+one.unknown[i], "writer %d incremented counter %d twice by one call", n, i)
			l.increments += int(max(one.acked[i]-got, 0))
		}
		require.Equal(tb, sum, count.GetOr(s, 0), "counter %d has half of an update", i)
	}
	var mu sync.Mutex
	var checks sync.WaitGroup
	for _, one := range w.writers {
		checks.Go(func() {
			lost, err := one.judge(m)
			mu.Lock()
			defer mu.Unlock()
			l.add(lost)
			if err != nil {
				tb.Errorf("%s: %v", one.user, err)
			}
		})
	}
	checks.Wait()
	return l
}

func (w *writer) judge(m *session.Manager) (l losses, err error) {
	found := make(map[session.Handle]bool)
	for s, err := range m.Find(ctx, "user", w.user) {
		if err != nil {
			return l, fmt.Errorf("find: %w", err)
		}
		found[s.Handle()] = true
	}
	for id, text := range w.alive {
		s, err := m.Load(ctx, id)
		switch {
		case errors.Is(err, session.ErrNotFound):
			l.sessions++
			continue
		case err != nil:
			return l, err
		case left.GetOr(s, "") != text:
			return l, fmt.Errorf("a session has %q instead of %q", left.GetOr(s, ""), text)
		case s.Has("user") && !found[s.Handle()]:
			l.unfound++
		}
	}
	for _, id := range w.ended {
		if _, err := m.Load(ctx, id); err == nil {
			l.logouts++
		} else if !errors.Is(err, session.ErrNotFound) {
			return l, err
		}
	}
	return l, nil
}

// answers counts what the writers were answered.
type answers struct {
	succeeded, doubtful, refused, absent int
	example                              error
}

func (w *work) answers() (a answers) {
	for _, one := range w.writers {
		a.succeeded += one.succeeded
		a.doubtful += one.doubtful
		a.refused += one.refused
		a.absent += len(one.wrong)
		if len(one.wrong) > 0 {
			a.example = one.wrong[0]
		} else if a.absent == 0 && one.example != nil {
			a.example = one.example
		}
	}
	return a
}

func (a *answers) add(o answers) {
	a.succeeded += o.succeeded
	a.doubtful += o.doubtful
	a.refused += o.refused
	a.absent += o.absent
}

func (a answers) String() string {
	return fmt.Sprintf("%d confirmed, %d unknown, %d not applied", a.succeeded, a.doubtful, a.refused)
}
