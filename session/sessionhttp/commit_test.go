package sessionhttp_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"html/template"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/session"
	"github.com/websession/websession/session/driver"
	"github.com/websession/websession/session/sessionhttp"
)

// probe is a server's http.ResponseWriter that notes what the client would get,
// and runs check whenever a header leaves.
type probe struct {
	*httptest.ResponseRecorder
	check    func()
	sent     bool
	copied   []io.Reader // sources of ReadFrom
	pushed   []string
	hijacked bool
	hints    []int
}

func (p *probe) leave() {
	if !p.sent {
		p.sent = true
		p.check()
	}
}

func newProbe() *probe { return &probe{ResponseRecorder: httptest.NewRecorder(), check: func() {}} }

func (p *probe) WriteHeader(status int) {
	if status >= 100 && status < 200 && status != 101 { // which a recorder takes for the answer
		p.hints = append(p.hints, status)
		return
	}
	p.leave()
	p.ResponseRecorder.WriteHeader(status)
}

func (p *probe) Write(b []byte) (int, error) { p.leave(); return p.ResponseRecorder.Write(b) }

func (p *probe) WriteString(s string) (int, error) {
	p.leave()
	return p.ResponseRecorder.WriteString(s)
}

func (p *probe) Flush() { p.leave(); p.ResponseRecorder.Flush() }

func (p *probe) ReadFrom(r io.Reader) (int64, error) {
	p.leave()
	p.copied = append(p.copied, r)
	return io.Copy(p.ResponseRecorder, r)
}

func (p *probe) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	p.leave()
	p.hijacked = true
	return nil, nil, nil
}

func (p *probe) Push(target string, _ *http.PushOptions) error {
	p.pushed = append(p.pushed, target)
	return nil
}

// senders are all ways in which a handler sends the header.
var senders = map[string]func(rw http.ResponseWriter, r *http.Request){
	"Write":            func(rw http.ResponseWriter, r *http.Request) { rw.Write([]byte("x")) },
	"Write of nothing": func(rw http.ResponseWriter, r *http.Request) { rw.Write(nil) },
	"WriteString":      func(rw http.ResponseWriter, r *http.Request) { io.WriteString(rw, "x") },
	"Fprintf":          func(rw http.ResponseWriter, r *http.Request) { fmt.Fprintf(rw, "x") },
	"template": func(rw http.ResponseWriter, r *http.Request) {
		template.Must(template.New("").Parse("x")).Execute(rw, nil)
	},
	"WriteHeader(200)": func(rw http.ResponseWriter, r *http.Request) { rw.WriteHeader(200) },
	"WriteHeader(204)": func(rw http.ResponseWriter, r *http.Request) { rw.WriteHeader(204) },
	"WriteHeader(304)": func(rw http.ResponseWriter, r *http.Request) { rw.WriteHeader(304) },
	"WriteHeader(101)": func(rw http.ResponseWriter, r *http.Request) { rw.WriteHeader(101) },
	"redirect":         func(rw http.ResponseWriter, r *http.Request) { http.Redirect(rw, r, "/next", http.StatusSeeOther) },
	"error":            func(rw http.ResponseWriter, r *http.Request) { http.Error(rw, "no", 500) },
	"not found":        http.NotFound,
	"Flush":            func(rw http.ResponseWriter, r *http.Request) { rw.(http.Flusher).Flush() },
	"controller Flush": func(rw http.ResponseWriter, r *http.Request) { http.NewResponseController(rw).Flush() },
	"ReadFrom":         func(rw http.ResponseWriter, r *http.Request) { rw.(io.ReaderFrom).ReadFrom(strings.NewReader("x")) },
	"Copy":             func(rw http.ResponseWriter, r *http.Request) { io.Copy(rw, io.LimitReader(strings.NewReader("x"), 1)) },
	"ServeContent": func(rw http.ResponseWriter, r *http.Request) {
		http.ServeContent(rw, r, "a.txt", time.Time{}, strings.NewReader("x"))
	},
	"Hijack":            func(rw http.ResponseWriter, r *http.Request) { rw.(http.Hijacker).Hijack() },
	"controller Hijack": func(rw http.ResponseWriter, r *http.Request) { http.NewResponseController(rw).Hijack() },
	"early hints first": func(rw http.ResponseWriter, r *http.Request) { rw.WriteHeader(103); rw.WriteHeader(200) },
}

