package sessionhttp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/websession/websession/session"
)

// commit saves the session, before the header leaves. After an error the answer
// of the handler has been replaced.
func (x *exchange) commit() error {
	x.mu.Lock()
	x.committed = true // whoever gets the session from now on gets it sealed
	s, used, anonymous := x.s, x.used, x.anonymous
	x.mu.Unlock()
	switch {
	case !used:
		return nil
	case s == nil:
		x.guard(x.w.Header(), false)
		return nil
	case anonymous:
		s.Seal()
		x.guard(x.w.Header(), false)
		return nil
	}
	// A commit goes on when the client has gone.
	x.commitment.Parent, x.commitment.Timeout, x.commitment.Detached = x.r.Context(), x.opts.CommitTimeout, true
	err := s.Save((*commitContext)(x))
	x.commitment.End()
	ticket := s.Seal()
	if errors.Is(err, session.ErrFinished) { // the handler dropped its changes
		err = nil
	}
	if err == nil {
		var set bool
		h := x.w.Header()
		if set, err = x.setCookie(h, ticket, nil); err == nil {
			x.guard(h, set)
			return nil
		}
	}
	x.m.Observe(x.r.Context(), s, session.Event{Kind: session.EventCommitFailed, Err: err})
	x.fail(s, err)
	return x.failure
}

// setCookie tells the client what it does not know of the session, and reports
// whether there was something. After a save that failed with saveErr this is an
// id that a Renew has made valid, or that a Destroy has ended.
func (x *exchange) setCookie(h http.Header, t session.Ticket, saveErr error) (bool, error) {
	c := &x.opts.Cookie
	if t.ID == "" {
		if x.id != "" {
			c.set(h, "", -1)
		}
		return x.id != "", nil
	}
	id := t.ID.Reveal()
	if id == x.id && (saveErr != nil || t.Persistent == x.persistent &&
		(!t.Persistent || !t.Deadline.IsZero() || t.Expires.Equal(x.expires))) {
		return false, nil
	}
	if len(id) > MaxID || !validValue(id) {
		return false, errID
	}
	seconds := 0
	if t.Persistent {
		end := t.Deadline
		if end.IsZero() {
			end = t.Expires
		}
		seconds = age(x.m.Now(), end)
	}
	c.set(h, id, seconds)
	return true, nil
}

// fail replaces the answer of the handler. The session is nil if it could not
// be loaded.
func (x *exchange) fail(s *session.Session, err error) {
	h := x.w.Header()
	if x.looked {
		clear(h)
		for _, f := range x.before {
			h[f.name] = f.values
		}
	}
	x.status = statusOf(err)
	if s != nil && x.status != http.StatusConflict {
		x.setCookie(h, s.Ticket(), err)
	}
	x.guard(h, true)
	x.failure = fmt.Errorf("sessionhttp: the answer was replaced by one of status %d: %w", x.status, err)
	x.replying = true
	x.opts.Error(x, x.r, x.status, err)
	if !x.replied {
		x.WriteHeader(x.status)
	}
	// The handler may run on for long, or panic because it cannot write.
	http.NewResponseController(x.w).Flush()
	x.replying = false
}

func statusOf(err error) int {
	if errors.Is(err, session.ErrNotFound) {
		return http.StatusConflict
	}
	for _, e := range []error{
		session.ErrTooLarge, session.ErrReadOnly, session.ErrNested, session.ErrHeadersSent, errors.ErrUnsupported,
		ErrNotLoopback, errSameName, errID,
	} {
		if errors.Is(err, e) {
			return http.StatusInternalServerError
		}
	}
	return http.StatusServiceUnavailable
}

// complete does what is left when the handler has returned.
func (x *exchange) complete() {
	x.mu.Lock()
	s, err, committed, anonymous, late := x.s, x.err, x.committed, x.anonymous, x.late
	used := x.used
	if s == nil {
		x.committed = true
	}
	x.mu.Unlock()
	switch {
	case x.failure != nil, !used:
	case s == nil && !committed && err != nil:
		x.fail(nil, err)
	case s == nil:
	case anonymous:
		if !committed {
			x.commit()
		}
		if s.Changed() {
			x.m.Observe(x.r.Context(), nil, session.Event{Kind: session.EventLateSaveFailed, Err: err})
		}
	case !committed:
		x.commit()
	case late || s.Changed(): // one that was loaded late may want a touch
		ctx, cancel := context.WithTimeout(context.WithoutCancel(x.r.Context()), x.opts.CommitTimeout)
		defer cancel()
		if err := s.Save(ctx); err != nil && !errors.Is(err, session.ErrFinished) {
			x.m.Observe(ctx, s, session.Event{Kind: session.EventLateSaveFailed, Err: err})
		}
	}
}

// commitContext is an exchange as the context of its commit.
type commitContext exchange

func (c *commitContext) Deadline() (time.Time, bool) { return c.commitment.Deadline() }
func (c *commitContext) Done() <-chan struct{}       { return c.commitment.Done() }
func (c *commitContext) Err() error                  { return c.commitment.Err() }
func (c *commitContext) Value(key any) any           { return c.commitment.Value(key) }

// Format prints neither the cookie nor the session, whatever the verb.
func (c *commitContext) Format(f fmt.State, _ rune) { io.WriteString(f, "sessionhttp.Context") }
