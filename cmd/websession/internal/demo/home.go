package demo

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/websession/websession/session"
)

// maxListed is how many sessions of a user the page shows.
const maxListed = 50

// describe answers the session of a request to a program.
func (a *app) describe(w http.ResponseWriter, r *http.Request) {
	s, user, ok := a.open(r)
	if !ok {
		return
	}
	answer := struct {
		ID         session.Handle `json:"id"` // a digest; "" if nothing is stored
		Server     string         `json:"server"`
		User       string         `json:"user"` // "" for an anonymous visitor
		Attributes map[string]any `json:"attributes"`
		Created    *time.Time     `json:"created"` // null if nothing is stored
		Expires    *time.Time     `json:"expires"` // null if never, or nothing is stored
	}{Server: a.name(), User: user, Attributes: make(map[string]any)}
	if s.Stored() {
		answer.ID = s.Handle()
		answer.Created, answer.Expires = orNil(s.Created()), orNil(s.Expires())
	}
	for _, name := range ownNames(s) {
		v, err := s.Value(name)
		if err != nil {
			a.fail(w, r, err)
			return
		}
		answer.Attributes[name] = v
	}
	writeJSON(w, http.StatusOK, answer)
}

func orNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// home shows the session, or the form to log in.
func (a *app) home(w http.ResponseWriter, r *http.Request) {
	s, user, ok := a.open(r)
	if !ok {
		return
	}
	if user != "" && r.Method == http.MethodGet {
		switch err := a.countVisit(r.Context(), s); {
		case errors.Is(err, session.ErrNotFound): // it ended since it was loaded
			user = ""
		case err != nil:
			a.fail(w, r, err)
			return
		}
	}
	if user == "" {
		a.showLogin(w, r, http.StatusOK, "")
		return
	}
	a.showSession(w, r, s, user)
}

// countVisit adds one to the visits. Setting the sum in s would lose a visit
// when two requests read the same number; Update reads and writes until nobody
// came between. It works on the store, so s is loaded again.
func (a *app) countVisit(ctx context.Context, s *session.Session) error {
	err := a.sessions.Update(ctx, s.ID(), func(s *session.Session) error {
		return visitsKey.Set(s, visitsKey.GetOr(s, 0)+1)
	})
	if err != nil {
		return err
	}
	return s.Reload(ctx)
}

func (a *app) showLogin(w http.ResponseWriter, r *http.Request, status int, fault string) {
	writePage(w, status, "login", loginPage{page: a.page(r, "Log in"), Fault: fault, Name: r.PostForm.Get("name"), MaxName: maxName})
}

func (a *app) showSession(w http.ResponseWriter, r *http.Request, s *session.Session, user string) {
	now := time.Now()
	p := sessionPage{
		page:    a.page(r, user),
		User:    user,
		Visits:  visitsKey.GetOr(s, 0),
		Handle:  shortHandle(s.Handle()),
		Created: since(now, s.Created()),
		Expires: until(now, s.Expires()),
		MaxKey:  maxKey, MaxValue: maxValue,
	}
	for _, name := range ownNames(s) {
		v, err := s.Value(name)
		p.Attributes = append(p.Attributes, attribute{name, showValue(v, err)})
	}
	all, err := a.sessionsOf(r.Context(), user, s.Handle(), now)
	if err != nil {
		a.log.Error("the sessions of a user cannot be listed", "error", err.Error())
		p.Unlisted = "This store cannot list sessions at the moment."
		if errors.Is(err, errors.ErrUnsupported) {
			p.Unlisted = "This store cannot list the sessions of a user."
		}
	}
	p.Count = len(all)
	p.Sessions = all[:min(len(all), maxListed)]
	p.More = len(all) - len(p.Sessions)
	writePage(w, http.StatusOK, "session", p)
}

// sessionsOf answers the sessions of a user: this one first, then those that
// were used last.
func (a *app) sessionsOf(ctx context.Context, user string, this session.Handle, now time.Time) ([]userSession, error) {
	var all []userSession
	for s, err := range a.sessions.Find(ctx, userKey.Name(), user) {
		if err != nil {
			return nil, err
		}
		all = append(all, userSession{
			Handle:  s.Handle(),
			This:    s.Handle() == this,
			Browser: browserKey.GetOr(s, "Unknown browser"),
			Address: addressKey.GetOr(s, "unknown address"),
			LastUse: since(now, s.LastUse()),
		})
	}
	slices.SortFunc(all, func(x, y userSession) int {
		switch {
		case x.This:
			return -1
		case y.This:
			return 1
		}
		return cmp.Or(y.LastUse.At.Compare(x.LastUse.At), cmp.Compare(x.Handle, y.Handle))
	})
	return all, nil
}
