package sessionhttp_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/session"
	"github.com/websession/websession/session/sessionhttp"
)

// Requests of one client that overlap.

func TestOverlappingRequestsKeepBothChanges(t *testing.T) { // P5
	pairs := few(300)
	w := newWorld(t, nil)
	for range pairs {
		id := w.login(t)
		var loaded, done sync.WaitGroup
		loaded.Add(2)
		change := func(key session.Key[string], value string) {
			done.Go(func() {
				rec := w.serve(nil, id, func(rw http.ResponseWriter, r *http.Request) {
					s := get(t, r)
					loaded.Done()
					loaded.Wait() // both have the same state
					must(t, key.Set(s, value))
					io.WriteString(rw, "saved")
				})
				if rec.Code != 200 || len(cookies(rec)) != 0 {
					t.Errorf("status %d, cookies %v", rec.Code, cookies(rec))
				}
			})
		}
		change(color, "red")
		change(shape, "round")
		done.Wait()
		s := w.load(t, id)
		require.Equal(t, []string{"red", "round", "ann"}, []string{color.GetOr(s, ""), shape.GetOr(s, ""), user.GetOr(s, "")})
	}
}

func TestSlowRequestDoesNotUndoALogout(t *testing.T) { // P4
	for _, change := range []bool{true, false} {
		t.Run(fmt.Sprintf("change %v", change), func(t *testing.T) {
			w := newWorld(t, nil)
			id := w.login(t)
			loaded, loggedOut := newGate(), newGate()
			var slow *httptest.ResponseRecorder
			var wg sync.WaitGroup
			wg.Go(func() {
				slow = w.serve(nil, id, func(rw http.ResponseWriter, r *http.Request) {
					s := get(t, r)
					loaded.open()
					loggedOut.wait(t)
					if change {
						must(t, count.Set(s, 2))
					}
					io.WriteString(rw, "done")
				})
			})
			loaded.wait(t)
			logout := w.serve(nil, id, func(rw http.ResponseWriter, r *http.Request) { must(t, get(t, r).Destroy(r.Context())) })
			require.Regexp(t, deleteForm, cookies(logout)[0])
			loggedOut.open()
			wg.Wait()
			if change {
				require.Equal(t, http.StatusConflict, slow.Code)
				require.Equal(t, "Conflict\n", slow.Body.String())
			} else {
				require.Equal(t, 200, slow.Code)
			}
			require.Empty(t, cookies(slow), "the cookie is not deleted, nor set")
			w.gone(t, id)
			require.Zero(t, w.records(t))
		})
	}
}

func TestLateSaveDoesNotUndoALogout(t *testing.T) {
	w := newWorld(t, nil)
	id := w.login(t)
	w.serve(nil, id, func(rw http.ResponseWriter, r *http.Request) {
		s := get(t, r)
		io.WriteString(rw, "stream")
		must(t, w.m.Destroy(context.Background(), id))
		must(t, count.Set(s, 2))
	})
	w.gone(t, id)
	require.Zero(t, w.records(t))
	events := w.of(session.EventLateSaveFailed)
	require.Len(t, events, 1)
	require.ErrorIs(t, events[0].Err, session.ErrNotFound)
}

func TestLoginChangesTheCookieAndKillsTheOldOne(t *testing.T) { // fixation
	w := newWorld(t, nil)
	rec := w.serve(nil, "", func(rw http.ResponseWriter, r *http.Request) { must(t, color.Set(get(t, r), "red")) })
	planted := sentID(t, rec.Result().Header) // the attacker knows it

	rec = w.serve(nil, planted, func(rw http.ResponseWriter, r *http.Request) {
		s := get(t, r)
		must(t, s.Renew(r.Context()))
		w.gone(t, planted) // at once, not when the request ends
		must(t, user.Set(s, "ann"))
		http.Redirect(rw, r, "/", http.StatusSeeOther)
	})
	id := sentID(t, rec.Result().Header)
	require.NotEqual(t, planted, id)
	s := w.load(t, id)
	require.Equal(t, []string{"ann", "red"}, []string{user.GetOr(s, ""), color.GetOr(s, "")})
	rec = w.serve(nil, planted, func(rw http.ResponseWriter, r *http.Request) {
		require.Empty(t, get(t, r).Names(), "the planted cookie is nobody")
	})
	require.Empty(t, cookies(rec))
	require.Equal(t, 1, w.records(t))
}

func TestRequestWithTheOldCookieDuringALoginIsRefused(t *testing.T) { // P7
	w := newWorld(t, nil)
	id := w.login(t)
	rec := w.serve(nil, id, func(rw http.ResponseWriter, r *http.Request) {
		must(t, count.Set(get(t, r), 2))
		w.serve(nil, id, func(rw http.ResponseWriter, r *http.Request) { must(t, get(t, r).Renew(r.Context())) })
		io.WriteString(rw, "saved")
	})
	require.Equal(t, http.StatusConflict, rec.Code, "an error, and no silent loss")
	require.Empty(t, cookies(rec), "the new cookie of the login stays")
	require.Equal(t, 1, w.records(t))
}

