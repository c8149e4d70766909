package sessionhttp

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// DefaultCommitTimeout is the default of Options.CommitTimeout.
const DefaultCommitTimeout = 5 * time.Second

// Options are the choices of Middleware. Nil, and the zero value of each field,
// mean the default.
type Options struct {
	Cookie Cookie

	// Anonymous says for which requests Get answers a new session, and no
	// error, when the store cannot be read: those of pages that are of use
	// without a login. Such a session is never stored and sets no cookie, so
	// that the client keeps the one it has; what a handler changed in it is
	// dropped, which is a session.EventLateSaveFailed. By default there are
	// none.
	//
	// It may be called concurrently, with the request that Get was called with;
	// Get answers ErrNoMiddleware in it.
	Anonymous func(*http.Request) bool

	// CommitTimeout bounds a save, which goes on when the client has gone.
	CommitTimeout time.Duration

	// Error answers a request that Middleware answers in place of the handler:
	// the session could not be saved before the header, or not loaded and the
	// handler sent nothing. The header is as it was before the handler ran, with
	// Vary, Cache-Control and, if the client needs it, Set-Cookie. A Write
	// without WriteHeader, and an Error that sends nothing, send status. The
	// request is the one that Middleware was called with. No session id is in
	// err. By default the answer is the text of the status.
	Error func(w http.ResponseWriter, r *http.Request, status int, err error)
}

// Validate reports all that is illegal in o: for options that come from a
// configuration, since Middleware panics.
func (o *Options) Validate() error {
	_, err := o.withDefaults()
	return err
}

// withDefaults answers a copy that has no zero fields but Anonymous and those
// of Cookie for which that is a choice.
func (o *Options) withDefaults() (Options, error) {
	var c Options
	if o != nil {
		c = *o
	}
	c.Cookie = c.Cookie.withDefaults()
	faults := c.Cookie.faults()
	if c.CommitTimeout < 0 {
		faults = append(faults, errors.New("CommitTimeout is negative"))
	}
	if c.CommitTimeout == 0 {
		c.CommitTimeout = DefaultCommitTimeout
	}
	if c.Error == nil {
		c.Error = plainError
	}
	if err := errors.Join(faults...); err != nil {
		return c, fmt.Errorf("sessionhttp options: %w", err)
	}
	return c, nil
}

func plainError(w http.ResponseWriter, _ *http.Request, status int, _ error) {
	text := http.StatusText(status) + "\n"
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(text)))
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	w.Write([]byte(text))
}
