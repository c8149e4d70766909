package redis

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/websession/websession/session/driver"
)

var (
	errWrongType  = errors.New("there is a value of another type: some other program uses this prefix")
	errUnfinished = errors.New("the session was written, and its time-to-live was not")
	errStrange    = errors.New("the server answered something that no script of this package answers")
)

// damaged marks the reason why a record cannot be read.
func damaged(why error) error { return fmt.Errorf("%w: %w", driver.ErrCorrupt, why) }

// fail answers the error of an operation, with what to change where that is
// known.
func fail(op string, err error) error {
	if hint := hintOf(err); hint != "" {
		return fmt.Errorf("redis: %s: %w: %s", op, err, hint)
	}
	return fmt.Errorf("redis: %s: %w", op, err)
}

// outcome answers the error of a mutation whose command failed. An answer of the
// server says that nothing was changed: see script.
func outcome(op string, err error) error {
	if errors.Is(err, driver.ErrUnknownOutcome) {
		return fail(op, err)
	}
	if isReply(err) || neverSent(err) {
		return driver.NotApplied(fail(op, err))
	}
	return driver.UnknownOutcome(fail(op, err))
}

// hints say what to change when a server answers with these words first.
var hints = []struct{ prefix, hint string }{
	{"NOAUTH", "the server wants a password: set username and password"},
	{"WRONGPASS", "check username and password"},
	{"ERR AUTH", "the server has no password: remove username and password"},
	{"ERR invalid password", "check password"},
	{"NOPERM", "the server's access list refuses this user: allow the commands and keys that the documents list"},
	{"ERR The user executing the script can't", "the server's access list refuses this user: allow the commands and keys that the documents list"},
	{"OOM", "the server has reached maxmemory: raise it, or store less"},
	{"MISCONF", "the server cannot write its snapshot and refuses writes: look at its disk and its log"},
	{"LOADING", "the server is starting: try again"},
	{"READONLY", "the server is a replica: name the master, or use Sentinel"},
	{"MASTERDOWN", "the server is a replica that has lost its master: name the master, or use Sentinel"},
	{"NOREPLICAS", "the server has fewer replicas than its min-replicas-to-write demands"},
	{"CLUSTERDOWN", "the cluster does not serve all slots: look at redis-cli --cluster check"},
	{"MOVED", "the server is a node of a cluster: use the class RedisCluster"},
	{"BUSY", "a script of somebody else runs for too long"},
	{"ERR DB index", "the server has fewer databases: change database"},
	{"ERR invalid DB index", "the server has fewer databases: change database"},
	{"ERR SELECT is not allowed in cluster mode", "the server is a node of a cluster: use the class RedisCluster"},
	{"ERR This instance has cluster support disabled", "the server is no cluster: use the class Redis"},
	{"ERR max number of clients", "the server has too many connections: raise maxclients, or lower pool_size"},
}

func hintOf(err error) string {
	if !isReply(err) {
		return ""
	}
	text := reply(err)
	for _, h := range hints {
		if strings.HasPrefix(text, h.prefix) || strings.Contains(text, ": -"+h.prefix) { // in a script
			return h.hint
		}
	}
	return ""
}

// reply answers the text of a server's error.
func reply(err error) string {
	for ; err != nil; err = errors.Unwrap(err) {
		if _, ok := err.(interface{ RedisError() }); ok {
			return err.Error()
		}
	}
	return ""
}

func isNoScript(err error) bool {
	return err != nil && strings.HasPrefix(reply(err), "NOSCRIPT")
}

func isWrongType(err error) bool {
	return err != nil && strings.HasPrefix(reply(err), "WRONGTYPE")
}

// isDenied reports whether a server has no such command, or not for this user.
func isDenied(err error) bool {
	text := reply(err)
	return strings.HasPrefix(text, "NOPERM") || strings.HasPrefix(text, "ERR unknown command")
}

// isBroken reports whether a connection turned out to be broken, as idle ones do
// after a server was restarted. A time-out is none of these.
func isBroken(err error) bool {
	if isReply(err) || neverSent(err) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}
