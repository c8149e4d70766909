package sessionhttp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/websession/websession/session"
	"github.com/websession/websession/session/internal/lazy"
)

var (
	// ErrNoMiddleware: the request did not pass Middleware, or it lost the
	// context that Middleware gave it.
	ErrNoMiddleware = errors.New("sessionhttp: the request did not pass Middleware")

	// ErrNotLoopback: the cookie is Insecure, and the client is not on this
	// machine.
	ErrNotLoopback = errors.New("sessionhttp: Cookie.Insecure is for clients on this machine: serve HTTPS (or plain HTTP behind a proxy that does) and leave Insecure out")

	errSameName = errors.New("sessionhttp: two Managers use one cookie name for this request: give each a Cookie.Name of its own")
	errID       = errors.New("sessionhttp: the id that the store's format made cannot stand in a cookie")
)

// Middleware makes the sessions of m available to a handler, by Get. It panics
// if o is illegal, as http.ServeMux.Handle does; see Options.Validate.
//
// A handler that does not call Get costs the store nothing, and so does one
// that changes nothing for a client without cookie.
//
// Mounted twice for a request, with the same Manager and cookie name, the inner
// one does nothing. With another Manager and cookie name it is independent: Get
// answers the session of the innermost one, and all are saved. If an outer one
// cannot be saved, its error takes the place of the whole answer, with the
// cookie of the inner one.
func Middleware(m *session.Manager, o *Options) func(http.Handler) http.Handler {
	opts, err := o.withDefaults()
	if err != nil {
		panic(err.Error())
	}
	if m == nil {
		panic("sessionhttp.Middleware: the Manager is nil")
	}
	mw := &middleware{m, opts}
	return func(next http.Handler) http.Handler { return &handler{mw, next} }
}

// Get answers the session of a request. The first call loads it; the others,
// from whichever goroutine, answer the same, error included. No other call of
// this package reads the store.
//
// A client without a cookie that can be accepted gets a new session, which is
// stored once something is set. An error means that the store could not be
// read: nothing is known about the client then. A handler that just returns
// after it leaves the answer to Middleware; see Options.Error and
// Options.Anonymous. Other errors are ErrNoMiddleware, ErrNotLoopback, and
// session.ErrFinished when the handler has returned.
//
// An error that comes of the end of the context of r does not hold for later
// calls.
func Get(r *http.Request) (*session.Session, error) {
	x, _ := r.Context().Value(contextKey{}).(*exchange)
	if x == nil {
		return nil, ErrNoMiddleware
	}
	return x.session(r)
}

type middleware struct {
	m    *session.Manager
	opts Options // without zero fields
}

type handler struct {
	*middleware
	next http.Handler
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	outer, _ := r.Context().Value(contextKey{}).(*exchange)
	var clash error
	for o := outer; o != nil; o = o.outer {
		if o.opts.Cookie.Name != h.opts.Cookie.Name {
			continue
		}
		if o.m == h.m {
			h.next.ServeHTTP(w, r)
			return
		}
		clash = errSameName
	}
	x := &exchange{middleware: h.middleware, w: w, r: r, outer: outer, err: clash}
	defer x.end()
	h.next.ServeHTTP(x, r.WithContext((*exchangeContext)(x)))
	x.complete()
}

// exchange is one request and its answer. It is allocated once: it is the
// http.ResponseWriter of the handler, and, as an exchangeContext, its context.
type exchange struct {
	*middleware
	w     http.ResponseWriter
	r     *http.Request // as Middleware got it
	outer *exchange     // of another Middleware, or nil

	// What Get may use from any goroutine.
	mu        sync.Mutex
	s         *session.Session // nil: nobody asked, or err
	err       error            // of Get
	again     bool             // err holds for one call only
	used      bool             // somebody asked
	anonymous bool             // s stands in for one that could not be loaded
	late      bool             // s was loaded after the header
	committed bool             // written by the goroutine of the writer only
	ended     bool

	// The session as the client knows it, if it was loaded.
	id         string // "": it was not
	persistent bool
	expires    time.Time

	// What belongs to the goroutine of the writer.
	before   []field // the header before the handler ran
	looked   bool    // before is set
	failure  error   // why the handler's answer was replaced
	replying bool    // Options.Error is at work
	status   int     // that it should send
	replied  bool    // it did
	void     http.Header

	commitment lazy.Context
	guards     [2]string // values of headers that guard sets
}

