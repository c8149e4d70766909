package sessionhttp_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/session"
	"github.com/websession/websession/session/driver"
	"github.com/websession/websession/session/sessionhttp"
)

func TestHandlerThatDoesNotAskCostsNothing(t *testing.T) {
	w := newWorld(t, nil)
	id := w.login(t)
	rec := w.serve(nil, id, func(rw http.ResponseWriter, r *http.Request) { io.WriteString(rw, "healthy") })
	require.Equal(t, 200, rec.Code)
	require.Empty(t, w.store.made())
	for _, name := range []string{"Set-Cookie", "Vary", "Cache-Control"} {
		require.NotContains(t, rec.Header(), name)
	}
}

// few answers n, or a tenth of it with -short.
func few(n int) int {
	if testing.Short() {
		return n / 10
	}
	return n
}

func TestAnonymousVisitsStoreNothing(t *testing.T) {
	visits := few(100_000)
	w := newWorld(t, nil)
	h := sessionhttp.Middleware(w.m, nil)(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		s := get(t, r)
		fmt.Fprint(rw, count.GetOr(s, 0), s.Has("user"), s.Names())
	}))
	for range visits {
		rw := &nowhere{header: make(http.Header)}
		h.ServeHTTP(rw, newRequest(""))
		if rw.header["Set-Cookie"] != nil {
			t.Fatal("an anonymous visit got a cookie")
		}
	}
	require.Empty(t, w.store.made(), "store calls of %d visits", visits)
}

func TestReadSendsNoCookie(t *testing.T) {
	w := newWorld(t, nil)
	id := w.login(t)
	rec := w.serve(nil, id, func(rw http.ResponseWriter, r *http.Request) {
		fmt.Fprint(rw, count.GetOr(get(t, r), 0))
	})
	require.Equal(t, "1", rec.Body.String())
	require.Empty(t, cookies(rec))
	require.Equal(t, []string{"load"}, w.store.made())
}

func TestFirstChangeStoresTheSessionAndSendsItsCookie(t *testing.T) {
	w := newWorld(t, nil)
	rec := w.serve(nil, "", func(rw http.ResponseWriter, r *http.Request) {
		must(t, user.Set(get(t, r), "ann"))
		io.WriteString(rw, "hello")
	})
	id := sentID(t, rec.Result().Header)
	require.Equal(t, "ann", user.GetOr(w.load(t, id), ""))
	require.Equal(t, 1, w.records(t))
}

func TestStoreCallsPerRequest(t *testing.T) {
	w := newWorld(t, nil)
	for _, c := range []struct {
		name  string
		known bool
		do    func(*session.Session, *http.Request) error
		calls []string
	}{
		{"read", true, func(s *session.Session, r *http.Request) error { return nil }, []string{"load"}},
		{"change", true, func(s *session.Session, r *http.Request) error { return count.Set(s, 2) }, []string{"load", "replace"}},
		{"first change", false, func(s *session.Session, r *http.Request) error { return count.Set(s, 2) }, []string{"create"}},
		{"renew", true, func(s *session.Session, r *http.Request) error { return s.Renew(r.Context()) }, []string{"load", "create", "delete"}},
		{"destroy", true, func(s *session.Session, r *http.Request) error { return s.Destroy(r.Context()) }, []string{"load", "delete"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var id session.ID
			if c.known {
				id = w.login(t)
			}
			rec := w.serve(nil, id, func(rw http.ResponseWriter, r *http.Request) { must(t, c.do(get(t, r), r)) })
			require.Equal(t, 200, rec.Code)
			require.Equal(t, c.calls, w.store.made())
		})
	}
}

