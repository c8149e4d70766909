package session

import (
	"errors"
	"fmt"

	"github.com/websession/websession/session/driver"
)

// Errors of stores, as package driver defines them.
var (
	// ErrNotFound: the session does not exist, has expired, or was destroyed;
	// or the id cannot be one.
	ErrNotFound = driver.ErrNotFound

	// ErrClosed: the Manager or its store was closed.
	ErrClosed = driver.ErrClosed

	// ErrUnknownOutcome: the change may or may not have been applied.
	ErrUnknownOutcome = driver.ErrUnknownOutcome

	// ErrCorrupt: there is a record, and it cannot be read. It is not deleted.
	ErrCorrupt = driver.ErrCorrupt
)

// Errors of the core.
var (
	// ErrNoValue: the attribute is not set.
	ErrNoValue = errors.New("session attribute is not set")

	// ErrFinished: the request that this Session belonged to is over.
	ErrFinished = errors.New("session was used after its request")

	// ErrHeadersSent: the id can no longer reach the client, because the
	// header of the answer has left.
	ErrHeadersSent = errors.New("header of the answer was sent already")

	// ErrReadOnly: the session was found by Find or All, which answer copies.
	ErrReadOnly = errors.New("session is a read-only copy")

	// ErrTooLarge: a limit of the format would be exceeded.
	ErrTooLarge = errors.New("session is too large")

	// ErrNested: the function of an Update called Update, Save or Renew (or Load,
	// where the store locks) for the session that it is changing, or for one that
	// the function of another Update is changing at that moment, so that they might
	// wait for each other.
	ErrNested = errors.New("session is being changed by the function of an Update, inside of which this was called")
)

// Error is the error of an operation on a store.
type Error struct {
	Op    string // "load", "save", "update", "renew", "destroy", ...
	Class string // of the store
	Err   error  // never names a session id
}

func (e *Error) Error() string { return "session: " + e.Op + " (" + e.Class + "): " + e.Err.Error() }

// Unwrap answers Err.
func (e *Error) Unwrap() error { return e.Err }

// TypeError is the error of reading an attribute as a type that its value does
// not have, or of setting one to a value that cannot be stored.
type TypeError struct {
	Attribute string
	Stored    string // the kind of the stored value; "" when setting
	Go        string // the Go type asked for or given
	Err       error  // or nil
}

func (e *TypeError) Error() string {
	var msg string
	if e.Stored == "" {
		msg = fmt.Sprintf("session attribute %q cannot hold a %s", e.Attribute, e.Go)
	} else {
		msg = fmt.Sprintf("session attribute %q is a %s, not a %s", e.Attribute, e.Stored, e.Go)
	}
	if e.Err != nil {
		msg += ": " + e.Err.Error()
	}
	return msg
}

// Unwrap answers Err.
func (e *TypeError) Unwrap() error { return e.Err }