func TestSessionIsSavedBeforeTheHeaderLeaves(t *testing.T) {
	for name, send := range senders {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			var s *session.Session
			p := newProbe()
			p.check = func() {
				require.Equal(t, "ann", user.GetOr(w.load(t, s.ID()), ""), "in the store when the header left")
				require.Equal(t, s.ID(), sentID(t, p.Header()), "in the header when it left")
			}
			h := sessionhttp.Middleware(w.m, nil)(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				s = get(t, r)
				must(t, user.Set(s, "ann"))
				send(rw, r)
				require.True(t, p.sent)
				require.ErrorIs(t, s.Renew(r.Context()), session.ErrHeadersSent)
				must(t, count.Set(s, 7)) // late
			}))
			h.ServeHTTP(p, newRequest(""))
			require.EqualValues(t, 7, count.GetOr(w.load(t, sentID(t, p.Header())), 0), "a late change is saved too")
		})
	}
}

func TestNothingSentIsSavedAtReturn(t *testing.T) {
	w := newWorld(t, nil)
	rec := w.serve(nil, "", func(rw http.ResponseWriter, r *http.Request) { must(t, user.Set(get(t, r), "ann")) })
	require.Equal(t, "ann", user.GetOr(w.load(t, sentID(t, rec.Result().Header)), ""))
}

func TestHeadRequestIsSaved(t *testing.T) {
	w := newWorld(t, nil)
	r := newRequest("")
	r.Method = "HEAD"
	rec := w.serveRequest(nil, r, func(rw http.ResponseWriter, r *http.Request) {
		must(t, user.Set(get(t, r), "ann"))
		rw.WriteHeader(200)
	})
	w.load(t, sentID(t, rec.Result().Header))
}

func TestInformationalAnswersDoNotCommit(t *testing.T) { // P2
	w := newWorld(t, nil)
	hints := []int{100, 102, 103, 199}
	p := newProbe()
	sessionhttp.Middleware(w.m, nil)(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		s := get(t, r)
		for _, status := range hints {
			rw.WriteHeader(status)
		}
		must(t, user.Set(s, "ann"))
		must(t, s.Renew(r.Context()))
		rw.WriteHeader(200)
	})).ServeHTTP(p, newRequest(""))
	require.Equal(t, hints, p.hints)
	w.load(t, sentID(t, p.Header()))
}

func TestStatusThatIsNoneCommitsNothing(t *testing.T) {
	for _, status := range []int{0, 99, 1000, -1} {
		w := newWorld(t, nil)
		require.Panics(t, func() {
			w.serve(nil, "", func(rw http.ResponseWriter, r *http.Request) {
				must(t, user.Set(get(t, r), "ann"))
				rw.WriteHeader(status) // net/http panics
			})
		})
		require.Zero(t, w.records(t), status)
	}
}

func TestFlushBeforeWriteSendsTheCookie(t *testing.T) { // P1
	w := newWorld(t, nil)
	rec := w.serve(nil, "", func(rw http.ResponseWriter, r *http.Request) {
		must(t, user.Set(get(t, r), "ann"))
		rw.(http.Flusher).Flush()
		io.WriteString(rw, "data: 1\n\n")
		rw.(http.Flusher).Flush()
	})
	require.True(t, rec.Flushed)
	w.load(t, sentID(t, rec.Result().Header))
}

func TestChangeAfterTheFirstByteIsSaved(t *testing.T) { // P3
	w := newWorld(t, nil)
	id := w.login(t)
	w.serve(nil, id, func(rw http.ResponseWriter, r *http.Request) {
		s := get(t, r)
		io.WriteString(rw, "x")
		must(t, count.Set(s, 2))
		require.EqualValues(t, 1, count.GetOr(w.load(t, id), 0))
	})
	require.EqualValues(t, 2, count.GetOr(w.load(t, id), 0))
	require.Empty(t, w.list()[1:], "events after the one of login")
}