func TestGetTwiceLoadsOnce(t *testing.T) {
	w := newWorld(t, nil)
	id := w.login(t)
	w.serve(nil, id, func(rw http.ResponseWriter, r *http.Request) {
		first := get(t, r)
		const n = 50
		var wg sync.WaitGroup
		for range n {
			wg.Go(func() {
				s, err := sessionhttp.Get(r)
				must(t, err)
				if s != first {
					t.Error("another session")
				}
			})
		}
		wg.Wait()
	})
	require.Equal(t, []string{"load"}, w.store.made())
}

func TestConcurrentFirstGetsLoadOnce(t *testing.T) {
	for range few(200) {
		w := newWorld(t, nil)
		id := w.login(t)
		w.serve(nil, id, func(rw http.ResponseWriter, r *http.Request) {
			var wg sync.WaitGroup
			for i := range 8 {
				wg.Go(func() { must(t, session.NewKey[int](fmt.Sprint("k", i)).Set(get(t, r), i)) })
			}
			wg.Wait()
		})
		require.Equal(t, []string{"load", "replace"}, w.store.made())
		require.Len(t, w.load(t, id).Names(), 10)
	}
}

func TestWithoutMiddlewareGetSaysSo(t *testing.T) {
	_, err := sessionhttp.Get(newRequest(""))
	require.ErrorIs(t, err, sessionhttp.ErrNoMiddleware)
}

func TestAfterTheRequestGetAndSessionAnswerErrFinished(t *testing.T) {
	w := newWorld(t, nil)
	id := w.login(t)
	var kept *session.Session
	var request *http.Request
	w.serve(nil, id, func(rw http.ResponseWriter, r *http.Request) { kept, request = get(t, r), r })
	_, err := sessionhttp.Get(request)
	require.ErrorIs(t, err, session.ErrFinished)
	require.ErrorIs(t, count.Set(kept, 5), session.ErrFinished)
	require.ErrorIs(t, kept.Save(t.Context()), session.ErrFinished)
}

func TestFirstGetAfterTheRequestAnswersErrFinished(t *testing.T) {
	w := newWorld(t, nil)
	var request *http.Request
	w.serve(nil, w.login(t), func(rw http.ResponseWriter, r *http.Request) { request = r })
	_, err := sessionhttp.Get(request)
	require.ErrorIs(t, err, session.ErrFinished)
	require.Empty(t, w.store.made())
}

func TestHandlerThatFinishesTheSessionDropsItsChanges(t *testing.T) {
	w := newWorld(t, nil)
	id := w.login(t)
	rec := w.serve(nil, id, func(rw http.ResponseWriter, r *http.Request) {
		s := get(t, r)
		must(t, count.Set(s, 9))
		s.Finish()
		io.WriteString(rw, "fine")
	})
	require.Equal(t, "fine", rec.Body.String())
	require.EqualValues(t, 1, count.GetOr(w.load(t, id), 0))
}

func TestSecondMountIsNoOp(t *testing.T) {
	w := newWorld(t, nil)
	id := w.login(t)
	mount := sessionhttp.Middleware(w.m, nil)
	var inner, outer *session.Session
	h := mount(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		outer = get(t, r)
		sessionhttp.Middleware(w.m, nil)(mount(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			inner = get(t, r)
			must(t, count.Set(inner, 2))
			rw.WriteHeader(204)
		}))).ServeHTTP(rw, r)
		must(t, color.Set(outer, "red")) // not finished by the inner ones
	}))
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, newRequest(id))
	require.Same(t, outer, inner)
	require.Equal(t, []string{"load", "replace", "replace"}, w.store.made())
	s := w.load(t, id)
	require.EqualValues(t, 2, count.GetOr(s, 0))
	require.Equal(t, "red", color.GetOr(s, ""))
	require.Equal(t, []string{"Cookie"}, rec.Header()["Vary"])
}

