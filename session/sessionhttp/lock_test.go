package sessionhttp_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/session"
	"github.com/websession/websession/session/sessionhttp"
)

// locking is a store that locks; all sessions share one lock, which a test needs
// for one session only.
type locking struct {
	*store
	turn chan struct{}
}

var errLockWait = errors.New("somebody else holds the lock")

func (l *locking) Lock(ctx context.Context, _ string) (unlock func() error, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := l.run(ctx, "lock"); err != nil {
		return nil, err
	}
	t := time.NewTimer(10 * time.Second)
	defer t.Stop()
	select {
	case l.turn <- struct{}{}:
	case <-t.C:
		return nil, errLockWait
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return func() error {
		select {
		case <-l.turn:
			return l.run(context.Background(), "unlock")
		default:
			panic("a lock was given back twice")
		}
	}, nil
}

// lockingWorld is a world with a store that locks.
type lockingWorld struct {
	*world
	locker *locking
}

func newLockingWorld(t testing.TB) lockingWorld {
	w := &world{events: &events{}, store: newStore()}
	l := &locking{w.store, make(chan struct{}, 1)}
	m, err := session.New(l, &session.Options{Observe: w.observe, Class: "Test"})
	require.NoError(t, err)
	w.m = m
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	return lockingWorld{w, l}
}

// However a handler ends, it had the lock from Get until the header left, and
// has given it back.
func TestLockOfARequest(t *testing.T) {
	readAndModify := []string{"lock", "load", "replace", "unlock"}
	change := func(t *testing.T, r *http.Request) *session.Session {
		s := get(t, r)
		must(t, count.Set(s, 2))
		return s
	}
	type handler func(t *testing.T, w *world, rw http.ResponseWriter, r *http.Request)
	cases := map[string]struct {
		do   handler
		want []string
	}{
		"does not ask": {func(_ *testing.T, _ *world, rw http.ResponseWriter, _ *http.Request) { io.WriteString(rw, "x") }, nil},
		"reads": {func(t *testing.T, _ *world, rw http.ResponseWriter, r *http.Request) {
			get(t, r)
			get(t, r)
			io.WriteString(rw, "x")
		}, []string{"lock", "load", "unlock"}},
		"sends nothing": {func(t *testing.T, _ *world, _ http.ResponseWriter, r *http.Request) { change(t, r) }, readAndModify},
		"panics": {func(t *testing.T, _ *world, _ http.ResponseWriter, r *http.Request) {
			change(t, r)
			panic(http.ErrAbortHandler)
		}, []string{"lock", "load", "unlock"}},
		"panics after the header": {func(t *testing.T, _ *world, rw http.ResponseWriter, r *http.Request) {
			change(t, r)
			io.WriteString(rw, "x")
			panic(http.ErrAbortHandler)
		}, readAndModify},
		"cannot save": {func(t *testing.T, w *world, rw http.ResponseWriter, r *http.Request) {
			change(t, r)
			w.store.down("replace")
			io.WriteString(rw, "x")
		}, readAndModify},
		"cannot load": {func(t *testing.T, w *world, rw http.ResponseWriter, r *http.Request) {
			w.store.down("load")
			_, err := sessionhttp.Get(r)
			require.ErrorIs(t, err, errDown)
		}, []string{"lock", "load", "unlock"}},
		"finishes by itself": {func(t *testing.T, _ *world, rw http.ResponseWriter, r *http.Request) {
			change(t, r).Finish()
			io.WriteString(rw, "x")
		}, []string{"lock", "load", "unlock"}},
		"asks after the header": {func(t *testing.T, _ *world, rw http.ResponseWriter, r *http.Request) {
			io.WriteString(rw, "x")
			change(t, r)
		}, []string{"lock", "load", "unlock", "lock", "replace", "unlock"}},
		"changes after the header": {func(t *testing.T, w *world, rw http.ResponseWriter, r *http.Request) {
			s := change(t, r)
			io.WriteString(rw, "x")
			require.Equal(t, readAndModify, w.store.made(), "the next may go on before this handler returns")
			must(t, count.Set(s, 3))
		}, []string{"lock", "replace", "unlock"}},
		"renews": {func(t *testing.T, _ *world, rw http.ResponseWriter, r *http.Request) {
			must(t, get(t, r).Renew(r.Context()))
			io.WriteString(rw, "x")
		}, []string{"lock", "load", "create", "delete", "unlock"}},
		"destroys": {func(t *testing.T, _ *world, rw http.ResponseWriter, r *http.Request) {
			must(t, get(t, r).Destroy(r.Context()))
			io.WriteString(rw, "x")
		}, []string{"lock", "load", "delete", "unlock"}},
		"updates the session that it has": {func(t *testing.T, w *world, rw http.ResponseWriter, r *http.Request) {
			s := get(t, r)
			must(t, w.m.Update(r.Context(), s.ID(), func(s *session.Session) error { return count.Set(s, count.GetOr(s, 0)+1) }))
			io.WriteString(rw, "x")
		}, []string{"lock", "load", "load", "replace", "unlock"}},
	}
	for name, send := range senders {
		cases["sends by "+name] = struct {
			do   handler
			want []string
		}{func(t *testing.T, w *world, rw http.ResponseWriter, r *http.Request) {
			change(t, r)
			send(rw, r)
			require.Equal(t, readAndModify, w.store.made())
		}, nil}
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := newLockingWorld(t)
			id := w.login(t)
			func() {
				defer func() { recover() }()
				h := sessionhttp.Middleware(w.m, nil)(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { c.do(t, w.world, rw, r) }))
				h.ServeHTTP(newProbe(), newRequest(id))
			}()
			require.Equal(t, c.want, w.store.made())
			w.store.on(nil)
			next := sessionhttp.Middleware(w.m, nil)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { get(t, r) }))
			next.ServeHTTP(httptest.NewRecorder(), newRequest(id)) // and has not to wait
			made := w.store.made()
			require.Equal(t, "unlock", made[len(made)-1])
			require.Empty(t, w.of(session.EventLockLost))
		})
	}
}