func TestGetAfterTheFirstByte(t *testing.T) {
	w := newWorld(t, nil)
	id := w.login(t)
	rec := w.serve(nil, id, func(rw http.ResponseWriter, r *http.Request) {
		io.WriteString(rw, "x")
		s := get(t, r)
		require.Equal(t, "ann", user.GetOr(s, ""))
		require.ErrorIs(t, s.Renew(r.Context()), session.ErrHeadersSent)
		must(t, count.Set(s, 2))
	})
	require.EqualValues(t, 2, count.GetOr(w.load(t, id), 0))
	require.Empty(t, cookies(rec))

	rec = w.serve(nil, "", func(rw http.ResponseWriter, r *http.Request) {
		io.WriteString(rw, "x")
		require.ErrorIs(t, count.Set(get(t, r), 2), session.ErrHeadersSent, "the id cannot reach the client")
	})
	require.Empty(t, cookies(rec))
	require.Equal(t, 1, w.records(t))
}

func TestSessionThatIsUsedLateIsTouched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, &session.Options{Idle: time.Hour})
		id := w.login(t)
		for range 5 {
			time.Sleep(40 * time.Minute)
			w.serve(nil, id, func(rw http.ResponseWriter, r *http.Request) {
				io.WriteString(rw, "x")
				require.Equal(t, "ann", user.GetOr(get(t, r), ""))
			})
		}
	})
}

func TestTouchIsDoneBeforeTheHeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, &session.Options{Idle: time.Hour})
		id := w.login(t)
		for range 5 {
			time.Sleep(40 * time.Minute)
			rec := w.serve(nil, id, func(rw http.ResponseWriter, r *http.Request) {
				require.Equal(t, "ann", user.GetOr(get(t, r), ""))
				io.WriteString(rw, "x")
				require.Equal(t, time.Now().Add(time.Hour).UTC().Truncate(time.Millisecond), w.load(t, id).Expires())
			})
			require.Empty(t, cookies(rec))
		}
		w.store.down("replace")
		time.Sleep(40 * time.Minute)
		rec := w.serve(nil, id, func(rw http.ResponseWriter, r *http.Request) {
			fmt.Fprint(rw, user.GetOr(get(t, r), ""))
		})
		require.Equal(t, "ann", rec.Body.String(), "a touch that fails fails no request")
		require.Len(t, w.of(session.EventTouchFailed), 1)
	})
}

func TestDestroyAfterTheHeaderWorks(t *testing.T) {
	w := newWorld(t, nil)
	id := w.login(t)
	rec := w.serve(nil, id, func(rw http.ResponseWriter, r *http.Request) {
		s := get(t, r)
		io.WriteString(rw, "x")
		must(t, s.Destroy(r.Context()))
		require.ErrorIs(t, count.Set(s, 1), session.ErrHeadersSent)
	})
	w.gone(t, id)
	require.Empty(t, cookies(rec))
	require.Empty(t, w.of(session.EventLateSaveFailed))
}

func TestLateSaveThatFailsIsObserved(t *testing.T) {
	w := newWorld(t, nil)
	id := w.login(t)
	rec := w.serve(nil, id, func(rw http.ResponseWriter, r *http.Request) {
		s := get(t, r)
		io.WriteString(rw, "fine")
		w.store.down("replace")
		must(t, count.Set(s, 2))
	})
	require.Equal(t, "fine", rec.Body.String())
	events := w.of(session.EventLateSaveFailed)
	require.Len(t, events, 1)
	require.ErrorIs(t, events[0].Err, errDown)
	require.NotEmpty(t, events[0].Session)
	noSecret(t, id, events[0])
}

