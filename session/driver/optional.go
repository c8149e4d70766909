package driver

import (
	"context"
	"iter"
	"time"
)

// Toucher is a Store that can move a deadline without writing the data again.
// Without it the framework uses Replace with the data that it loaded.
type Toucher interface {
	// Touch is Replace that leaves Data as it is: it reads Key, Expires, Index
	// and Was, and answers a new version.
	Touch(ctx context.Context, rec Record, old Version) (Version, error)
}

// Scanner is a Store that can list its records. Without it sessions cannot be
// listed, nor, without Searcher, searched.
type Scanner interface {
	// Scan yields whole records (Key, Data, Expires, Index) in any order. A
	// record that is there from the beginning to the end is yielded at least
	// once; one that comes, changes or goes meanwhile may or may not be. A
	// record that the store cannot read is left out. An error, yielded with a
	// zero Record, ends the sequence. What is yielded belongs to the caller,
	// who may use the store inside the loop, and leave it early.
	Scan(ctx context.Context) iter.Seq2[Record, error]
}

// Searcher is a Store that finds records by an index digest. Without it the
// framework filters Scan.
type Searcher interface {
	// Search yields the records whose Index[field] is digest, as Scan does. It
	// may yield others as well: the framework checks.
	Search(ctx context.Context, field, digest string) iter.Seq2[Record, error]
}

// Purger is a Store that does not expire records by itself. A store without it
// does.
type Purger interface {
	// Purge deletes at most limit records whose Expires is not zero and before
	// the given time, and answers how many it deleted: less than limit when it
	// found no more. A record that is touched or replaced meanwhile stays.
	// Several purgers at once do no harm. One record that cannot be deleted does
	// not keep the others: it is an error that is answered together with the
	// number of those that were.
	Purge(ctx context.Context, before time.Time, limit int) (int, error)
}

// Pinger is a Store that can tell whether its server answers, and about it.
// Without it the framework loads a key that does not exist.
type Pinger interface {
	Ping(ctx context.Context) (Info, error)
}

// Locker is a Store that can keep others away from a session while a request
// works on it, as Perl's Apache::Session does. It is for those who share a store
// with programs that lock, or want the page views of one user to queue: nothing
// is lost without it, since the version of a record decides.
//
// The framework locks where the store does: from the load of a session until its
// request is answered. So a store locks only when its properties ask for it.
//
// A lock is of the key, not of a record: there need be none, and the other
// methods of the store neither take locks nor look at them.
type Locker interface {
	// Lock waits until nobody else holds the lock of key, through whichever
	// handle or process, and answers what gives it back; or it fails, and holds
	// nothing. It waits no longer than its context lives, and no longer than the
	// store allows, which has a bound of its own. Locking a key twice waits for
	// oneself.
	//
	// unlock is called once and does not depend on the context. Its error says
	// that the lock may have been lost before: a lock ends with the connection,
	// or the process, that holds it, and its holder is not told. So it saves work
	// that would be done in vain and is no proof that nobody else writes.
	//
	// A store that does not lock answers errors.ErrUnsupported, always, and also
	// when its context has ended: so the framework asks it once, when it opens.
	Lock(ctx context.Context, key string) (unlock func() error, err error)
}

// Info tells people about the server behind a store. It contains no secret.
type Info struct {
	Server   string            // "Redis 7.0.15", "file system"
	Facts    map[string]string // names and values for people
	Warnings []string          // what should be changed, in sentences

	// Guarantee says, in sentences, what of the writes that were answered is
	// left after a kill of the server and after a power cut, and where there are
	// replicas after a failover: as this server is set up now. "" means that it is
	// not known.
	Guarantee string
}

// SeparateIndexer is implemented by a Store that keeps its index apart from the
// records, so that Delete needs Record.Was. The framework then loads a record
// before it deletes it. A write that is refused may leave an index entry for a
// while: nobody finds a record by it.
type SeparateIndexer interface {
	// SeparateIndex does nothing.
	SeparateIndex()
}