func TestNestedManagersAreIndependent(t *testing.T) {
	site, admin := newWorld(t, nil), newWorld(t, nil)
	siteID := site.login(t)
	inner := sessionhttp.Middleware(admin.m, &sessionhttp.Options{Cookie: sessionhttp.Cookie{Name: "__Host-admin"}})
	h := sessionhttp.Middleware(site.m, nil)(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		s := get(t, r)
		must(t, s.Renew(r.Context()))
		must(t, color.Set(s, "red"))
		inner(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			must(t, user.Set(get(t, r), "root"))
			io.WriteString(rw, "hello")
		})).ServeHTTP(rw, r)
	}))
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, newRequest(siteID))
	require.Equal(t, "hello", rec.Body.String())
	got := make(map[string]session.ID)
	for _, c := range rec.Result().Cookies() {
		got[c.Name] = session.ID(c.Value)
	}
	require.Len(t, got, 2)
	require.Equal(t, "red", color.GetOr(site.load(t, got["__Host-id"]), ""))
	require.Equal(t, "root", user.GetOr(admin.load(t, got["__Host-admin"]), ""))
	require.Equal(t, []string{"Cookie"}, rec.Header()["Vary"])
	require.Equal(t, []string{"no-store"}, rec.Header()["Cache-Control"])
}

func TestTwoManagersCannotShareACookieName(t *testing.T) {
	site, admin := newWorld(t, nil), newWorld(t, nil)
	h := sessionhttp.Middleware(site.m, nil)(sessionhttp.Middleware(admin.m, nil)(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		_, err := sessionhttp.Get(r)
		require.ErrorContains(t, err, "Cookie.Name")
	})))
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, newRequest(""))
	require.Equal(t, 500, rec.Code)
}

func TestUnknownIDsAreNeverAdopted(t *testing.T) {
	w := newWorld(t, nil)
	for range few(10_000) {
		var b [32]byte
		rand.Read(b[:])
		planted := session.ID(base64.RawURLEncoding.EncodeToString(b[:]))
		w.serve(nil, planted, func(rw http.ResponseWriter, r *http.Request) {
			if s := get(t, r); s.Stored() || s.ID() == planted {
				t.Error("a planted id was adopted")
			}
		})
	}
	require.Zero(t, w.records(t), "records for unknown ids")

	planted := session.ID(strings.Repeat("A", 43))
	rec := w.serve(nil, planted, func(rw http.ResponseWriter, r *http.Request) { must(t, count.Set(get(t, r), 1)) })
	require.NotEqual(t, planted, sentID(t, rec.Result().Header))
	w.gone(t, planted)
}

func TestExpiredSessionIsANewOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, &session.Options{Idle: time.Hour})
		id := w.login(t)
		asked := func() (n int64, rec *httptest.ResponseRecorder) {
			rec = w.serve(nil, id, func(rw http.ResponseWriter, r *http.Request) { n = count.GetOr(get(t, r), 0) })
			return n, rec
		}
		time.Sleep(time.Hour - time.Millisecond)
		n, _ := asked()
		require.EqualValues(t, 1, n, "just before its end")
		time.Sleep(time.Hour)
		n, rec := asked()
		require.Zero(t, n, "at its end")
		require.Empty(t, cookies(rec), "a dead cookie is left alone")
	})
}

