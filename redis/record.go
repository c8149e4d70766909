package redis

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"slices"
	"sync"
	"time"
	"unsafe"

	"github.com/websession/websession/internal/stored"
	"github.com/websession/websession/session/driver"
)

// A record is one string: a header, the index, the data.
//
//	 0  magic
//	 4  version: 16 random bytes; in ms since 1970 until when the index
//	    entries of the record last, 0 if it has none; 8 bytes of their token
//	36  deadline in ms since 1970, 0 for none
//	44  length of the index
//	48  length of the data
//	52  index: for each field, in order, the field and its digest,
//	    both after a length of two bytes
//	    data
//
// Numbers are big-endian. The scripts know this layout.
const (
	magic       = "WSR1"
	versionSize = 32
	headerSize  = 52

	stampSize = versionSize + 8

	versionAt = 4
	expiresAt = versionAt + versionSize
	indexAt   = expiresAt + 8
	dataAt    = indexAt + 4
)

// stamp is what changes with every write of a record: bytes 4 to 44.
type stamp struct {
	version [versionSize]byte
	expires time.Time
}

// entries says what a version knows about the index entries of its record.
type entries struct {
	until time.Time // how long they last, by the clock of who wrote them; zero: there are none
	token [8]byte   // what they carry where they lie apart from the record
}

// newStamp answers a stamp with a new version.
func newStamp(expires time.Time, e entries) stamp {
	s := stamp{expires: expires}
	rand.Read(s.version[:16])
	if !e.until.IsZero() {
		binary.BigEndian.PutUint64(s.version[16:], uint64(e.until.UnixMilli()))
	}
	copy(s.version[24:], e.token[:])
	return s
}

func (s stamp) Version() driver.Version { return driver.Version(s.version[:]) }

// append appends the stamp as it is stored.
func (s stamp) append(b []byte) []byte {
	b = append(b, s.version[:]...)
	ms := int64(0)
	if !s.expires.IsZero() {
		ms = s.expires.UnixMilli()
	}
	return binary.BigEndian.AppendUint64(b, uint64(ms))
}

// entriesOf answers what a version knows.
func entriesOf(v driver.Version) (e entries) {
	if len(v) != versionSize {
		return e
	}
	if ms := int64(binary.BigEndian.Uint64([]byte(v[16:24]))); ms != 0 {
		e.until = time.UnixMilli(ms)
	}
	copy(e.token[:], v[24:])
	return e
}

// encode answers the value of a record.
func encode(s stamp, index, data []byte) []byte { return appendRecord(nil, s, index, data) }

// appendRecord appends the value of a record.
func appendRecord(b []byte, s stamp, index, data []byte) []byte {
	b = slices.Grow(b, headerSize+len(index)+len(data))
	b = append(b, magic...)
	b = s.append(b)
	b = binary.BigEndian.AppendUint32(b, uint32(len(index)))
	b = binary.BigEndian.AppendUint32(b, uint32(len(data)))
	b = append(b, index...)
	return append(b, data...)
}

// errDamage says that a value is none of a record.
var errDamage = errors.New("the value is not a session, or not a whole one")

// decodeBy answers the record in a value, without its key. Its Data are bytes of
// the value, which nobody else may have.
func decodeBy(value string, decodeIndex func([]byte) (map[string]string, error)) (driver.Record, driver.Version, error) {
	b := unsafe.Slice(unsafe.StringData(value), len(value))
	if len(b) < headerSize || value[:versionAt] != magic {
		return driver.Record{}, "", errDamage
	}
	indexSize := uint64(binary.BigEndian.Uint32(b[indexAt:]))
	dataSize := uint64(binary.BigEndian.Uint32(b[dataAt:]))
	if uint64(len(b)) != headerSize+indexSize+dataSize {
		return driver.Record{}, "", errDamage
	}
	index, err := decodeIndex(b[headerSize : headerSize+indexSize])
	if err != nil {
		return driver.Record{}, "", err
	}
	rec := driver.Record{Data: b[headerSize+indexSize:], Index: index}
	if ms := int64(binary.BigEndian.Uint64(b[expiresAt:])); ms != 0 {
		rec.Expires = time.UnixMilli(ms).UTC()
	}
	return rec, driver.Version(value[versionAt:expiresAt]), nil
}

// decodeIndex answers the index that b is.
func decodeIndex(b []byte) (map[string]string, error) {
	index, ok := stored.DecodeIndex(b)
	if !ok {
		return nil, errDamage
	}
	return index, nil
}

// lent is the value of a replacement, as an argument of a command. Its bytes are
// used again for others once the command was answered: nobody but go-redis, when
// it writes the argument, reads them, also no hook that prints commands later.
//
// Such values were a quarter of what a request that modifies a session allocates.
type lent struct{ bytes []byte }

var lents = sync.Pool{New: func() any { return new(lent) }}

// mostLent bounds what is kept for later.
const mostLent = 64 << 10

// lend answers the value of a record.
func lend(s stamp, index, data []byte) *lent {
	l := lents.Get().(*lent)
	l.bytes = appendRecord(l.bytes[:0], s, index, data)
	return l
}

// giveBack has the bytes used again.
func (l *lent) giveBack() {
	if cap(l.bytes) <= mostLent {
		lents.Put(l)
	}
}

// MarshalBinary is called by go-redis when it writes the argument.
func (l *lent) MarshalBinary() ([]byte, error) { return l.bytes, nil }

// String is for those who print commands.
func (l *lent) String() string { return "(a session)" }