func TestOfTwoLoginsOneWins(t *testing.T) {
	w := newWorld(t, nil)
	for range few(200) {
		before := w.records(t)
		id := w.login(t)
		var loaded, done sync.WaitGroup
		loaded.Add(2)
		answers := make([]*httptest.ResponseRecorder, 2)
		for i := range answers {
			done.Go(func() {
				answers[i] = w.serve(nil, id, func(rw http.ResponseWriter, r *http.Request) {
					s := get(t, r)
					loaded.Done()
					loaded.Wait()
					if err := s.Renew(r.Context()); err != nil {
						http.Error(rw, "try again", http.StatusConflict)
						return
					}
					io.WriteString(rw, "welcome")
				})
			})
		}
		done.Wait()
		require.ElementsMatch(t, []int{200, 409}, []int{answers[0].Code, answers[1].Code})
		for _, a := range answers {
			require.Equal(t, a.Code == 200, len(cookies(a)) == 1)
		}
		require.Equal(t, before+1, w.records(t))
	}
}

// TestGoroutinesOfOneRequest is for the race detector: a handler whose
// goroutines use the session while it answers.
func TestGoroutinesOfOneRequest(t *testing.T) {
	w := newWorld(t, nil)
	for range few(100) {
		id := w.login(t)
		var finished sync.WaitGroup
		w.serve(nil, id, func(rw http.ResponseWriter, r *http.Request) {
			for i := range 4 {
				finished.Go(func() {
					for j := range 5 {
						s, err := sessionhttp.Get(r)
						if err != nil {
							require.ErrorIs(t, err, session.ErrFinished)
							return
						}
						count.GetOr(s, 0)
						if err := session.NewKey[int](fmt.Sprint("k", i, j)).Set(s, j); err != nil {
							require.ErrorIs(t, err, session.ErrFinished)
						}
					}
				})
			}
			io.WriteString(rw, "x")
		})
		finished.Wait()
		w.load(t, id)
	}
	require.Empty(t, w.of(session.EventLateSaveFailed))
}

// TestManyClientsThroughHTTP is a random run against a real server: every
// client changes attributes of its own in overlapping requests, logs in and out,
// and must find exactly what it saved.
func TestManyClientsThroughHTTP(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	w := newWorld(t, nil)
	mux := http.NewServeMux()
	mux.HandleFunc("/set/{name}/{value}", func(rw http.ResponseWriter, r *http.Request) {
		s := get(t, r)
		must(t, session.NewKey[string](r.PathValue("name")).Set(s, r.PathValue("value")))
		io.WriteString(rw, "saved")
	})
	mux.HandleFunc("/get", func(rw http.ResponseWriter, r *http.Request) {
		s := get(t, r)
		for _, name := range s.Names() {
			fmt.Fprintf(rw, "%s=%s ", name, session.NewKey[string](name).GetOr(s, "?"))
		}
	})
	mux.HandleFunc("/login", func(rw http.ResponseWriter, r *http.Request) { must(t, get(t, r).Renew(r.Context())) })
	mux.HandleFunc("/logout", func(rw http.ResponseWriter, r *http.Request) { must(t, get(t, r).Destroy(r.Context())) })
	srv := startServer(t, w, nil, mux)
	var wg sync.WaitGroup
	for c := range 8 {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(seed, uint64(c)))
			client := srv.client(t)
			client.get("/set/client/" + fmt.Sprint(c))
			want := map[string]string{"client": fmt.Sprint(c)}
			for range few(40) {
				switch rnd.IntN(8) {
				case 0:
					client.get("/login")
				case 1:
					old := client.cookie()
					client.get("/logout")
					client.get("/set/client/" + fmt.Sprint(c))
					if client.cookie() == old {
						t.Error("the cookie of a session that ended came back")
					}
					want = map[string]string{"client": fmt.Sprint(c)}
				default:
					var both sync.WaitGroup
					for _, name := range []string{"a", "b", "c"} {
						value := fmt.Sprint(rnd.IntN(1000))
						want[name] = value
						both.Go(func() { client.get("/set/" + name + "/" + value) })
					}
					both.Wait()
				}
				text := ""
				for _, name := range []string{"a", "b", "c", "client"} {
					if v, ok := want[name]; ok {
						text += name + "=" + v + " "
					}
				}
				if got := client.get("/get"); got != text {
					t.Errorf("seed %d, client %d: got %q, want %q", seed, c, got, text)
					return
				}
			}
		})
	}
	wg.Wait()
	require.Equal(t, 8, w.records(t))
}
