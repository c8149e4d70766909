package sessionhttp_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/http/httptrace"
	"net/http/httputil"
	"net/textproto"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/session"
	"github.com/websession/websession/session/sessionhttp"
)

// server is a real one, with TLS so that a cookie jar sends Secure cookies.
type server struct {
	*httptest.Server
}

func startServer(t *testing.T, w *world, o *sessionhttp.Options, h http.Handler) *server {
	t.Helper()
	return start(t, sessionhttp.Middleware(w.m, o)(h), true)
}

// start starts a server whose handlers end with the test: over HTTP/2 and on
// hijacked connections, Close does not wait for them.
func start(t *testing.T, h http.Handler, http2 bool) *server {
	t.Helper()
	var running sync.RWMutex
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		running.RLock()
		defer running.RUnlock()
		h.ServeHTTP(rw, r)
	}))
	srv.EnableHTTP2 = http2
	srv.Config.ErrorLog = nil
	srv.StartTLS()
	t.Cleanup(func() {
		srv.Close()
		running.Lock()
	})
	return &server{srv}
}

// client has a jar of its own.
type client struct {
	t    *testing.T
	srv  *server
	http *http.Client
}

func (s *server) client(t *testing.T) *client {
	jar, err := cookiejar.New(nil)
	if err != nil {
		panic(err)
	}
	return &client{t, s, &http.Client{Transport: s.Client().Transport, Jar: jar, Timeout: 30 * time.Second}}
}

// do answers status and header of a request, and its body.
func (c *client) do(path string) (*http.Response, string) {
	resp, err := c.http.Get(c.srv.URL + path)
	if err != nil {
		c.t.Errorf("GET %s: %v", path, err)
		return &http.Response{}, ""
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	must(c.t, err)
	return resp, string(body)
}

// get answers the body of a request that must succeed.
func (c *client) get(path string) string {
	resp, body := c.do(path)
	if resp.StatusCode != 200 {
		c.t.Errorf("GET %s: status %d: %s", path, resp.StatusCode, body)
	}
	return body
}

func (c *client) cookie() session.ID {
	u, _ := url.Parse(c.srv.URL)
	for _, cookie := range c.http.Jar.Cookies(u) {
		if cookie.Name == sessionhttp.DefaultCookieName {
			return session.ID(cookie.Value)
		}
	}
	return ""
}

// protocols runs a test over HTTP/1.1 and HTTP/2.
func protocols(t *testing.T, test func(t *testing.T, http2 bool)) {
	t.Run("HTTP 1.1", func(t *testing.T) { test(t, false) })
	t.Run("HTTP 2", func(t *testing.T) { test(t, true) })
}

func TestResponseControllerWorks(t *testing.T) {
	protocols(t, func(t *testing.T, http2 bool) {
		w := newWorld(t, nil)
		srv := start(t, sessionhttp.Middleware(w.m, nil)(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			must(t, count.Set(get(t, r), 1))
			rc := http.NewResponseController(rw)
			must(t, rc.SetReadDeadline(time.Now().Add(time.Minute)))
			must(t, rc.SetWriteDeadline(time.Now().Add(time.Minute)))
			must(t, rc.EnableFullDuplex())
			must(t, rc.Flush())
			conn, _, err := rc.Hijack()
			if http2 {
				require.ErrorIs(t, err, errors.ErrUnsupported)
				return
			}
			must(t, err)
			must(t, conn.Close())
		})), http2)
		resp, err := srv.Client().Get(srv.URL)
		if err == nil { // over HTTP/1.1 the connection may end before the answer does
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
		require.Equal(t, 1, w.records(t))
	})
}