func TestCommitThatFailsReplacesTheAnswer(t *testing.T) {
	for name, send := range senders {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			id := w.login(t)
			rec := newProbe()
			rec.Header().Set("X-Request-Id", "42")
			rec.Header().Add("Set-Cookie", "lang=en")
			h := sessionhttp.Middleware(w.m, nil)(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				h := rw.Header()
				h.Set("Content-Type", "image/png")
				h.Set("Content-Length", "4")
				h.Set("Content-Encoding", "gzip")
				h.Set("Etag", `"1"`)
				h.Set("Cache-Control", "public, max-age=3600")
				h.Set("X-Request-Id", "changed")
				h.Add("Set-Cookie", "cart=7")
				h.Set("Location", "/welcome")
				must(t, count.Set(get(t, r), 2))
				w.store.down("replace")
				send(rw, r)
				w.store.on(nil) // too late: the client was told
				for range 3 {
					rw.WriteHeader(200)
					n, err := io.WriteString(rw, "secret")
					require.Zero(t, n)
					require.ErrorIs(t, err, errDown)
					require.ErrorIs(t, http.NewResponseController(rw).Flush(), errDown)
					_, err = rw.(io.ReaderFrom).ReadFrom(strings.NewReader("secret"))
					require.ErrorIs(t, err, errDown)
					_, _, err = http.NewResponseController(rw).Hijack()
					require.ErrorIs(t, err, errDown)
					rw.Header().Set("X-Late", "x")
				}
			}))
			h.ServeHTTP(rec, newRequest(id))
			require.Equal(t, 503, rec.Code)
			require.Equal(t, "Service Unavailable\n", rec.Body.String())
			require.Equal(t, http.Header{
				"X-Request-Id":           {"42"},
				"Set-Cookie":             {"lang=en"},
				"Content-Type":           {"text/plain; charset=utf-8"},
				"Content-Length":         {"20"},
				"X-Content-Type-Options": {"nosniff"},
				"Cache-Control":          {"no-store"},
				"Vary":                   {"Cookie"},
			}, rec.Result().Header)
			require.EqualValues(t, 1, count.GetOr(w.load(t, id), 0), "it is not saved later")
			events := w.of(session.EventCommitFailed)
			require.Len(t, events, 1)
			require.ErrorIs(t, events[0].Err, errDown)
			require.Empty(t, w.of(session.EventLateSaveFailed))
			noSecret(t, id, w.list())
		})
	}
}

func TestStoreDownAtCommitAnswers503(t *testing.T) {
	for name, body := range map[string]func(http.ResponseWriter){
		"sending":        func(rw http.ResponseWriter) { io.WriteString(rw, "you are logged in") },
		"just returning": func(http.ResponseWriter) {},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			w.store.down("create")
			rec := w.serve(nil, "", func(rw http.ResponseWriter, r *http.Request) {
				must(t, user.Set(get(t, r), "ann"))
				body(rw)
			})
			require.Equal(t, 503, rec.Code)
			require.Equal(t, "Service Unavailable\n", rec.Body.String())
			require.Empty(t, cookies(rec))
			require.Zero(t, w.records(t))
			require.Len(t, w.of(session.EventCommitFailed), 1)
		})
	}
}

func TestUnknownOutcomeAnswers503(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		id := w.login(t)
		rec := w.serve(nil, id, func(rw http.ResponseWriter, r *http.Request) {
			must(t, count.Set(get(t, r), 2))
			w.store.on(func(context.Context, string) error { return errors.New("connection reset") })
			_, err := io.WriteString(rw, "saved")
			require.ErrorIs(t, err, session.ErrUnknownOutcome)
		})
		require.Equal(t, 503, rec.Code)
		require.NotContains(t, rec.Body.String(), "saved")
	})
}

func TestCommitTimeoutBoundsASlowStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, &session.Options{StoreTimeout: session.NoLimit})
		id := w.login(t)
		began := time.Now()
		rec := w.serve(nil, id, func(rw http.ResponseWriter, r *http.Request) {
			must(t, count.Set(get(t, r), 2))
			w.store.on(func(ctx context.Context, _ string) error {
				<-ctx.Done()
				return ctx.Err()
			})
		})
		require.Equal(t, 503, rec.Code)
		require.Equal(t, sessionhttp.DefaultCommitTimeout, time.Since(began))
	})
}

func TestLateSaveIsBoundedToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, &session.Options{StoreTimeout: session.NoLimit})
		id := w.login(t)
		began := time.Now()
		w.serve(&sessionhttp.Options{CommitTimeout: 2 * time.Second}, id, func(rw http.ResponseWriter, r *http.Request) {
			io.WriteString(rw, "x")
			must(t, count.Set(get(t, r), 2))
			w.store.on(func(ctx context.Context, _ string) error {
				<-ctx.Done()
				return ctx.Err()
			})
		})
		require.Equal(t, 2*time.Second, time.Since(began))
		require.Len(t, w.of(session.EventLateSaveFailed), 1)
	})
}

type contextKey struct{}

func TestClosedTabLosesNothing(t *testing.T) {
	w := newWorld(t, nil)
	ctx, leave := context.WithCancel(context.WithValue(context.Background(), contextKey{}, "trace"))
	w.store.on(func(ctx context.Context, method string) error {
		if method == "create" {
			must(t, ctx.Err())
			require.Equal(t, "trace", ctx.Value(contextKey{}), "values stay")
			_, bounded := ctx.Deadline()
			require.True(t, bounded)
		}
		return nil
	})
	rec := w.serveRequest(nil, newRequest("").WithContext(ctx), func(rw http.ResponseWriter, r *http.Request) {
		s := get(t, r)
		leave()
		<-r.Context().Done()
		must(t, user.Set(s, "ann"))
		io.WriteString(rw, "x")
	})
	require.Equal(t, "ann", user.GetOr(w.load(t, sentID(t, rec.Result().Header)), ""))
	require.Empty(t, w.of(session.EventCommitFailed))
}

func TestPanicSavesNothingAndIsPassedOn(t *testing.T) {
	for _, value := range []any{"boom", http.ErrAbortHandler, errors.New("boom")} {
		w := newWorld(t, nil)
		id := w.login(t)
		var s *session.Session
		require.PanicsWithValue(t, value, func() {
			w.serve(nil, id, func(rw http.ResponseWriter, r *http.Request) {
				s = get(t, r)
				must(t, count.Set(s, 2))
				panic(value)
			})
		})
		require.EqualValues(t, 1, count.GetOr(w.load(t, id), 0))
		require.ErrorIs(t, count.Set(s, 3), session.ErrFinished)

		require.PanicsWithValue(t, value, func() {
			w.serve(nil, id, func(rw http.ResponseWriter, r *http.Request) {
				s = get(t, r)
				must(t, count.Set(s, 2))
				io.WriteString(rw, "x")
				must(t, count.Set(s, 3))
				panic(value)
			})
		})
		require.EqualValues(t, 2, count.GetOr(w.load(t, id), 0), "what was committed stays, the rest is not saved")
		require.ErrorIs(t, count.Set(s, 3), session.ErrFinished)
	}
}

func TestErrorAnswersOfTheHandlerAreSaved(t *testing.T) {
	w := newWorld(t, nil)
	id := w.login(t)
	for i, status := range []int{400, 403, 404, 500, 503} {
		rec := w.serve(nil, id, func(rw http.ResponseWriter, r *http.Request) {
			must(t, count.Set(get(t, r), int64(i+10)))
			http.Error(rw, "no", status)
		})
		require.Equal(t, status, rec.Code)
		require.EqualValues(t, i+10, count.GetOr(w.load(t, id), 0))
	}
}

func TestRenewedIDReachesTheClientEvenIfALaterSaveFails(t *testing.T) {
	w := newWorld(t, nil)
	id := w.login(t)
	rec := w.serve(nil, id, func(rw http.ResponseWriter, r *http.Request) {
		s := get(t, r)
		must(t, s.Renew(r.Context()))
		must(t, count.Set(s, 2))
		w.store.down("replace")
		io.WriteString(rw, "x")
	})
	require.Equal(t, 503, rec.Code)
	renewed := sentID(t, rec.Result().Header)
	require.Equal(t, "ann", user.GetOr(w.load(t, renewed), ""))
	w.gone(t, id)
}

