package session_test

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/websession/websession/session"
	"github.com/websession/websession/session/memory"
)

// sweep is one operation of the core, one of whose store calls suffers. Two
// sessions are there: one of ada's, loaded as s, red and with count 1, and another
// of hers, which has expired long ago.
type sweep struct {
	*testing.T
	store   *sweptStore
	m       *session.Manager // whose calls suffer
	sound   *session.Manager // whose calls do not
	clock   *manual
	s       *session.Session
	id      session.ID // of s as it was loaded
	expired session.ID

	err       error // of the operation
	found     int
	leftovers int // records that the core said it had to leave
	failed    int // touches that it said had failed
}

// sweptOperations are the operations, and what must be true after one.
var sweptOperations = []struct {
	name  string
	run   func(w *sweep, ctx context.Context) error
	check func(w *sweep)
}{
	{"load",
		func(w *sweep, ctx context.Context) error { _, err := w.m.Load(ctx, w.id); return err },
		func(w *sweep) { w.certain(); w.holds(w.id, "red", 1); w.records(2) }},
	{"first save", saveNew, checkNew},
	{"first save under an id that is known",
		func(w *sweep, ctx context.Context) error {
			w.s = w.m.NewSession()
			w.s.ID()
			return saveIn(w.s, ctx)
		}, checkNew},
	{"save",
		func(w *sweep, ctx context.Context) error {
			return errors.Join(color.Set(w.s, "blue"), w.s.Save(ctx))
		},
		func(w *sweep) { w.either(func(done bool) bool { return w.is(w.id, pickColor(done), 1) }); w.records(2) }},
	{"save after another's",
		func(w *sweep, ctx context.Context) error {
			require.NoError(w, w.sound.Update(w.Context(), w.id, increment))
			return errors.Join(color.Set(w.s, "blue"), w.s.Save(ctx))
		},
		func(w *sweep) { w.either(func(done bool) bool { return w.is(w.id, pickColor(done), 2) }); w.records(2) }},
	{"touch",
		func(w *sweep, ctx context.Context) error { return w.s.Save(ctx) },
		func(w *sweep) {
			require.NoError(w, w.err, "a touch that fails is not the request's fault")
			require.Equal(w, min(len(w.store.suffered), 1), w.failed, "touches that failed")
			w.holds(w.id, "red", 1)
			w.records(2)
		}},
	{"update",
		func(w *sweep, ctx context.Context) error { return w.m.Update(ctx, w.id, increment) },
		func(w *sweep) {
			w.either(func(done bool) bool { return done && w.is(w.id, "red", 2) || !done && w.is(w.id, "red", 1) })
			w.records(2)
		}},
	{"renew", renewBlue, func(w *sweep) { checkRenewed(w, 1) }},
	{"renew after another's save",
		func(w *sweep, ctx context.Context) error {
			require.NoError(w, w.sound.Update(w.Context(), w.id, increment))
			return renewBlue(w, ctx)
		},
		func(w *sweep) { checkRenewed(w, 2) }},
	{"logout",
		func(w *sweep, ctx context.Context) error { return w.s.Destroy(ctx) }, checkEnded},
	{"logout by id",
		func(w *sweep, ctx context.Context) error { return w.m.Destroy(ctx, w.id) }, checkEnded},
	{"find",
		func(w *sweep, ctx context.Context) error {
			for _, err := range w.m.Find(ctx, "user", "ada") {
				if err != nil {
					return err
				}
				w.found++
			}
			return nil
		},
		func(w *sweep) {
			w.certain()
			require.True(w, w.found == 1 || w.err != nil, "found %d", w.found)
			w.holds(w.id, "red", 1)
			w.records(2)
		}},
	{"logout everywhere",
		func(w *sweep, ctx context.Context) (err error) {
			w.found, err = w.m.DestroyFound(ctx, "user", "ada", nil)
			return err
		},
		func(w *sweep) {
			require.True(w, w.found == 1 || w.found == 0 && w.err != nil, "ended %d", w.found)
			if w.found == 1 { // whatever failed came after
				w.err = nil
			}
			checkEnded(w)
		}},
	{"purge",
		func(w *sweep, ctx context.Context) error { _, err := w.m.Purge(ctx); return err },
		func(w *sweep) {
			w.holds(w.id, "red", 1)
			n := w.count()
			require.True(w, n == 1 || n == 2 && (w.err != nil || w.m.Capabilities()[3].Support == session.NotNeeded), "%d records", n)
		}},
}

// saveIn stores a new session.
func saveIn(s *session.Session, ctx context.Context) error {
	return errors.Join(count.Set(s, 1), color.Set(s, "blue"), s.Save(ctx))
}

func saveNew(w *sweep, ctx context.Context) error {
	w.s = w.m.NewSession()
	return saveIn(w.s, ctx)
}

func checkNew(w *sweep) {
	w.holds(w.id, "red", 1)
	n := w.count() - 2
	switch {
	case w.err == nil:
		w.holds(w.s.ID(), "blue", 1)
		require.LessOrEqual(w, n, 1+w.leftovers)
	case errors.Is(w.err, session.ErrUnknownOutcome):
		require.LessOrEqual(w, n, 1)
	default:
		require.Zero(w, n, "nothing was stored: %v", w.err)
	}
}

func renewBlue(w *sweep, ctx context.Context) error {
	return errors.Join(color.Set(w.s, "blue"), w.s.Renew(ctx))
}

// checkRenewed demands that one session is left, or none if the outcome is
// unknown.
func checkRenewed(w *sweep, n int64) {
	switch {
	case w.err == nil:
		w.dead(w.id)
		w.holds(w.s.ID(), "blue", n)
	case !errors.Is(w.err, session.ErrUnknownOutcome):
		w.holds(w.id, "red", n)
	case !w.is(w.id, "red", n):
		w.dead(w.id)
	}
	require.LessOrEqual(w, w.count(), 2+w.leftovers, "sessions left behind")
}