func TestTrailersWork(t *testing.T) {
	protocols(t, func(t *testing.T, http2 bool) {
		w := newWorld(t, nil)
		srv := start(t, sessionhttp.Middleware(w.m, nil)(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			s := get(t, r)
			must(t, count.Set(s, 1))
			rw.Header().Set("Trailer", "X-Sum")
			io.WriteString(rw, "body")
			must(t, count.Set(s, 2))
			rw.Header().Set("X-Sum", "42")
			rw.Header().Set(http.TrailerPrefix+"X-Late", "43")
		})), http2)
		resp, err := srv.Client().Get(srv.URL)
		require.NoError(t, err)
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.Equal(t, "body", string(body))
		require.Equal(t, "42", resp.Trailer.Get("X-Sum"))
		require.Equal(t, "43", resp.Trailer.Get("X-Late"))
		id := sentID(t, resp.Header)
		require.Eventually(t, func() bool { return count.GetOr(w.load(t, id), 0) == 2 }, 10*time.Second, time.Millisecond)
	})
}

func TestServerSentEvents(t *testing.T) {
	protocols(t, func(t *testing.T, http2 bool) {
		w := newWorld(t, nil)
		next := make(chan struct{})
		srv := start(t, sessionhttp.Middleware(w.m, nil)(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			s := get(t, r)
			must(t, count.Set(s, 0))
			rw.Header().Set("Content-Type", "text/event-stream")
			must(t, http.NewResponseController(rw).Flush())
			for i := range 3 {
				select {
				case <-next:
				case <-r.Context().Done():
					return
				}
				fmt.Fprintf(rw, "data: %d\n\n", i)
				rw.(http.Flusher).Flush()
				must(t, count.Set(s, int64(i+1)))
			}
		})), http2)
		resp, err := srv.Client().Get(srv.URL)
		require.NoError(t, err)
		defer resp.Body.Close()
		id := sentID(t, resp.Header) // it is here before the first event
		require.EqualValues(t, 0, count.GetOr(w.load(t, id), -1))
		lines := bufio.NewReader(resp.Body)
		for i := range 3 {
			next <- struct{}{}
			line, err := lines.ReadString('\n')
			require.NoError(t, err)
			require.Equal(t, fmt.Sprintf("data: %d\n", i), line)
			lines.ReadString('\n')
		}
		_, err = lines.ReadString('\n')
		require.ErrorIs(t, err, io.EOF)
		require.Eventually(t, func() bool { return count.GetOr(w.load(t, id), -1) == 3 }, 10*time.Second, time.Millisecond)
	})
}

func TestHijackSavesFirstAndOnceMoreAtTheEnd(t *testing.T) {
	w := newWorld(t, nil)
	id := w.login(t)
	srv := start(t, sessionhttp.Middleware(w.m, nil)(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		s := get(t, r)
		must(t, count.Set(s, 2))
		conn, buf, err := http.NewResponseController(rw).Hijack()
		must(t, err)
		defer conn.Close()
		require.EqualValues(t, 2, count.GetOr(w.load(t, id), 0), "saved before the connection is taken")
		require.ErrorIs(t, s.Renew(r.Context()), session.ErrHeadersSent)
		buf.WriteString("HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n")
		buf.Flush()
		line, err := buf.ReadString('\n')
		must(t, err)
		must(t, user.Set(s, strings.TrimSpace(line)))
		buf.WriteString("echo " + line)
		buf.Flush()
	})), false)
	req, err := http.NewRequest("GET", srv.URL, nil)
	require.NoError(t, err)
	req.Header.Set("Cookie", "__Host-id="+id.Reveal())
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", "echo")
	resp, err := srv.Client().Transport.RoundTrip(req)
	require.NoError(t, err)
	require.Equal(t, 101, resp.StatusCode)
	conn := resp.Body.(io.ReadWriteCloser)
	defer conn.Close()
	fmt.Fprintln(conn, "bob")
	line, err := bufio.NewReader(conn).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "echo bob\n", line)
	require.Eventually(t, func() bool { return user.GetOr(w.load(t, id), "") == "bob" }, 10*time.Second, time.Millisecond)
}

