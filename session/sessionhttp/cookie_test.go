package sessionhttp_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/session"
	"github.com/websession/websession/session/sessionhttp"
)

// The golden forms of the cookie.
var (
	setForm    = regexp.MustCompile(`^__Host-id=[A-Za-z0-9_-]{43}; Path=/; HttpOnly; Secure; SameSite=Lax$`)
	deleteForm = regexp.MustCompile(`^__Host-id=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax$`)
)

func TestCookieOnEveryPath(t *testing.T) {
	change := func(s *session.Session, r *http.Request) error { return count.Set(s, 5) }
	renew := func(s *session.Session, r *http.Request) error { return s.Renew(r.Context()) }
	destroy := func(s *session.Session, r *http.Request) error { return s.Destroy(r.Context()) }
	both := func(a, b func(*session.Session, *http.Request) error) func(*session.Session, *http.Request) error {
		return func(s *session.Session, r *http.Request) error {
			if err := a(s, r); err != nil {
				return err
			}
			return b(s, r)
		}
	}
	saved := func(s *session.Session, r *http.Request) error { return s.Save(r.Context()) }
	nothing := func(*session.Session, *http.Request) error { return nil }
	persist := func(s *session.Session, r *http.Request) error { return s.SetPersistent(false) }
	for _, c := range []struct {
		name  string
		known bool
		do    func(*session.Session, *http.Request) error
		form  *regexp.Regexp
	}{
		{"new, untouched", false, nothing, nil},
		{"new, changed", false, change, setForm},
		{"new, changed and saved by the handler", false, both(change, saved), setForm},
		{"new, renewed", false, renew, nil},
		{"new, renewed and changed", false, both(renew, change), setForm},
		{"new, changed and renewed", false, both(change, renew), setForm},
		{"new, destroyed", false, destroy, nil},
		{"new, saved and destroyed", false, both(both(change, saved), destroy), nil},
		{"new, persistence alone", false, persist, nil},
		{"known, read", true, nothing, nil},
		{"known, changed", true, change, nil},
		{"known, same persistence", true, persist, nil},
		{"known, renewed", true, renew, setForm},
		{"known, renewed twice", true, both(renew, renew), setForm},
		{"known, changed and renewed", true, both(change, renew), setForm},
		{"known, destroyed", true, destroy, deleteForm},
		{"known, destroyed twice", true, both(destroy, destroy), deleteForm},
		{"known, renewed and destroyed", true, both(renew, destroy), deleteForm},
		{"known, destroyed and changed", true, both(destroy, change), setForm},
		{"known, destroyed, changed, destroyed", true, both(both(destroy, change), destroy), deleteForm},
	} {
		for how, send := range senders {
			t.Run(c.name+"/"+how, func(t *testing.T) {
				w := newWorld(t, nil)
				var id session.ID
				if c.known {
					id = w.login(t)
				}
				p := newProbe()
				sessionhttp.Middleware(w.m, nil)(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
					must(t, c.do(get(t, r), r))
					send(rw, r)
				})).ServeHTTP(p, newRequest(id))
				lines := p.Header()["Set-Cookie"]
				if c.form == nil {
					require.Empty(t, lines)
					return
				}
				require.Len(t, lines, 1)
				require.Regexp(t, c.form, lines[0])
				if c.known {
					require.NotContains(t, lines[0], id.Reveal())
				}
				if c.form == setForm {
					w.load(t, sentID(t, p.Header()))
				}
			})
		}
	}
}

func TestDestroyThatFailsLeavesTheCookie(t *testing.T) {
	w := newWorld(t, nil)
	id := w.login(t)
	w.store.down("delete")
	rec := w.serve(nil, id, func(rw http.ResponseWriter, r *http.Request) {
		require.ErrorIs(t, get(t, r).Destroy(r.Context()), errDown)
		io.WriteString(rw, "try again")
	})
	require.Empty(t, cookies(rec))
	require.Equal(t, "try again", rec.Body.String())
	w.load(t, id)
}

