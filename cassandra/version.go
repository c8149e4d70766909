package cassandra

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/websession/websession/internal/stored"
	"github.com/websession/websession/session/driver"
)

// A version is 16 random bytes, and what its record's index entries are: until
// when they last in ms since 1970 (0: there are none), the 8 bytes that they are
// marked with, and 8 bytes of a digest of the index.
const (
	versionSize = 40
	markSize    = 8

	untilAt = 16
	markAt  = untilAt + 8
	sumAt   = markAt + markSize
)

// entries says what a version knows about the index entries of its record.
type entries struct {
	until time.Time // how long they last, by the clock of who wrote them; zero: there are none
	mark  [markSize]byte
	sum   [8]byte // of the index
}

// newVersion answers a version that never was.
func newVersion(e entries) []byte {
	b := make([]byte, versionSize)
	rand.Read(b[:untilAt])
	if !e.until.IsZero() {
		binary.BigEndian.PutUint64(b[untilAt:], uint64(e.until.UnixMilli()))
		copy(b[markAt:], e.mark[:])
		copy(b[sumAt:], e.sum[:])
	}
	return b
}

// entriesOf answers what a version knows.
func entriesOf(v driver.Version) (e entries) {
	if len(v) != versionSize {
		return e
	}
	if ms := int64(binary.BigEndian.Uint64([]byte(v[untilAt:markAt]))); ms != 0 {
		e.until = time.UnixMilli(ms)
	}
	copy(e.mark[:], v[markAt:])
	copy(e.sum[:], v[sumAt:])
	return e
}

// sumOf answers the digest of an index as it is stored.
func sumOf(index []byte) (sum [8]byte) {
	h := sha256.Sum256(index)
	copy(sum[:], h[:])
	return sum
}

// errDamage says that a row is none of a session.
var errDamage = errors.New("the row is not a session, or not a whole one")

// row is a session as it lies in the table. Null is nil.
type row struct {
	key                  string
	version, index, data []byte
	expires              *int64 // ms since 1970; null: never
}

// record answers the record in a row. A row without version is one whose session
// has ended.
func (r row) record() (driver.Record, driver.Version, error) {
	if r.version == nil {
		return driver.Record{}, "", driver.ErrNotFound
	}
	index, ok := stored.DecodeIndex(r.index)
	if !ok || len(r.version) != versionSize || r.data == nil || r.index == nil {
		return driver.Record{}, "", damaged(errDamage)
	}
	rec := driver.Record{Key: r.key, Data: r.data, Index: index}
	if r.expires != nil {
		rec.Expires = time.UnixMilli(*r.expires).UTC()
	}
	return rec, driver.Version(r.version), nil
}

// deadline answers the value of the column expires.
func deadline(expires time.Time) any {
	if expires.IsZero() {
		return nil
	}
	return expires.UnixMilli()
}

// mostTTL is Cassandra's limit, in seconds. What lives longer does not end by
// itself.
const mostTTL = 20 * 365 * 24 * 60 * 60

// ttl answers how many seconds a record stays in the table, 0 for ever.
func ttl(expires, now time.Time) int {
	if expires.IsZero() {
		return 0
	}
	return seconds(expires.Add(driver.Margin).Sub(now))
}

// seconds rounds up. What is longer than mostTTL is 0.
func seconds(d time.Duration) int {
	s := d / time.Second
	if d%time.Second > 0 {
		s++
	}
	if s > mostTTL {
		return 0
	}
	return int(max(1, s))
}

// fits reports why a record is beyond the limits.
func (s *Store) fits(rec driver.Record) error {
	switch n := len(rec.Data); {
	case !stored.ValidKey(rec.Key):
		return errors.New("the key is malformed")
	case n > driver.MaxData:
		return errors.New("the data are longer than driver.MaxData")
	case n > s.largest:
		return fmt.Errorf("the session has %d bytes, and the server takes %d: raise max_mutation_size, which is half of commitlog_segment_size, and native_transport_max_frame_size", n, s.largest)
	}
	return nil
}