func TestUpdateAroundTheFirstByteDoesNotHang(t *testing.T) {
	w := newWorld(t, nil)
	id := w.login(t)
	rec := w.serve(nil, id, func(rw http.ResponseWriter, r *http.Request) {
		s := get(t, r)
		must(t, color.Set(s, "red"))
		must(t, w.m.Update(r.Context(), id, func(*session.Session) error {
			_, err := io.WriteString(rw, "x")
			require.ErrorIs(t, err, session.ErrNested)
			return nil
		}))
	})
	require.Equal(t, 500, rec.Code)
}

func TestSendfileIsKept(t *testing.T) {
	w := newWorld(t, nil)
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, []byte("content"), 0o600))
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	p := newProbe()
	sessionhttp.Middleware(w.m, nil)(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		n, err := rw.(io.ReaderFrom).ReadFrom(f)
		must(t, err)
		require.EqualValues(t, 7, n)
	})).ServeHTTP(p, newRequest(""))
	require.Equal(t, []io.Reader{f}, p.copied, "the server gets the *os.File itself")
	require.Equal(t, "content", p.Body.String())
}

// bare has the three methods and nothing else.
type bare struct{ http.ResponseWriter }

func TestServerWithoutExtrasIsAnsweredForHonestly(t *testing.T) {
	w := newWorld(t, nil)
	rec := httptest.NewRecorder()
	nested := newWorld(t, nil)
	outer := sessionhttp.Middleware(nested.m, &sessionhttp.Options{Cookie: sessionhttp.Cookie{Name: "other"}})
	outer(sessionhttp.Middleware(w.m, nil)(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(rw)
		s := get(t, r)
		must(t, user.Set(s, "ann"))
		require.ErrorIs(t, rc.Flush(), errors.ErrUnsupported)
		_, _, err := rc.Hijack()
		require.ErrorIs(t, err, errors.ErrUnsupported)
		require.ErrorIs(t, rw.(http.Pusher).Push("/x", nil), errors.ErrUnsupported)
		require.ErrorIs(t, rc.SetReadDeadline(time.Now()), errors.ErrUnsupported)
		must(t, s.Renew(r.Context())) // nothing was committed by these
		must(t, user.Set(s, "ann"))
		n, err := rw.(io.ReaderFrom).ReadFrom(strings.NewReader("body"))
		must(t, err)
		require.EqualValues(t, 4, n)
	}))).ServeHTTP(bare{rec}, newRequest(""))
	require.Equal(t, "body", rec.Body.String())
	w.load(t, sentID(t, rec.Result().Header))
}

func TestPushReachesTheServerAndCommitsNothing(t *testing.T) {
	w := newWorld(t, nil)
	p := newProbe()
	sessionhttp.Middleware(w.m, nil)(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		must(t, rw.(http.Pusher).Push("/style.css", nil))
		must(t, user.Set(get(t, r), "ann"))
	})).ServeHTTP(p, newRequest(""))
	require.Equal(t, []string{"/style.css"}, p.pushed)
	w.load(t, sentID(t, p.Header()))
}

func TestEndedSessionAnswers409(t *testing.T) {
	w := newWorld(t, nil)
	id := w.login(t)
	rec := w.serve(nil, id, func(rw http.ResponseWriter, r *http.Request) {
		must(t, count.Set(get(t, r), 2))
		must(t, w.m.Destroy(r.Context(), id)) // another request's logout
		io.WriteString(rw, "saved")
	})
	require.Equal(t, 409, rec.Code)
	require.Equal(t, "Conflict\n", rec.Body.String())
	require.Empty(t, cookies(rec), "the cookie is not deleted")
	w.gone(t, id)
	events := w.of(session.EventCommitFailed)
	require.Len(t, events, 1)
	require.ErrorIs(t, events[0].Err, driver.ErrNotFound)
}