func TestDestroyElsewhereLeavesTheCookie(t *testing.T) { // P6
	w := newWorld(t, nil)
	for name, end := range map[string]func(id session.ID, r *http.Request) error{
		"by Manager.Destroy": func(id session.ID, r *http.Request) error { return w.m.Destroy(r.Context(), id) },
		"everywhere": func(id session.ID, r *http.Request) error {
			_, err := w.m.DestroyFound(r.Context(), "user", "ann", nil)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			id := w.login(t)
			rec := w.serve(nil, id, func(rw http.ResponseWriter, r *http.Request) {
				s := get(t, r)
				must(t, end(id, r))
				fmt.Fprint(rw, user.GetOr(s, ""))
			})
			require.Empty(t, cookies(rec))
			rec = w.serve(nil, id, func(rw http.ResponseWriter, r *http.Request) { fmt.Fprint(rw, get(t, r).Stored()) })
			require.Equal(t, "false", rec.Body.String())
			require.Empty(t, cookies(rec))
		})
	}
}

func TestHandlersCookieOfTheSameNameIsReplaced(t *testing.T) {
	w := newWorld(t, nil)
	rec := w.serve(nil, "", func(rw http.ResponseWriter, r *http.Request) {
		http.SetCookie(rw, &http.Cookie{Name: "a", Value: "1"})
		http.SetCookie(rw, &http.Cookie{Name: "__Host-id", Value: "planted", Path: "/", Secure: true})
		http.SetCookie(rw, &http.Cookie{Name: "__Host-id", Value: "planted", Path: "/x"})
		http.SetCookie(rw, &http.Cookie{Name: "__Host-id2", Value: "2"})
		must(t, count.Set(get(t, r), 1))
	})
	lines := cookies(rec)
	require.Len(t, lines, 3)
	require.Equal(t, []string{"a=1", "__Host-id2=2"}, lines[:2])
	require.Regexp(t, setForm, lines[2])

	rec = w.serve(nil, w.login(t), func(rw http.ResponseWriter, r *http.Request) {
		get(t, r)
		http.SetCookie(rw, &http.Cookie{Name: "b", Value: "1"})
	})
	require.Equal(t, []string{"b=1"}, cookies(rec))
}

func TestPersistentCookieLastsAsLongAsTheSession(t *testing.T) {
	const day = 24 * time.Hour
	for _, c := range []struct {
		name     string
		o        session.Options
		maxAge   int
		afterDay int // Max-Age of a request a day later; -1: no cookie
	}{
		{"to the absolute deadline", session.Options{Idle: 2 * day, Absolute: 30 * day}, 30 * 86400, -1},
		{"to the idle one, again whenever it moves", session.Options{Idle: 2 * day, Absolute: session.NoLimit}, 2 * 86400, 2 * 86400},
		{"400 days if nothing ends it", session.Options{Idle: session.NoLimit, Absolute: session.NoLimit}, 400 * 86400, -1},
		{"400 days at most", session.Options{Idle: 2 * day, Absolute: 1000 * day}, 400 * 86400, -1},
		{"whole seconds, rounded down", session.Options{Idle: 2 * day, Absolute: 2*day + 999*time.Millisecond}, 2 * 86400, -1},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, &c.o)
				rec := w.serve(nil, "", func(rw http.ResponseWriter, r *http.Request) {
					s := get(t, r)
					must(t, user.Set(s, "ann"))
					must(t, s.SetPersistent(true))
				})
				id := sentID(t, rec.Result().Header)
				require.Equal(t, []string{fmt.Sprintf("__Host-id=%s; Path=/; Max-Age=%d; HttpOnly; Secure; SameSite=Lax", id.Reveal(), c.maxAge)}, cookies(rec))

				read := func() []string {
					return cookies(w.serve(nil, id, func(rw http.ResponseWriter, r *http.Request) { get(t, r) }))
				}
				require.Empty(t, read(), "at once")
				time.Sleep(24 * time.Hour)
				lines := read()
				if c.afterDay < 0 {
					require.Empty(t, lines)
					return
				}
				require.Len(t, lines, 1)
				require.Contains(t, lines[0], fmt.Sprintf("Max-Age=%d;", c.afterDay))
				require.Empty(t, read(), "nothing moved since")
			})
		})
	}
}

