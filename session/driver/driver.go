package driver

import (
	"context"
	"net/url"
	"time"
)

// Limits of the contract. They are those of the weakest store, so that a
// session that fits one store fits every other.
const (
	MaxKey  = 128     // bytes of a Record.Key
	MaxData = 4 << 20 // bytes of a Record.Data
)

// Margin is how long a record stays in its store after Record.Expires at
// least: a time-to-live is the remaining life plus Margin, and [Purger.Purge]
// is called with a time that lies Margin in the past.
const Margin = 60 * time.Second

// Class describes what a driver is called.
type Class struct {
	Name    string   // "Redis": exact, case-sensitive
	Aliases []string // other names of the same thing
	Schemes []string // URL schemes that choose it: "redis", "rediss"
}

// Driver makes stores of one class. Its methods do no I/O and are safe for
// concurrent use.
type Driver interface {
	// Class answers the same at every call.
	Class() Class

	// Configure reads the properties of one store. It reports faults through d,
	// all of them, and need not stop at the first; the error that it returns is
	// added to them. Afterwards the framework refuses every property that
	// Configure did not ask for.
	Configure(d *Decoder) (Connector, error)
}

// URLParser is implemented by a Driver whose URLs say something before their
// query: a host, a path, a user.
type URLParser interface {
	// ParseURL translates scheme, user, host and path into properties. The
	// framework adds those of the query, and refuses a property that both give.
	// An error must not quote the URL, which may hold a password.
	ParseURL(u *url.URL) (map[string]any, error)
}

// Connector opens the store that Configure described. It may be used several
// times; every Store is independent of the others.
type Connector interface {
	// Open connects. It fails rather than return a store that cannot work, and
	// leaves nothing behind when it fails. The context bounds Open alone, not
	// the life of the store.
	Open(ctx context.Context, o OpenOptions) (Store, error)
}

// OpenOptions is what the framework tells a store about its use.
type OpenOptions struct {
	// Indexed names the index fields: the only keys of Record.Index. No two
	// differ in case only. Later a place may be opened with more fields, or
	// with others: records that were stored before lack them.
	Indexed []string

	// Warn takes remarks for people, such as that a folder lies on a network
	// file system. It is nil or safe for concurrent use.
	Warn func(string)

	// PrimaryChanged is called when the store has come to talk to another
	// primary server than before, which may have lost the last writes. It is
	// nil or safe for concurrent use.
	PrimaryChanged func()
}

// Record is a session as stores see it.
type Record struct {
	Key     string            // [A-Za-z0-9_-]{1,MaxKey}, compared exactly
	Data    []byte            // opaque, at most MaxData
	Expires time.Time         // UTC, whole milliseconds; zero means never
	Index   map[string]string // field -> digest of its value, [A-Za-z0-9_-]{1,MaxKey}
	Was     map[string]string // Index as it was loaded, where known: a SeparateIndexer needs it for Replace, Touch and Delete
}

// Version stands for one state of a record. The store makes it, the framework
// compares it for equality only. It is never empty, and never repeats for a
// key, not even after Delete and Create: take it at random, not from a counter.
type Version string

// Store keeps records. Its methods are safe for concurrent use.
//
// A method that is called with a context that has ended returns its error
// (wrapped or not) and changes nothing. A method whose context ends while it
// waits returns soon after. A system call that cannot be interrupted, such as
// fsync, may take its time, and a call of a server may notice that a context was
// cancelled at the deadline of that context only: to watch for it would cost
// every call.
//
// A record beyond the limits of the contract is refused with an error that
// matches ErrNotApplied. A record that is there and cannot be read is
// ErrCorrupt to Load; to Create it is ErrExists; Replace, Touch and Delete with
// a version answer ErrCorrupt or ErrConflict and change nothing; Delete with old
// "" removes it.
//
// What a mutation that has returned survives, a crash of the process at least,
// is for each store to say. A Delete survives whatever a Replace survives.
//
// Ownership: a store neither keeps nor changes Record.Data after it has
// returned; what Load returns in it belongs to the caller. The maps Index and
// Was are shared: neither side ever changes one that it gave or was given, and
// both may keep it.
//
// After Close, every method answers an error that matches ErrClosed.
//
// A Store that is no [Purger] removes expired records by itself, no earlier
// than Margin after Record.Expires.
type Store interface {
	// Create stores a record whose key is free and answers its version, or
	// ErrExists. It never overwrites, not even a record that has expired.
	Create(ctx context.Context, rec Record) (Version, error)

	// Load answers a record whole, with its Index and its version, or
	// ErrNotFound. It is never torn between two writes, and it sees every
	// mutation that had returned, through whichever handle, before Load was
	// called. It never changes or deletes anything.
	Load(ctx context.Context, key string) (Record, Version, error)

	// Replace stores Data, Expires and Index of a record that is there in the
	// version old, and answers the new version. It never creates. A record in
	// another version: ErrConflict. An absent record: ErrNotFound, or
	// ErrConflict where telling them apart would cost another round trip.
	Replace(ctx context.Context, rec Record, old Version) (Version, error)

	// Delete removes a record and everything that belongs to it; it reads
	// Key and Was. With a version it answers nil only if this very call removed
	// the record in that version, else ErrNotFound or ErrConflict as Replace
	// does. With old "" it removes any version, and absence is no error.
	Delete(ctx context.Context, rec Record, old Version) error

	// Close releases what Open acquired; a client that the application handed
	// in stays open. A second call answers nil.
	Close() error
}