func TestSwitchingProtocolsSendsTheCookie(t *testing.T) {
	w := newWorld(t, nil)
	srv := start(t, sessionhttp.Middleware(w.m, nil)(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		must(t, count.Set(get(t, r), 1))
		rw.Header().Set("Connection", "Upgrade")
		rw.Header().Set("Upgrade", "echo")
		rw.WriteHeader(101)
		conn, _, err := http.NewResponseController(rw).Hijack()
		must(t, err)
		conn.Close()
	})), false)
	req, err := http.NewRequest("GET", srv.URL, nil)
	require.NoError(t, err)
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", "echo")
	resp, err := srv.Client().Transport.RoundTrip(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	w.load(t, sentID(t, resp.Header))
}

func TestEarlyHintsReachTheClientWithoutTheCookie(t *testing.T) {
	protocols(t, func(t *testing.T, http2 bool) {
		w := newWorld(t, nil)
		srv := start(t, sessionhttp.Middleware(w.m, nil)(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			rw.Header().Set("Link", "</style.css>; rel=preload")
			rw.WriteHeader(103)
			must(t, count.Set(get(t, r), 1))
			rw.WriteHeader(200)
		})), http2)
		var hints []int
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
			Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
				hints = append(hints, code)
				if h.Get("Set-Cookie") != "" {
					t.Error("Set-Cookie in early hints")
				}
				return nil
			},
		})
		req, err := http.NewRequestWithContext(ctx, "GET", srv.URL, nil)
		require.NoError(t, err)
		resp, err := srv.Client().Do(req)
		require.NoError(t, err)
		defer resp.Body.Close()
		require.Equal(t, []int{103}, hints)
		w.load(t, sentID(t, resp.Header))
	})
}

func TestFilesAreServedWhole(t *testing.T) {
	protocols(t, func(t *testing.T, http2 bool) {
		w := newWorld(t, nil)
		content := strings.Repeat("0123456789", 100_000)
		srv := start(t, sessionhttp.Middleware(w.m, nil)(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			must(t, count.Set(get(t, r), 1))
			http.ServeContent(rw, r, "digits.txt", time.Time{}, strings.NewReader(content))
		})), http2)
		resp, err := srv.Client().Get(srv.URL)
		require.NoError(t, err)
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.True(t, content == string(body))
		require.EqualValues(t, len(content), resp.ContentLength)
		w.load(t, sentID(t, resp.Header))
	})
}

func TestFailedCommitReachesTheClientWhileTheHandlerGoesOn(t *testing.T) {
	protocols(t, func(t *testing.T, http2 bool) {
		w := newWorld(t, nil)
		w.store.down("create")
		answered := newGate()
		srv := start(t, sessionhttp.Middleware(w.m, nil)(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			must(t, count.Set(get(t, r), 1))
			io.WriteString(rw, "welcome")
			answered.wait(t)
			panic(http.ErrAbortHandler) // as httputil.ReverseProxy does when it cannot write
		})), http2)
		resp, err := srv.Client().Get(srv.URL)
		require.NoError(t, err)
		defer resp.Body.Close()
		body := make([]byte, resp.ContentLength)
		_, err = io.ReadFull(resp.Body, body)
		require.NoError(t, err)
		answered.open()
		require.Equal(t, 503, resp.StatusCode)
		require.Equal(t, "Service Unavailable\n", string(body))
	})
}

func TestFailedCommitBeforeAReverseProxy(t *testing.T) {
	backend := start(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { io.WriteString(rw, "welcome") }), false)
	target, err := url.Parse(backend.URL)
	require.NoError(t, err)
	proxy := &httputil.ReverseProxy{
		Rewrite:   func(pr *httputil.ProxyRequest) { pr.SetURL(target) },
		Transport: backend.Client().Transport,
	}
	w := newWorld(t, nil)
	w.store.down("create")
	panicked := newGate()
	srv := start(t, sessionhttp.Middleware(w.m, nil)(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		defer func() {
			if v := recover(); v != nil {
				panicked.open()
				panic(v)
			}
		}()
		must(t, count.Set(get(t, r), 1))
		proxy.ServeHTTP(rw, r)
	})), false)
	resp, err := srv.Client().Get(srv.URL)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, 503, resp.StatusCode)
	require.Equal(t, "Service Unavailable\n", string(body))
	panicked.wait(t) // it does when it cannot write, and the answer arrives all the same
}

