package benchpeers

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/websession/websession/session"
	"github.com/websession/websession/session/sessionhttp"
)

// peer is an application that uses a session library. Its handlers answer the
// counter, a number among the attributes of the session.
type peer struct {
	wrap   func(http.Handler) http.Handler // the middleware
	seed   func(attributes int, rest string) http.HandlerFunc
	read   http.HandlerFunc
	modify http.HandlerFunc // adds one to the counter
}

// All sessions have a counter, a user, a theme, and others as many as it takes.
func attribute(i int, rest string) (name, value string) {
	switch i {
	case 1:
		return "user", "ann"
	case 2:
		return "theme", "dark"
	}
	return fmt.Sprint("attribute", i), rest
}

// Values of most attributes.
var (
	someValue = "some value"
	longValue = strings.Repeat("some value ", 10) // 20 of them are 2 KB
)

// ours is an application of websession with its default options.
func ours(m *session.Manager) peer {
	counter := session.NewKey[int]("counter")
	answer := func(w http.ResponseWriter, n int, err error) {
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Write(strconv.AppendInt(nil, int64(n), 10))
	}
	return peer{
		wrap: sessionhttp.Middleware(m, nil),
		seed: func(attributes int, rest string) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) {
				s, err := sessionhttp.Get(r)
				if err == nil {
					err = counter.Set(s, 0)
				}
				for i := 1; i < attributes && err == nil; i++ {
					name, value := attribute(i, rest)
					err = session.NewKey[string](name).Set(s, value)
				}
				answer(w, 0, err)
			}
		},
		read: func(w http.ResponseWriter, r *http.Request) {
			s, err := sessionhttp.Get(r)
			if err != nil {
				return
			}
			n, err := counter.Get(s)
			answer(w, n, err)
		},
		modify: func(w http.ResponseWriter, r *http.Request) {
			s, err := sessionhttp.Get(r)
			if err != nil {
				return
			}
			n, err := counter.Get(s)
			if err == nil {
				err = counter.Set(s, n+1)
			}
			answer(w, n+1, err)
		},
	}
}

// theirs is an application of scs with its default options.
func theirs(store scs.Store) peer { return theirsWith(store, 0) }

// theirsWith is theirs with an idle time-out, 0 for none.
func theirsWith(store scs.Store, idle time.Duration) peer {
	m := scs.New()
	m.Store = store
	m.IdleTimeout = idle
	m.ErrorFunc = func(w http.ResponseWriter, _ *http.Request, err error) {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
	answer := func(w http.ResponseWriter, n int) { w.Write(strconv.AppendInt(nil, int64(n), 10)) }
	return peer{
		wrap: m.LoadAndSave,
		seed: func(attributes int, rest string) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) {
				m.Put(r.Context(), "counter", 0)
				for i := 1; i < attributes; i++ {
					name, value := attribute(i, rest)
					m.Put(r.Context(), name, value)
				}
				answer(w, 0)
			}
		},
		read: func(w http.ResponseWriter, r *http.Request) {
			answer(w, m.GetInt(r.Context(), "counter"))
		},
		modify: func(w http.ResponseWriter, r *http.Request) {
			n := m.GetInt(r.Context(), "counter") + 1
			m.Put(r.Context(), "counter", n)
			answer(w, n)
		},
	}
}

// visitor is a browser with a session. It sends one request at a time.
type visitor struct {
	request *http.Request
	answer  *answer
	peer    peer
}

// answer is the least that an http.ResponseWriter can be, and is used again and
// again: httptest's recorder, which copies headers and guesses content types,
// takes longer than a read does.
type answer struct {
	header http.Header
	code   int
	body   []byte
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(code int) {
	if a.code == 0 {
		a.code = code
	}
}

func (a *answer) Write(b []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	a.body = append(a.body, b...)
	return len(b), nil
}

func (a *answer) cookies() []*http.Cookie {
	return (&http.Response{Header: a.header}).Cookies()
}

// visit stores a session and answers its visitor.
func (p peer) visit(tb testing.TB, attributes int, rest string) visitor {
	tb.Helper()
	v := visitor{httptest.NewRequest("GET", "https://example.com/", nil), &answer{header: http.Header{}}, p}
	w := v.send(p.wrap(p.seed(attributes, rest)))
	cookies := w.cookies()
	if w.code != http.StatusOK || len(cookies) != 1 {
		tb.Fatalf("the first visit was answered with %d %s and %d cookies", w.code, w.body, len(cookies))
	}
	v.request.AddCookie(&http.Cookie{Name: cookies[0].Name, Value: cookies[0].Value})
	return v
}

// send answers what h answered, until the next call.
func (v visitor) send(h http.Handler) *answer {
	clear(v.answer.header)
	v.answer.code, v.answer.body = 0, v.answer.body[:0]
	h.ServeHTTP(v.answer, v.request)
	return v.answer
}

// counter answers the counter of the session.
func (v visitor) counter(tb testing.TB) int {
	tb.Helper()
	w := v.send(v.peer.wrap(v.peer.read))
	n, err := strconv.Atoi(string(w.body))
	if w.code != http.StatusOK || err != nil {
		tb.Fatalf("reading was answered with %d %s", w.code, w.body)
	}
	return n
}
