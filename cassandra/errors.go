package cassandra

import (
	"errors"
	"fmt"
	"strings"

	"github.com/websession/websession/session/driver"
)

// fault is the error of a statement, as the client library's errors are told
// apart.
type fault struct {
	err  error
	kind faultKind
	out  bool // the statement may have reached a node
}

type faultKind int

const (
	unknown faultKind = iota // it may have been executed
	refused                  // a node has answered that it cannot be executed
	broken                   // the connection ended, or was never there: another one may do
	busy                     // nodes did not answer each other in time, or are down
)

func (f *fault) Error() string { return f.err.Error() }
func (f *fault) Unwrap() error { return f.err }

func kindOf(err error) faultKind {
	var f *fault
	if errors.As(err, &f) {
		return f.kind
	}
	return unknown
}

// damaged marks the reason why a record cannot be read.
func damaged(why error) error { return fmt.Errorf("%w: %w", driver.ErrCorrupt, why) }

// fail answers the error of an operation, with what to change where that is
// known.
func fail(op string, err error) error {
	if hint := hintOf(err); hint != "" {
		return fmt.Errorf("cassandra: %s: %w: %s", op, err, hint)
	}
	return fmt.Errorf("cassandra: %s: %w", op, err)
}

// outcome answers the error of a mutation whose statement failed. That a node
// found too few others says nothing: it may have told some of them before.
func outcome(op string, err error) error {
	var f *fault
	switch {
	case err == nil:
		return nil
	case errors.As(err, &f) && (f.kind == refused || !f.out):
		return driver.NotApplied(fail(op, err))
	}
	return driver.UnknownOutcome(fail(op, err))
}

// isTooLong reports that the node keeps nothing that long: dates after 2038 do not
// fit into its files. Then nothing was changed.
func isTooLong(err error) bool {
	return err != nil && kindOf(err) == refused && strings.Contains(err.Error(), "maximum supported expiration date")
}

// isComing reports that a node, or another one that it asks, does not have a table
// yet that was made.
func isComing(err error) bool {
	for _, words := range []string{"Unknown CF", "does not exist", "unconfigured table", "INCOMPATIBLE_SCHEMA"} {
		if strings.Contains(err.Error(), words) {
			return true
		}
	}
	return kindOf(err) == busy
}

// hints say what to change when an error has these words in it.
var hints = []struct{ words, hint string }{
	{"and/or password are incorrect", "check username and password"},
	{"authentication required", "the server wants a user: set username and password"},
	{"has no CREATE permission", "the user may not make what is missing: run what websession schema prints as another user"},
	{"has no ALTER permission", "the user may not make what is missing: run what websession schema prints as another user"},
	{"permission on", "the user lacks rights: grant SELECT and MODIFY on the tables"},
	{"Cannot achieve consistency level", "too few nodes with a copy are up: look at nodetool status, and at the keyspace's replication"},
	{"does not exist", "the table was dropped while it was in use: open the store again"},
	{"unconfigured table", "the table was dropped while it was in use: open the store again"},
	{"does not look like a TLS handshake", "the server does not speak TLS: remove ssl"},
	{"certificate", "check tls_ca, tls_server_name and the server's certificate"},
}

func hintOf(err error) string {
	if err == nil {
		return ""
	}
	text := err.Error()
	for _, h := range hints {
		if strings.Contains(text, h.words) {
			return h.hint
		}
	}
	return ""
}

// explain answers the error of connecting, with what to change.
func explain(err error) error {
	hint := hintOf(err)
	if hint == "" {
		hint = "check hosts and ssl, and that the nodes run"
	}
	return fmt.Errorf("%w: %s", err, hint)
}