func TestMaxAgeNeverExceedsTheDeadline(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	for range 200 {
		life := time.Duration(rnd.Int64N(int64(100*time.Hour))) + time.Second
		wait := time.Duration(rnd.Int64N(int64(life)))
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, &session.Options{Idle: session.NoLimit, Absolute: life})
			id := w.login(t)
			end := w.load(t, id).Deadline()
			time.Sleep(wait)
			rec := w.serve(nil, id, func(rw http.ResponseWriter, r *http.Request) {
				s := get(t, r)
				if s.Stored() {
					must(t, s.SetPersistent(true))
				}
			})
			for _, c := range rec.Result().Cookies() {
				require.GreaterOrEqual(t, c.MaxAge, 0)
				left := time.Until(end)
				require.LessOrEqual(t, time.Duration(c.MaxAge)*time.Second, left)
				if c.MaxAge == 0 {
					require.Less(t, left, time.Second)
				}
			}
			time.Sleep(time.Until(end))
			w.gone(t, id)
		})
	}
}

func TestPersistenceIsSentWhenItChanges(t *testing.T) {
	w := newWorld(t, nil)
	id := w.login(t)
	persist := func(p bool) []string {
		return cookies(w.serve(nil, id, func(rw http.ResponseWriter, r *http.Request) { must(t, get(t, r).SetPersistent(p)) }))
	}
	require.Contains(t, persist(true)[0], "Max-Age=604")
	require.Empty(t, persist(true))
	off := persist(false)
	require.Len(t, off, 1)
	require.Regexp(t, setForm, off[0])
	require.Empty(t, persist(false))

	w.store.down("replace")
	rec := w.serve(nil, id, func(rw http.ResponseWriter, r *http.Request) { must(t, get(t, r).SetPersistent(true)) })
	require.Equal(t, 503, rec.Code)
	require.Empty(t, cookies(rec), "what was not stored is not sent")
}

func TestVaryAndCacheControl(t *testing.T) {
	w := newWorld(t, nil)
	id := w.login(t)
	read := func(*session.Session) error { return nil }
	for _, c := range []struct {
		name         string
		header       http.Header // of the handler
		do           func(*session.Session) error
		vary, caches []string
	}{
		{"nothing set", nil, read, []string{"Cookie"}, []string{"no-store"}},
		{"other Vary", http.Header{"Vary": {"Accept-Encoding"}}, read, []string{"Accept-Encoding", "Cookie"}, []string{"no-store"}},
		{"Cookie in Vary", http.Header{"Vary": {"Accept, cookie"}}, read, []string{"Accept, cookie"}, []string{"no-store"}},
		{"Vary *", http.Header{"Vary": {"*"}}, read, []string{"*"}, []string{"no-store"}},
		{"the handler's choice", http.Header{"Cache-Control": {"public, max-age=60"}}, read, []string{"Cookie"}, []string{"public, max-age=60"}},
		{"public with our cookie", http.Header{"Cache-Control": {"public, max-age=60"}}, renewed(t), []string{"Cookie"}, []string{"no-store"}},
		{"no-cache with our cookie", http.Header{"Cache-Control": {"no-cache"}}, renewed(t), []string{"Cookie"}, []string{"no-store"}},
		{"part of it private, with our cookie", http.Header{"Cache-Control": {`private="set-cookie"`}}, renewed(t), []string{"Cookie"}, []string{"no-store"}},
		{"private with our cookie", http.Header{"Cache-Control": {"max-age=60", "Private"}}, renewed(t), []string{"Cookie"}, []string{"max-age=60", "Private"}},
		{"no-store with our cookie", http.Header{"Cache-Control": {"no-store, no-cache"}}, renewed(t), []string{"Cookie"}, []string{"no-store, no-cache"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			rec := w.serve(nil, id, func(rw http.ResponseWriter, r *http.Request) {
				for name, values := range c.header {
					rw.Header()[name] = values
				}
				must(t, c.do(get(t, r)))
				rw.WriteHeader(200)
			})
			require.Equal(t, c.vary, rec.Result().Header["Vary"])
			require.Equal(t, c.caches, rec.Result().Header["Cache-Control"])
			if lines := cookies(rec); len(lines) > 0 {
				id = sentID(t, rec.Result().Header)
			}
		})
	}
}

