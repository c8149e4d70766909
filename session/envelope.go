package session

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"maps"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/websession/websession/session/driver"
)

// Limits of a session. They are checked before anything is allocated.
const (
	MaxSize       = driver.MaxData // bytes of a session as it is stored
	MaxAttributes = 16384
	MaxName       = 1024 // bytes of the name of an attribute
)

// The envelope is what a native session looks like in a store:
//
//	byte     format version, 1
//	byte     key id: 0, plain
//	32 bytes the record's key, which is the SHA-256 of the session id
//	byte     flags: 1 persistent
//	varint   creation, ms since 1970
//	varint   absolute deadline, ms since 1970, 0 for none
//	uvarint  idle time-out in ms, 0 for the Manager's
//	byte     number of write tags; then 12 bytes each, oldest first
//	uvarint  number of attributes; then for each, in order of their names:
//	         uvarint length of the name, name, uvarint length of the value, value
//	4 bytes  CRC32C of all that is before
const (
	envelopeVersion = 1
	plainKeyID      = 0
	flagPersistent  = 1
	maxTags         = 8
	minEnvelope     = 2 + sha256.Size + 1 + 1 + 1 + 1 + 1 + 1 + crc32.Size
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// A writeTag marks one logical mutation over all its attempts: 8 random bytes
// that stand for the Manager, 4 that stand for the mutation. A record keeps the
// last tag of each of the maxTags Managers that wrote it last. Since the writers
// of one key in one Manager take turns, that is all that is needed to find out
// what became of a write.
type writeTag [12]byte

// writer answers the part that stands for the Manager.
func (t writeTag) writer() [8]byte { return [8]byte(t[:8]) }

// meta is what an envelope says about the session itself.
type meta struct {
	created    int64 // ms
	deadline   int64 // ms, 0: none
	idle       int64 // ms, 0: the Manager's
	persistent bool
}

// envelope is a decoded native record. It refers to data, which never changes.
type envelope struct {
	meta
	tagCount int
	tagArray [maxTags]writeTag
	data     []byte
	spans    []span // sorted by name
}

// span says where an attribute lies in data: name [name, value), value from
// there on; the length of the name separates the two.
type span struct{ name, nameEnd, value, valueEnd uint32 }

func (e *envelope) nameAt(i int) []byte  { return e.data[e.spans[i].name:e.spans[i].nameEnd] }
func (e *envelope) valueAt(i int) []byte { return e.data[e.spans[i].value:e.spans[i].valueEnd] }

// lookup answers the stored value of an attribute, nil if there is none.
func (e *envelope) lookup(name string) []byte {
	i, found := slices.BinarySearchFunc(e.spans, name, func(s span, name string) int {
		return compareName(e.data[s.name:s.nameEnd], name)
	})
	if !found {
		return nil
	}
	return e.valueAt(i)
}

func compareName(a []byte, b string) int {
	if string(a) < b {
		return -1
	}
	if string(a) > b {
		return 1
	}
	return 0
}

// tags answers the write tags, oldest first.
func (e *envelope) tags() []writeTag { return e.tagArray[:e.tagCount] }

// tagsWith answers the write tags after a write under tag.
func (e *envelope) tagsWith(tag writeTag) []writeTag {
	var tags []writeTag
	if e != nil {
		for _, t := range e.tags() {
			if t.writer() != tag.writer() {
				tags = append(tags, t)
			}
		}
	}
	tags = append(tags, tag)
	return tags[max(0, len(tags)-maxTags):]
}

var errEnvelope = errors.New("the envelope is malformed")

// decodeEnvelope reads data, of which it keeps a reference. It allocates no more
// than four times the size of data. The error matches driver.ErrCorrupt.
func decodeEnvelope(key string, data []byte) (*envelope, error) {
	corrupt := func(msg string) (*envelope, error) {
		return nil, &corruptError{msg}
	}
	if len(data) < minEnvelope || len(data) > MaxSize {
		return corrupt("wrong size")
	}
	if data[0] != envelopeVersion {
		return corrupt("unknown format version")
	}
	if data[1] != plainKeyID {
		return corrupt("unknown encryption key")
	}
	body := data[:len(data)-crc32.Size]
	if crc32.Checksum(body, castagnoli) != binary.BigEndian.Uint32(data[len(body):]) {
		return corrupt("checksum does not match")
	}
	var sum [sha256.Size]byte
	if len(key) != keyLen { // Decode panics on a longer one
		return corrupt("record of another session")
	}
	if n, err := base64.RawURLEncoding.Decode(sum[:], []byte(key)); err != nil || n != len(sum) || !bytes.Equal(sum[:], body[2:2+len(sum)]) {
		return corrupt("record of another session")
	}
	e := &envelope{data: data}
	r := reader{b: body, at: 2 + len(sum)}
	flags := r.byte()
	e.persistent = flags&flagPersistent != 0
	e.created, e.deadline = r.varint(), r.varint()
	e.idle = int64(r.uvarint(uint64(maxLife / time.Millisecond)))
	tags := int(r.byte())
	if flags&^flagPersistent != 0 || tags > maxTags || r.left() < tags*len(writeTag{}) {
		return corrupt("header is malformed")
	}
	e.tagCount = tags
	for i := range tags {
		r.at += copy(e.tagArray[i][:], body[r.at:])
	}
	count := r.uvarint(MaxAttributes)
	if r.bad || count > uint64(r.left()/4) { // lengths, a name and a tag of a byte each
		return corrupt("header is malformed")
	}
	e.spans = make([]span, count)
	for i := range e.spans {
		s := &e.spans[i]
		n := int(r.uvarint(MaxName))
		s.name = uint32(r.at)
		r.skip(n)
		s.nameEnd = uint32(r.at)
		n = int(r.uvarint(MaxSize))
		s.value = uint32(r.at)
		r.skip(n)
		s.valueEnd = uint32(r.at)
		if r.bad || !utf8.Valid(e.nameAt(i)) || s.name == s.nameEnd || !validValue(e.valueAt(i)) {
			return corrupt("attribute is malformed")
		}
		if i > 0 && bytes.Compare(e.nameAt(i-1), e.nameAt(i)) >= 0 {
			return corrupt("attributes are out of order")
		}
	}
	if r.left() != 0 {
		return corrupt("trailing bytes")
	}
	return e, nil
}

type corruptError struct{ msg string }

func (e *corruptError) Error() string { return driver.ErrCorrupt.Error() + ": " + e.msg }
func (e *corruptError) Unwrap() error { return driver.ErrCorrupt }

// reader walks over bytes that cannot be trusted. After a fault it stays bad
// and answers zeros.
type reader struct {
	b   []byte
	at  int
	bad bool
}

func (r *reader) left() int { return len(r.b) - r.at }

func (r *reader) skip(n int) {
	if r.bad || n > r.left() {
		r.bad = true
		return
	}
	r.at += n
}

func (r *reader) byte() byte {
	if r.bad || r.left() < 1 {
		r.bad = true
		return 0
	}
	r.at++
	return r.b[r.at-1]
}

func (r *reader) varint() int64 {
	if r.bad {
		return 0
	}
	n, size := binary.Varint(r.b[r.at:])
	if size <= 0 || n < 0 || n > maxMilli {
		r.bad = true
		return 0
	}
	r.at += size
	return n
}

func (r *reader) uvarint(most uint64) uint64 {
	if r.bad {
		return 0
	}
	n, size := binary.Uvarint(r.b[r.at:])
	if size <= 0 || n > most {
		r.bad = true
		return 0
	}
	r.at += size
	return n
}

// maxMilli is the year 9999, the last one that every store can hold.
const maxMilli = 253402300799999

// encodeEnvelope answers the bytes of base (nil for none) after c, written
// under tag, and calls indexed with every attribute that results. The error is
// ErrTooLarge.
func encodeEnvelope(key string, m meta, tags []writeTag, base *envelope, c *changeSet, each func(name, raw []byte)) ([]byte, error) {
	size := minEnvelope + 3*binary.MaxVarintLen64 + maxTags*len(writeTag{})
	if base != nil {
		size += len(base.data)
	}
	for name, ch := range c.attrs {
		size += len(name) + len(ch.raw) + 2*binary.MaxVarintLen32
	}
	b := make([]byte, 2+sha256.Size, size)
	b[0], b[1] = envelopeVersion, plainKeyID
	if len(key) != keyLen {
		return nil, errEnvelope
	}
	if n, err := base64.RawURLEncoding.Decode(b[2:], []byte(key)); err != nil || n != sha256.Size {
		return nil, errEnvelope
	}
	var flags byte
	if m.persistent {
		flags |= flagPersistent
	}
	b = append(b, flags)
	b = binary.AppendVarint(b, m.created)
	b = binary.AppendVarint(b, m.deadline)
	b = binary.AppendUvarint(b, uint64(m.idle))
	b = append(b, byte(len(tags)))
	for _, t := range tags {
		b = append(b, t[:]...)
	}

	// The count comes first, so the merge runs twice: to count and to write.
	names := slices.Sorted(maps.Keys(c.attrs))
	count := 0
	merge(base, c, names, func(_, _ []byte) { count++ })
	if count > MaxAttributes {
		return nil, ErrTooLarge
	}
	b = binary.AppendUvarint(b, uint64(count))
	merge(base, c, names, func(name, raw []byte) {
		b = binary.AppendUvarint(b, uint64(len(name)))
		b = append(b, name...)
		b = binary.AppendUvarint(b, uint64(len(raw)))
		b = append(b, raw...)
		if each != nil {
			each(name, raw)
		}
	})
	b = binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
	if len(b) > MaxSize {
		return nil, ErrTooLarge
	}
	return b, nil
}
