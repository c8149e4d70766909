package cassandra

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"
)

// DefaultTable is the table of the sessions where no other one is named.
const DefaultTable = "websession_sessions"

// What of two writes of one session counts.
const (
	// Versions: a write counts only if the session is still as it was when the
	// writer loaded it. It is a lightweight transaction.
	Versions = "versions"

	// LastWriteWins: the later write counts, and what it did not know is lost. It
	// is a write like any other.
	LastWriteWins = "last-write-wins"
)

// Consistencies, in Cassandra's names.
const (
	LocalQuorum = "LOCAL_QUORUM"
	Quorum      = "QUORUM"
	All         = "ALL"

	LocalSerial = "LOCAL_SERIAL"
	Serial      = "SERIAL"
)

var (
	consistencies = []string{LocalQuorum, Quorum, All}
	serials       = []string{LocalSerial, Serial}
	conflicts     = []string{Versions, LastWriteWins}
)

// Options are what may be chosen for New.
type Options struct {
	// Keyspace is where the tables are. It must be given, and be there.
	Keyspace string

	// Table is the table of the sessions; "" means DefaultTable. The index lies in
	// a table of that name with "_index" behind it. Stores with the same keyspace
	// and table share sessions.
	Table string

	// Consistency is how many copies a write must have reached, and a search and
	// a listing read: LOCAL_QUORUM, QUORUM or ALL; "" means LOCAL_QUORUM.
	Consistency string

	// SerialConsistency is among which copies the order of the writes of one
	// session is agreed on: LOCAL_SERIAL, those of the datacenter, or SERIAL; ""
	// means LOCAL_SERIAL. Applications in several datacenters that write the same
	// sessions need SERIAL.
	SerialConsistency string

	// Conflict is Versions or LastWriteWins; "" means Versions. All servers that
	// share sessions must have the same.
	Conflict string

	// Timeout is how long one statement may take; 0 means 5 seconds. It should be
	// longer than the time-outs of the server.
	Timeout time.Duration

	// Warn takes remarks for people. It is nil or safe for concurrent use.
	Warn func(string)
}

const defaultTimeout = 5 * time.Second

// withDefaults answers a copy of o, which may be nil, without zero fields.
func (o *Options) withDefaults() Options {
	var c Options
	if o != nil {
		c = *o
	}
	c.Table = cmp.Or(c.Table, DefaultTable)
	c.Consistency = cmp.Or(c.Consistency, LocalQuorum)
	c.SerialConsistency = cmp.Or(c.SerialConsistency, LocalSerial)
	c.Conflict = cmp.Or(c.Conflict, Versions)
	c.Timeout = cmp.Or(c.Timeout, defaultTimeout)
	if c.Warn == nil {
		c.Warn = func(string) {}
	}
	return c
}

// check reports options that mean nothing.
func (o Options) check() error {
	if err := checkKeyspace(o.Keyspace); err != nil {
		return fmt.Errorf("the keyspace %w", err)
	}
	if err := checkTable(o.Table); err != nil {
		return fmt.Errorf("the table %w", err)
	}
	switch {
	case !slices.Contains(consistencies, o.Consistency):
		return fmt.Errorf("the consistency must be one of %v", consistencies)
	case !slices.Contains(serials, o.SerialConsistency):
		return fmt.Errorf("the serial consistency must be one of %v", serials)
	case !slices.Contains(conflicts, o.Conflict):
		return fmt.Errorf("the way to settle conflicts must be one of %v", conflicts)
	case o.Timeout < time.Millisecond:
		return errors.New("the time-out must be a millisecond at least")
	}
	return nil
}

var (
	keyspacePattern = regexp.MustCompile(`^[A-Za-z0-9_]{1,48}$`)
	tablePattern    = regexp.MustCompile(`^[A-Za-z0-9_]{1,42}$`) // "_index" makes 48
)

// checkKeyspace reports what cannot be the name of a keyspace, as a phrase that
// follows it.
func checkKeyspace(name string) error {
	if !keyspacePattern.MatchString(name) {
		return errors.New("must be letters, digits and underscores, at most 48")
	}
	return nil
}

func checkTable(name string) error {
	if !tablePattern.MatchString(name) {
		return errors.New("must be letters, digits and underscores, at most 42")
	}
	return nil
}