type field struct {
	name   string
	values []string
}

// session is Get.
func (x *exchange) session(r *http.Request) (*session.Session, error) {
	s, err := x.load(r)
	if !ofStore(err) || r.Context().Err() != nil ||
		x.opts.Anonymous == nil || !x.opts.Anonymous(r.WithContext(without(r.Context()))) {
		return s, err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	switch {
	case x.ended:
		return nil, session.ErrFinished
	case x.s == nil:
		x.s, x.anonymous = x.m.NewSession(), true
		if x.committed {
			x.s.Seal()
		}
		x.m.Observe(r.Context(), nil, session.Event{Kind: session.EventAnonymous, Err: err})
	}
	return x.s, nil
}

// load answers the session, or the error, that this call or an earlier one got.
func (x *exchange) load(r *http.Request) (s *session.Session, err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.used = true
	switch {
	case x.ended:
		return nil, session.ErrFinished
	case x.s != nil:
		return x.s, nil
	case x.err != nil && !x.again:
		return nil, x.err
	case x.opts.Cookie.Insecure && !loopback(x.r.RemoteAddr):
		x.err = ErrNotLoopback
		return nil, x.err
	}
	id, refused := find(x.r.Header["Cookie"], x.opts.Cookie.Name)
	if refused != "" {
		x.m.Observe(r.Context(), nil, session.Event{Kind: session.EventRefused, Message: refused})
	}
	if id != "" {
		s, err = x.m.Load(r.Context(), session.ID(id))
		switch {
		case err == nil:
			t := s.Ticket()
			x.id, x.persistent, x.expires = id, t.Persistent, t.Expires
		case !errors.Is(err, session.ErrNotFound) && !errors.Is(err, session.ErrCorrupt):
			x.err, x.again = err, r.Context().Err() != nil
			return nil, err
		}
	}
	if s == nil {
		s = x.m.NewSession()
	}
	x.s, x.err, x.late = s, nil, x.committed
	if x.committed {
		s.Seal()
	}
	return s, nil
}

// ofStore reports whether err, of load, came from the store.
func ofStore(err error) bool {
	switch err {
	case nil, session.ErrFinished, ErrNotLoopback, errSameName:
		return false
	}
	return true
}

// without answers a context in which Get finds nothing.
func without(ctx context.Context) context.Context {
	return context.WithValue(ctx, contextKey{}, (*exchange)(nil))
}

func loopback(addr string) bool {
	ap, err := netip.ParseAddrPort(addr)
	return err == nil && ap.Addr().Unmap().IsLoopback()
}

// end ends the use of the session, however the handler ended.
func (x *exchange) end() {
	x.mu.Lock()
	x.ended = true
	s := x.s
	x.mu.Unlock()
	if s != nil {
		s.Finish()
	}
}

// exchangeContext is an exchange as the context of its request.
type exchangeContext exchange

type contextKey struct{}

func (c *exchangeContext) Deadline() (time.Time, bool) { return c.r.Context().Deadline() }
func (c *exchangeContext) Done() <-chan struct{}       { return c.r.Context().Done() }
func (c *exchangeContext) Err() error                  { return c.r.Context().Err() }

func (c *exchangeContext) Value(key any) any {
	if key == (contextKey{}) {
		return (*exchange)(c)
	}
	return c.r.Context().Value(key)
}

// Format prints neither the cookie nor the session, whatever the verb.
func (c *exchangeContext) Format(f fmt.State, _ rune) { io.WriteString(f, "sessionhttp.Context") }

// Format prints neither the cookie nor the session, whatever the verb.
func (x *exchange) Format(f fmt.State, _ rune) { io.WriteString(f, "sessionhttp.ResponseWriter") }
