package demo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/websession/websession/session"
	"github.com/websession/websession/session/sessionhttp"
)

// app is one application server.
type app struct {
	number   int // from 1
	of       int
	sessions *session.Manager
	stopping <-chan struct{} // closed when the demo ends
	log      *slog.Logger
}

func (a *app) name() string { return fmt.Sprintf("server-%d", a.number) }

// handler answers all that the server does. A POST of another site ends before
// it is looked at.
func (a *app) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", a.home)
	mux.HandleFunc("GET /api/session", a.describe)
	mux.HandleFunc("POST /login", a.login)
	mux.HandleFunc("POST /set", a.set)
	mux.HandleFunc("POST /end", a.end)
	mux.HandleFunc("POST /logout-others", a.logoutOthers)
	mux.HandleFunc("POST /logout", a.logout)
	mux.HandleFunc("GET "+staticPrefix+"{file}", serveStatic)

	withSession := sessionhttp.Middleware(a.sessions, &sessionhttp.Options{
		Cookie: sessionhttp.Cookie{Insecure: true}, // plain HTTP, on loopback only
		Error: func(w http.ResponseWriter, r *http.Request, status int, _ error) {
			writeProblem(w, r, status, problemText(status))
		},
	})
	protection := http.NewCrossOriginProtection()
	protection.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		writeProblem(w, r, http.StatusForbidden, "The request came from another site. Nothing was changed.")
	}))
	next := protection.Handler(withSession(withProblems(mux)))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Server", a.name())
		h.Set("Cache-Control", "no-store")
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		next.ServeHTTP(w, r)
	})
}

// open answers the session of a request and its user, "" for an anonymous
// visitor. If the store fails it returns false, and the middleware answers when
// the handler returns.
func (a *app) open(r *http.Request) (s *session.Session, user string, ok bool) {
	s, err := sessionhttp.Get(r)
	if err != nil {
		a.logFailure(r, err)
		return nil, "", false
	}
	return s, userKey.GetOr(s, ""), true
}

// openUser is open for what only a user may do; others are answered.
func (a *app) openUser(w http.ResponseWriter, r *http.Request) (s *session.Session, user string, ok bool) {
	if s, user, ok = a.open(r); ok && user == "" {
		writeProblem(w, r, http.StatusForbidden, "Log in first: you have no session, or it has ended.")
		return nil, "", false
	}
	return s, user, ok
}

// fail answers a request that the store did not serve.
func (a *app) fail(w http.ResponseWriter, r *http.Request, err error) {
	status := http.StatusServiceUnavailable
	if errors.Is(err, session.ErrNotFound) { // it ended during the request
		status = http.StatusConflict
	} else {
		a.logFailure(r, err)
	}
	writeProblem(w, r, status, problemText(status))
}

// logFailure logs an error of the store, unless the client has gone.
func (a *app) logFailure(r *http.Request, err error) {
	if r.Context().Err() == nil {
		a.log.Error("the store failed", "error", err.Error())
	}
}

func (a *app) login(w http.ResponseWriter, r *http.Request) {
	if err := readForm(w, r); err != nil {
		refuse(w, r, err)
		return
	}
	name, err := readName(r)
	if err != nil {
		if wantsJSON(r) {
			refuse(w, r, err)
		} else {
			a.showLogin(w, r, http.StatusBadRequest, err.Error())
		}
		return
	}
	s, user, ok := a.open(r)
	if !ok {
		return
	}
	if err := a.enter(r, s, user, name); err != nil {
		a.fail(w, r, err)
		return
	}
	http.Redirect(w, r, "/?done=login", http.StatusSeeOther)
}

// enter logs a user in. What one user left is not there for the next one. Renew
// comes last: it stores what was set under the new id, so that the old id never
// has the user's session.
func (a *app) enter(r *http.Request, s *session.Session, user, name string) error {
	if user != "" && user != name {
		if err := s.Destroy(r.Context()); err != nil {
			return err
		}
	}
	err := errors.Join(
		userKey.Set(s, name),
		browserKey.Set(s, browserName(r.UserAgent())),
		addressKey.Set(s, clientAddress(r)),
	)
	if err == nil && !s.Has(visitsKey.Name()) {
		err = visitsKey.Set(s, 0)
	}
	if err != nil {
		return err
	}
	return s.Renew(r.Context())
}

// clientAddress answers where a request comes from: what the front end says,
// which nobody else can reach this server through.
func clientAddress(r *http.Request) string { return r.Header.Get("X-Forwarded-For") }

// set loads the session, waits, and sets an attribute: what a slow request of a
// real application does. The session is saved when the answer begins.
func (a *app) set(w http.ResponseWriter, r *http.Request) {
	if err := readForm(w, r); err != nil {
		refuse(w, r, err)
		return
	}
	s, _, ok := a.openUser(w, r)
	if !ok {
		return
	}
	form, err := readSetting(r)
	if err == nil && !s.Has(form.key) && len(ownNames(s)) >= maxAttributes {
		err = errMany
	}
	if err != nil {
		refuse(w, r, err)
		return
	}
	if !a.wait(r.Context(), form.delay) {
		return // the client has gone
	}
	if err := session.NewKey[string](form.key).Set(s, form.value); err != nil {
		a.fail(w, r, err)
		return
	}
	http.Redirect(w, r, "/?done=set", http.StatusSeeOther)
}

// wait waits for d, or until the demo ends, and reports whether ctx has not
// ended.
func (a *app) wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-a.stopping:
	case <-ctx.Done():
	}
	return ctx.Err() == nil
}

// end ends one session of the user, by its handle.
func (a *app) end(w http.ResponseWriter, r *http.Request) {
	if err := readForm(w, r); err != nil {
		refuse(w, r, err)
		return
	}
	s, user, ok := a.openUser(w, r)
	if !ok {
		return
	}
	handle := session.Handle(r.PostForm.Get("handle"))
	if handle == s.Handle() {
		a.leave(w, r, s)
		return
	}
	n, err := a.sessions.DestroyFound(r.Context(), userKey.Name(), user, session.HasHandle(handle))
	switch {
	case err != nil:
		a.fail(w, r, err)
	case n == 0:
		http.Redirect(w, r, "/?done=gone", http.StatusSeeOther)
	default:
		http.Redirect(w, r, "/?done=ended", http.StatusSeeOther)
	}
}

func (a *app) logoutOthers(w http.ResponseWriter, r *http.Request) {
	s, user, ok := a.openUser(w, r)
	if !ok {
		return
	}
	if _, err := a.sessions.DestroyFound(r.Context(), userKey.Name(), user, session.OtherThan(s)); err != nil {
		a.fail(w, r, err)
		return
	}
	http.Redirect(w, r, "/?done=others", http.StatusSeeOther)
}

func (a *app) logout(w http.ResponseWriter, r *http.Request) {
	if s, _, ok := a.open(r); ok {
		a.leave(w, r, s)
	}
}

// leave ends the session of the request.
func (a *app) leave(w http.ResponseWriter, r *http.Request, s *session.Session) {
	if err := s.Destroy(r.Context()); err != nil {
		a.fail(w, r, err)
		return
	}
	http.Redirect(w, r, "/?done=logout", http.StatusSeeOther)
}