func TestCookiesThatAreNotAcceptedGiveANewSession(t *testing.T) {
	w := newWorld(t, nil)
	id := w.login(t)
	good := "__Host-id=" + id.Reveal()
	bad := "__Host-id=" + strings.Repeat("A", 43)
	for _, c := range []struct {
		name    string
		cookies []string
		known   bool
		refused string
	}{
		{"alone", []string{good}, true, ""},
		{"among others", []string{"a=1; " + good + "; b=2"}, true, ""},
		{"in another line", []string{"a=1", good, "b=2"}, true, ""},
		{"without a blank", []string{"a=1;" + good + ";b=2"}, true, ""},
		{"next to a nameless one", []string{"=; =" + good + "; ;; " + good}, true, ""},
		{"next to one of another case", []string{"__host-id=x; " + good}, true, ""},
		{"next to one with a longer name", []string{"__Host-id2=x; x__Host-id=y; " + good}, true, ""},
		{"none", nil, false, ""},
		{"empty header", []string{""}, false, ""},
		{"twice the same", []string{good + "; " + good}, false, "the cookie was sent twice"},
		{"valid, invalid", []string{good + "; " + bad}, false, "the cookie was sent twice"},
		{"invalid, valid", []string{bad + "; " + good}, false, "the cookie was sent twice"},
		{"valid, empty", []string{good + "; __Host-id="}, false, "the cookie was sent twice"},
		{"empty, valid", []string{"__Host-id=; " + good}, false, "the cookie was sent twice"},
		{"valid, invalid, in two lines", []string{good, bad}, false, "the cookie was sent twice"},
		{"invalid, valid, in two lines", []string{bad, good}, false, "the cookie was sent twice"},
		{"three times", []string{bad + "; " + good + "; " + bad}, false, "the cookie was sent twice"},
		{"unknown", []string{bad}, false, ""},
		{"truncated", []string{good[:len(good)-1]}, false, ""},
		{"lengthened", []string{good + "A"}, false, ""},
		{"empty", []string{"__Host-id="}, false, "the cookie is malformed"},
		{"quoted", []string{`__Host-id="` + id.Reveal() + `"`}, false, "the cookie is malformed"},
		{"blank before the value", []string{"__Host-id= " + id.Reveal()}, false, "the cookie is malformed"},
		{"comma after", []string{good + ", a=1"}, false, "the cookie is malformed"},
		{"backslash", []string{`__Host-id=\` + id.Reveal()}, false, "the cookie is malformed"},
		{"NUL", []string{good + "\x00"}, false, "the cookie is malformed"},
		{"Unicode in the value", []string{good + "é"}, false, "the cookie is malformed"},
		{"too long", []string{"__Host-id=" + strings.Repeat("A", sessionhttp.MaxID+1)}, false, "the cookie is too long"},
		{"blank in the name", []string{"__Host-id =" + id.Reveal()}, false, ""},
		{"Unicode blanks around the name", []string{"\u2000" + good, "\u00a0" + good, "__Host-id\u2000=" + id.Reveal()}, false, ""},
		{"controls around the name", []string{"\x0b" + good, "\r" + good, "\n" + good, "\x00" + good}, false, ""},
		{"another case", []string{"__HOST-ID=" + id.Reveal(), "__host-id=" + id.Reveal()}, false, ""},
		{"name only", []string{"__Host-id"}, false, ""},
		{"nameless", []string{"=" + good, id.Reveal()}, false, ""},
		{"$Version", []string{"$Version=1, " + good}, false, ""},
		{"inside quotes, cut as browsers would", []string{`a="b; ` + good + `; c"`}, true, ""},
		{"percent signs", []string{"__Host%2Did=" + id.Reveal()}, false, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := len(w.of(session.EventRefused))
			r := newRequest("")
			r.Header["Cookie"] = c.cookies
			var known bool
			rec := w.serveRequest(nil, r, func(rw http.ResponseWriter, r *http.Request) { known = get(t, r).Stored() })
			require.Equal(t, c.known, known)
			require.Empty(t, cookies(rec))
			refused := w.of(session.EventRefused)[before:]
			if c.refused == "" {
				require.Empty(t, refused)
			} else {
				require.Len(t, refused, 1)
				require.Equal(t, c.refused, refused[0].Message)
				noSecret(t, id, refused[0])
			}
		})
	}
	require.Equal(t, 1, w.records(t))
}

func TestIDFromAnywhereElseIsIgnored(t *testing.T) {
	w := newWorld(t, nil)
	id := w.login(t)
	v := id.Reveal()
	r := httptest.NewRequest("POST", "https://example.com/"+v+"?__Host-id="+v+"&id="+v+"#"+v, strings.NewReader("__Host-id="+v))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for _, name := range []string{"Authorization", "X-Session-Id", "__Host-id", "Cookie2", "Set-Cookie", "X-Cookie"} {
		r.Header.Set(name, "__Host-id="+v)
	}
	w.serveRequest(nil, r, func(rw http.ResponseWriter, r *http.Request) {
		require.NoError(t, r.ParseForm())
		require.False(t, get(t, r).Stored())
	})
	require.Empty(t, w.store.made())
}

func TestHugeCookieHeaderAllocatesLittle(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	w := newWorld(t, nil)
	for name, header := range map[string]string{
		"1 MB in one cookie":     "a=" + strings.Repeat("x", 1<<20),
		"1 MB in our cookie":     "__Host-id=" + strings.Repeat("x", 1<<20),
		"100,000 tiny cookies":   strings.Repeat("a=b; ", 100_000),
		"1 MB of semicolons":     strings.Repeat(";", 1<<20),
		"1 MB of equals signs":   strings.Repeat("=", 1<<20),
		"100,000 of our cookies": strings.Repeat("__Host-id=x; ", 100_000),
	} {
		t.Run(name, func(t *testing.T) {
			lines := []string{header}
			require.LessOrEqual(t, testing.AllocsPerRun(3, func() { sessionhttp.Find(lines, sessionhttp.DefaultCookieName) }), 0.0)
			r := newRequest("")
			r.Header.Set("Cookie", header)
			w.serveRequest(nil, r, func(rw http.ResponseWriter, r *http.Request) { require.False(t, get(t, r).Stored()) })
		})
	}
	require.Empty(t, w.store.made())
}

func TestDamagedRecordIsAnonymousAndStays(t *testing.T) {
	w := newWorld(t, nil)
	id := w.login(t)
	w.store.warp = func(rec *driver.Record) { rec.Data = append(bytes.Clone(rec.Data), 'x') }
	rec := w.serve(nil, id, func(rw http.ResponseWriter, r *http.Request) {
		s := get(t, r)
		require.False(t, s.Stored())
		require.False(t, s.Has("user"))
	})
	require.Equal(t, 200, rec.Code)
	require.Empty(t, cookies(rec))
	require.Len(t, w.of(session.EventCorrupt), 1)
	w.store.warp = nil
	require.Equal(t, "ann", user.GetOr(w.load(t, id), ""), "the record is still there")
}

func TestInsecureCookieIsForLoopbackOnly(t *testing.T) {
	w := newWorld(t, nil)
	id := w.login(t)
	o := &sessionhttp.Options{Cookie: sessionhttp.Cookie{Insecure: true}}
	for addr, local := range map[string]bool{
		"127.0.0.1:1234": true, "127.9.9.9:1": true, "[::1]:80": true, "[::ffff:127.0.0.1]:80": true,
		"192.0.2.1:1234": false, "10.0.0.1:80": false, "[fe80::1]:80": false, "[::ffff:192.0.2.1]:80": false,
		"": false, "@": false, "127.0.0.1": false, "localhost:80": false, "127.0.0.1.example.com:80": false,
	} {
		t.Run(addr, func(t *testing.T) {
			request := func(cookie string) *http.Request {
				r := httptest.NewRequest("GET", "http://localhost/", nil)
				r.RemoteAddr = addr
				r.Header.Set("X-Forwarded-For", "127.0.0.1")
				r.Header.Set("X-Forwarded-Proto", "https")
				if cookie != "" {
					r.Header.Set("Cookie", "id="+cookie)
				}
				return r
			}
			if !local {
				rec := w.serveRequest(o, request(id.Reveal()), func(rw http.ResponseWriter, r *http.Request) {
					_, err := sessionhttp.Get(r)
					require.ErrorIs(t, err, sessionhttp.ErrNotLoopback)
					require.ErrorContains(t, err, "HTTPS")
				})
				require.Equal(t, 500, rec.Code)
				require.Empty(t, cookies(rec))
				return
			}
			rec := w.serveRequest(o, request(""), func(rw http.ResponseWriter, r *http.Request) { must(t, count.Set(get(t, r), 1)) })
			require.Equal(t, []string{"id=" + sentID(t, rec.Result().Header).Reveal() + "; Path=/; HttpOnly; SameSite=Lax"}, cookies(rec))
			w.serveRequest(o, request(id.Reveal()), func(rw http.ResponseWriter, r *http.Request) {
				require.Equal(t, "ann", user.GetOr(get(t, r), ""))
			})
		})
	}
}

func TestSecretsArePrintedNowhere(t *testing.T) {
	var log bytes.Buffer
	logEvents := session.LogEvents(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	var texts []any
	observe := func(ctx context.Context, e session.Event) {
		logEvents(ctx, e)
		texts = append(texts, ctx, fmt.Sprintf("%v %+v %#v", ctx, ctx, ctx))
	}
	st := newStore()
	m, err := session.New(st, &session.Options{Observe: observe})
	require.NoError(t, err)
	defer m.Close()
	w := &world{events: &events{}, m: m, store: st}
	id := w.login(t)
	texts = nil
	for _, methods := range [][]string{{"load"}, {"replace"}, {"create"}, {"delete"}, {}} {
		st.down(methods...)
		rec := w.serve(nil, id, func(rw http.ResponseWriter, r *http.Request) {
			texts = append(texts, r.Context(), rw)
			s, err := sessionhttp.Get(r)
			if err != nil {
				texts = append(texts, err)
				return
			}
			must(t, count.Set(s, 2))
			texts = append(texts, s, s.Renew(r.Context()))
			must(t, color.Set(s, "red"))
			_, err = io.WriteString(rw, "x")
			texts = append(texts, err)
		})
		body, _ := io.ReadAll(rec.Result().Body)
		texts = append(texts, string(body))
		for name, values := range rec.Result().Header {
			if name != "Set-Cookie" {
				texts = append(texts, values)
			}
		}
		if len(cookies(rec)) > 0 {
			id = sentID(t, rec.Result().Header)
		}
		noSecret(t, id, texts...)
		noSecret(t, id, log.String())
	}
	rec := w.serve(nil, "", func(rw http.ResponseWriter, r *http.Request) { must(t, count.Set(get(t, r), 1)) })
	noSecret(t, sentID(t, rec.Result().Header), append(texts, log.String())...)
	require.Contains(t, log.String(), "session created")
}

func TestMiddlewarePanicsOnWhatCannotWork(t *testing.T) {
	w := newWorld(t, nil)
	bad := &sessionhttp.Options{CommitTimeout: -1}
	require.PanicsWithValue(t, bad.Validate().Error(), func() { sessionhttp.Middleware(w.m, bad) })
	require.Panics(t, func() { sessionhttp.Middleware(nil, nil) })
}

func TestErrorsThatAreNotOfTheStoreAnswer500(t *testing.T) {
	w := newWorld(t, nil)
	rec := w.serve(nil, "", func(rw http.ResponseWriter, r *http.Request) {
		s := get(t, r)
		blob := session.NewKey[[]byte]("blob")
		more := session.NewKey[[]byte]("more")
		must(t, blob.Set(s, make([]byte, session.MaxSize-100)))
		must(t, more.Set(s, make([]byte, 1000)))
		_, err := io.WriteString(rw, "x")
		require.ErrorIs(t, err, session.ErrTooLarge)
	})
	require.Equal(t, 500, rec.Code)
	require.Equal(t, "Internal Server Error\n", rec.Body.String())
	require.Zero(t, w.records(t))
	events := w.of(session.EventCommitFailed)
	require.Len(t, events, 1)
	require.True(t, errors.Is(events[0].Err, session.ErrTooLarge))
}