func renewed(t *testing.T) func(*session.Session) error {
	return func(s *session.Session) error { return s.Renew(t.Context()) }
}

// TestSharedCacheNeverHandsOutACookie plays a cache that stores whatever
// RFC 9111 lets it store, between two users.
func TestSharedCacheNeverHandsOutACookie(t *testing.T) {
	w := newWorld(t, nil)
	for _, cc := range []string{"", "public", "max-age=60", "s-maxage=60", "no-cache", "public, no-cache", "private", "no-store", "must-revalidate, public"} {
		rec := w.serve(nil, "", func(rw http.ResponseWriter, r *http.Request) {
			if cc != "" {
				rw.Header().Set("Cache-Control", cc)
			}
			must(t, count.Set(get(t, r), 1))
			io.WriteString(rw, "page")
		})
		got := rec.Result().Header.Get("Cache-Control")
		cacheable := !strings.Contains(got, "no-store") && !strings.Contains(got, "private")
		require.False(t, cacheable, "Cache-Control %q became %q with %v", cc, got, cookies(rec))
	}
}

// TestEveryCombinationOfCookieOptions compares Validate with the rules of
// browsers, and what leaves with what was asked for.
func TestEveryCombinationOfCookieOptions(t *testing.T) {
	w := newWorld(t, nil)
	legal := 0
	for _, name := range []string{"", "__Host-sid", "__host-sid", "__Secure-sid", "__SECURE-sid", "__Http-sid", "__Host-Http-sid", "sid", "_Host-sid"} {
		for bits := range 1 << 5 {
			c := sessionhttp.Cookie{Name: name, Insecure: bits&1 != 0, Partitioned: bits&2 != 0}
			if bits&4 != 0 {
				c.SameSite = http.SameSiteNoneMode
			}
			if bits&8 != 0 {
				c.Domain = "example.com"
			}
			if bits&16 != 0 {
				c.Path = "/app"
			}
			lower := strings.ToLower(name)
			if name == "" && !c.Insecure {
				lower = "__host-id"
			}
			host := strings.HasPrefix(lower, "__host-")
			prefixed := host || strings.HasPrefix(lower, "__secure-") || strings.HasPrefix(lower, "__http-")
			illegal := host && (c.Domain != "" || c.Path != "") ||
				c.Insecure && (prefixed || c.Domain != "" || c.Partitioned || c.SameSite == http.SameSiteNoneMode)
			o := &sessionhttp.Options{Cookie: c}
			err := o.Validate()
			if illegal {
				require.Error(t, err, "%+v", c)
				require.Panics(t, func() { sessionhttp.Middleware(w.m, o) })
				continue
			}
			require.NoError(t, err, "%+v", c)
			legal++
			checkCombination(t, w, o)
		}
	}
	require.Equal(t, 102, legal, "of 288")
}