func checkEnded(w *sweep) {
	switch {
	case w.err == nil:
		w.dead(w.id)
		w.records(1)
	case !errors.Is(w.err, session.ErrUnknownOutcome):
		w.holds(w.id, "red", 1)
	case !w.is(w.id, "red", 1):
		w.dead(w.id)
	}
}

func pickColor(done bool) string {
	if done {
		return "blue"
	}
	return "red"
}

// either demands that the change was made if nobody said otherwise, was not made
// if the operation failed, and one of both if its outcome is unknown.
func (w *sweep) either(is func(done bool) bool) {
	w.Helper()
	switch {
	case w.err == nil:
		require.True(w, is(true), "it was answered that the change was saved")
	case errors.Is(w.err, session.ErrUnknownOutcome):
		require.True(w, is(true) || is(false), "whatever the outcome, the session is there")
	default:
		require.True(w, is(false), "it was answered that the change was not saved: %v", w.err)
	}
}

// certain demands that an operation that changes nothing leaves no doubt.
func (w *sweep) certain() {
	w.Helper()
	require.NotErrorIs(w, w.err, session.ErrUnknownOutcome)
	if len(w.store.suffered) == 0 {
		require.NoError(w, w.err)
	}
}

// is reports whether a session is there and holds this.
func (w *sweep) is(id session.ID, want string, n int64) bool {
	s, err := w.sound.Load(w.Context(), id)
	return err == nil && color.GetOr(s, "") == want && count.GetOr(s, 0) == n
}

func (w *sweep) holds(id session.ID, want string, n int64) {
	w.Helper()
	require.True(w, w.is(id, want, n), "the session must be there, %s and with count %d; the operation answered %v", want, n, w.err)
}

func (w *sweep) dead(id session.ID) {
	w.Helper()
	_, err := w.sound.Load(w.Context(), id)
	require.ErrorIs(w, err, session.ErrNotFound)
}

// count answers how many records there are.
func (w *sweep) count() (n int) {
	for _, err := range w.store.Store.Scan(w.Context()) {
		require.NoError(w, err)
		n++
	}
	return n
}

func (w *sweep) records(n int) {
	w.Helper()
	require.Equal(w, n, w.count(), "records")
}

// The n-th store call of every operation fails before it is executed, fails after,
// or hangs until its context ends; it alone, or with all that follow. Nothing
// panics, no goroutine stays behind (neither in the bubble, which would not end,
// nor outside), and every promise holds.
func TestSweepOfStoreCalls(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	trials := 0
	for i, op := range sweptOperations {
		t.Run(op.name, func(t *testing.T) {
			for _, bare := range []bool{false, true} {
				for what := range afflictions {
					for _, forGood := range []bool{false, true} {
						// The caller's patience: longer than that with the store, and
						// shorter.
						for _, limit := range []time.Duration{5 * time.Minute, time.Second} {
							for n := 1; ; n++ {
								require.Less(t, n, 100)
								if !runSweep(t, i, &sweptStore{Store: memory.New(), nth: n, what: what, forGood: forGood}, bare, limit) {
									break
								}
								trials++
							}
						}
					}
				}
			}
		})
	}
	t.Logf("figure: store calls of %d operations that failed or hung, each in its turn, in which a promise broke: 0 of %d (each that there is: nothing is left to bound)", len(sweptOperations), trials)
}

// runSweep makes an operation and checks it. It reports whether a call suffered.
func runSweep(t *testing.T, i int, store *sweptStore, bare bool, limit time.Duration) (suffered bool) {
	op := sweptOperations[i]
	synctest.Test(t, func(t *testing.T) {
		w := &sweep{T: t, store: store, clock: newManual()}
		defer func() {
			if t.Failed() {
				t.Logf("%s; %v; bare %v, limit %v; answered %v", op.name, store, bare, limit, w.err)
			}
		}()
		w.prepare(bare)
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		defer cancel()
		w.err = w.make(ctx, op.run)
		suffered = len(store.suffered) > 0
		require.Zero(t, store.open, "calls of the store that have not returned")
		store.well = true
		op.check(w)
	})
	return suffered
}

// prepare makes the Managers and the sessions.
func (w *sweep) prepare(bare bool) {
	w.store.well = true
	w.sound = newManager(w.T, nopClose{w.store.Store}, &session.Options{Now: w.clock.Now, PurgeEvery: session.NoLimit})
	w.m = newManager(w.T, w.store.store(bare), &session.Options{Now: w.clock.Now, PurgeEvery: session.NoLimit,
		Observe: func(_ context.Context, e session.Event) {
			switch e.Kind {
			case session.EventLeftover:
				w.leftovers++
			case session.EventTouchFailed:
				w.failed++
			}
		}})
	w.expired = w.adas()
	w.clock.advance(2 * session.DefaultIdle)
	w.id = w.adas()
	w.clock.advance(session.DefaultIdle / 2) // a touch is due
	w.s = load(w.T, w.m, w.id)
	w.store.well, w.store.calls = false, 0
}

// adas stores a session of ada's.
func (w *sweep) adas() session.ID {
	s := w.sound.NewSession()
	require.NoError(w, errors.Join(user.Set(s, "ada"), color.Set(s, "red"), count.Set(s, 1), s.Save(w.Context())))
	return s.ID()
}

// make calls an operation. A panic is an error that fails the test.
func (w *sweep) make(ctx context.Context, run func(*sweep, context.Context) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
			w.Errorf("%v\n%s", err, debug.Stack())
		}
	}()
	return run(w, ctx)
}