func TestClientThatLeavesIsSavedAllTheSame(t *testing.T) {
	protocols(t, func(t *testing.T, http2 bool) {
		w := newWorld(t, nil)
		id := w.login(t)
		started := newGate()
		ended := newGate()
		srv := start(t, sessionhttp.Middleware(w.m, nil)(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			s := get(t, r)
			started.open()
			<-r.Context().Done()
			must(t, count.Set(s, 2))
			ended.open()
		})), http2)
		ctx, leave := context.WithCancel(t.Context())
		req, err := http.NewRequestWithContext(ctx, "GET", srv.URL, nil)
		require.NoError(t, err)
		req.Header.Set("Cookie", "__Host-id="+id.Reveal())
		go func() {
			started.wait(t)
			leave()
		}()
		resp, err := srv.Client().Do(req)
		if err == nil { // the answer was faster than the end of the connection
			resp.Body.Close()
		}
		ended.wait(t)
		require.Eventually(t, func() bool { return count.GetOr(w.load(t, id), 0) == 2 }, 10*time.Second, time.Millisecond)
	})
}

func TestTimeoutHandlerInsideAndOutside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		release, returned := newGate(), newGate()
		slow := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			defer returned.open()
			s := get(t, r)
			must(t, count.Set(s, 1))
			release.wait(t)
			if _, err := sessionhttp.Get(r); err != nil {
				require.ErrorIs(t, err, session.ErrFinished)
			}
		})
		mw := sessionhttp.Middleware(w.m, nil)
		rec := httptest.NewRecorder()
		mw(http.TimeoutHandler(slow, 50*time.Millisecond, "too slow")).ServeHTTP(rec, newRequest(""))
		require.Equal(t, 503, rec.Code)
		require.Equal(t, "too slow", rec.Body.String())
		w.load(t, sentID(t, rec.Result().Header))
		release.open()
		returned.wait(t)

		quick := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			must(t, count.Set(get(t, r), 1))
			io.WriteString(rw, "quick")
		})
		rec = httptest.NewRecorder()
		http.TimeoutHandler(mw(quick), time.Minute, "too slow").ServeHTTP(rec, newRequest(""))
		require.Equal(t, "quick", rec.Body.String())
		w.load(t, sentID(t, rec.Result().Header))
	})
}

func TestBrowserLogsInAndOut(t *testing.T) {
	w := newWorld(t, nil)
	mux := http.NewServeMux()
	mux.HandleFunc("/login/{name}", func(rw http.ResponseWriter, r *http.Request) {
		s := get(t, r)
		must(t, s.Renew(r.Context()))
		must(t, user.Set(s, r.PathValue("name")))
		http.Redirect(rw, r, "/", http.StatusSeeOther)
	})
	mux.HandleFunc("/logout", func(rw http.ResponseWriter, r *http.Request) {
		must(t, get(t, r).Destroy(r.Context()))
		http.Redirect(rw, r, "/", http.StatusSeeOther)
	})
	mux.HandleFunc("/", func(rw http.ResponseWriter, r *http.Request) { io.WriteString(rw, user.GetOr(get(t, r), "nobody")) })
	c := startServer(t, w, nil, mux).client(t)
	require.Equal(t, "nobody", c.get("/"))
	require.Empty(t, c.cookie())
	require.Equal(t, "ann", c.get("/login/ann"), "a redirect is followed at once")
	first := c.cookie()
	require.Equal(t, "ann", c.get("/"))
	require.Equal(t, "bob", c.get("/login/bob"))
	require.NotEqual(t, first, c.cookie())
	w.gone(t, first)
	second := c.cookie()
	require.Equal(t, "nobody", c.get("/logout"))
	require.Empty(t, c.cookie())
	w.gone(t, second)
	require.Zero(t, w.records(t))
}