// A lock that is not to be had in time is answered by 503; nobody goes on without.
func TestLockThatIsNotHad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newLockingWorld(t)
		id := w.login(t)
		holder, err := w.m.Load(t.Context(), id)
		require.NoError(t, err)
		begin := time.Now()
		rec := w.serve(nil, id, func(rw http.ResponseWriter, r *http.Request) {
			s, err := sessionhttp.Get(r)
			require.Nil(t, s)
			require.ErrorIs(t, err, errLockWait)
			noSecret(t, id, err)
		})
		require.Equal(t, http.StatusServiceUnavailable, rec.Code)
		require.Equal(t, 10*time.Second, time.Since(begin))

		gone, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begin = time.Now()
		w.serveRequest(nil, newRequest(id).WithContext(gone), func(rw http.ResponseWriter, r *http.Request) {
			_, err := sessionhttp.Get(r)
			require.ErrorIs(t, err, context.DeadlineExceeded)
		})
		require.Equal(t, time.Second, time.Since(begin))

		// A change after the header waits as long as it may take, if not for a
		// request of this Manager, whose lock it joins.
		holder.Finish()
		begin = time.Now()
		var unlock func() error
		w.serve(nil, id, func(rw http.ResponseWriter, r *http.Request) {
			s := get(t, r)
			io.WriteString(rw, "x")
			unlock, err = w.locker.Lock(t.Context(), "")
			must(t, err)
			must(t, count.Set(s, 2))
		})
		require.Equal(t, sessionhttp.DefaultCommitTimeout, time.Since(begin))
		late := w.of(session.EventLateSaveFailed)
		require.Len(t, late, 1)
		require.ErrorIs(t, late[0].Err, context.DeadlineExceeded)
		require.NoError(t, unlock())
	})
}

// Requests of one session run one after the other; what each changed is there.
func TestRequestsQueueForTheLock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newLockingWorld(t)
		id := w.login(t)
		const requests, work = 5, time.Second
		done := make(chan time.Duration, requests)
		begin := time.Now()
		for range requests {
			go func() {
				rec := w.serve(nil, id, func(rw http.ResponseWriter, r *http.Request) {
					s := get(t, r)
					time.Sleep(work)
					must(t, count.Set(s, count.GetOr(s, 0)+1)) // no Update: the lock does it
				})
				if rec.Code != http.StatusOK {
					t.Errorf("status %d", rec.Code)
				}
				done <- time.Since(begin)
			}()
		}
		for i := range requests {
			require.Equal(t, time.Duration(i+1)*work, <-done)
		}
		s := w.load(t, id)
		require.EqualValues(t, 1+requests, count.GetOr(s, 0))
		s.Finish()
	})
}