// checkCombination sets a cookie, sends it back, and deletes it.
func checkCombination(t *testing.T, w *world, o *sessionhttp.Options) {
	t.Helper()
	c := o.Cookie
	request := func(header string) *http.Request {
		r := httptest.NewRequest("GET", "http://localhost/app", nil)
		r.RemoteAddr = "127.0.0.1:1"
		if header != "" {
			r.Header.Set("Cookie", header)
		}
		return r
	}
	rec := w.serveRequest(o, request(""), func(rw http.ResponseWriter, r *http.Request) { must(t, count.Set(get(t, r), 1)) })
	lines := cookies(rec)
	require.Len(t, lines, 1)
	set, err := http.ParseSetCookie(lines[0])
	require.NoError(t, err)
	require.Empty(t, set.Unparsed)
	if c.Name != "" {
		require.Equal(t, c.Name, set.Name)
	}
	path, site := c.Path, c.SameSite
	if path == "" {
		path = "/"
	}
	if site == 0 {
		site = http.SameSiteLaxMode
	}
	require.Equal(t, []any{path, c.Domain, site, !c.Insecure, c.Partitioned, true, 0},
		[]any{set.Path, set.Domain, set.SameSite, set.Secure, set.Partitioned, set.HttpOnly, set.MaxAge})

	rec = w.serveRequest(o, request(set.Name+"="+set.Value), func(rw http.ResponseWriter, r *http.Request) {
		s := get(t, r)
		require.EqualValues(t, 1, count.GetOr(s, 0))
		must(t, s.Destroy(r.Context()))
	})
	lines = cookies(rec)
	require.Len(t, lines, 1)
	deleted, err := http.ParseSetCookie(lines[0])
	require.NoError(t, err)
	require.Empty(t, deleted.Value)
	require.Equal(t, -1, deleted.MaxAge)
	deleted.Value, deleted.MaxAge, deleted.Raw = set.Value, set.MaxAge, set.Raw
	require.Equal(t, set, deleted, "deleted by the same name, path, domain and flags")
}

func FuzzCookie(f *testing.F) {
	for _, seed := range []string{
		"", "=", ";", "__Host-id", "__Host-id=", "__Host-id=abc", "a=1; __Host-id=abc; b=2", "__Host-id=abc; __Host-id=abc",
		"__Host-id=abc; __Host-id=def", "__host-id=abc", " __Host-id=abc", "\t__Host-id=abc\t", "__Host-id =abc", "__Host-id= abc",
		`__Host-id="abc"`, `a="b; __Host-id=abc; c"`, "$Version=1; __Host-id=abc; $Path=/", "\u2000__Host-id=abc", "__Host-id\u00a0=abc",
		"=__Host-id=abc", "__Host-id=a=b=c", "__Host-id=abc\n__Host-id=def", "a\n__Host-id=abc\nb", "__Host-id=abc,__Host-id=def",
		"x__Host-id=abc", "__Host-idx=abc", "__Host-id=\x00", "__Host-id=\xff", "__Host-id==", ";;;__Host-id=abc;;;", "__Host-id=" + strings.Repeat("a", 257),
	} {
		f.Add(seed)
	}
	const name = "__Host-id"
	f.Fuzz(func(t *testing.T, header string) {
		lines := strings.Split(header, "\n")
		value, refused := sessionhttp.Find(lines, name)
		require.False(t, value != "" && refused != "")
		// The same, simply: a list of all pairs.
		var ours []string
		for _, line := range lines {
			for _, pair := range strings.Split(line, ";") {
				if n, v, found := strings.Cut(strings.Trim(pair, " \t"), "="); found && n == name {
					ours = append(ours, v)
				}
			}
		}
		if refused != "" {
			require.NotEmpty(t, ours)
		}
		if len(ours) == 0 {
			require.Empty(t, refused)
		}
		if len(ours) != 1 {
			require.Empty(t, value, "none or several were sent")
		}
		if value == "" {
			return
		}
		require.Equal(t, ours[0], value, "another cookie's value")
		require.LessOrEqual(t, len(value), sessionhttp.MaxID)
		require.NoError(t, (&http.Cookie{Name: name, Value: value}).Valid(), "what is accepted can be sent")
		require.False(t, strings.ContainsAny(value, " ,"))
	})
}
