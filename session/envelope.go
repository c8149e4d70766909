package session

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"hash/crc32"
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

// envelope is a native record, decoded or written. It refers to data, which
// never changes.
type envelope struct {
	meta
	data   []byte
	marks  uint32   // where in data the write tags begin
	count  uint32   // of write tags
	first  uint32   // where in data the first attribute begins
	places []uint32 // where in data each attribute begins, sorted by name
	few    [24]uint32
}

// room answers an empty slice for the places of n attributes.
func (e *envelope) room(n int) []uint32 {
	if n <= len(e.few) {
		return e.few[:0]
	}
	return make([]uint32, 0, n)
}

// begin answers where in data the attribute i begins, and for the number of
// attributes where they end.
func (e *envelope) begin(i int) uint32 {
	if i == len(e.places) {
		return uint32(len(e.data) - crc32.Size)
	}
	return e.places[i]
}

func (e *envelope) nameAt(i int) []byte {
	begin, end := e.after(e.places[i])
	return e.data[begin:end]
}

func (e *envelope) valueAt(i int) []byte {
	_, name := e.after(e.places[i])
	begin, end := e.after(name)
	return e.data[begin:end]
}

// after answers from where to where the bytes lie whose length is at a place.
// decode has checked it.
func (e *envelope) after(at uint32) (begin, end uint32) {
	if n := e.data[at]; n < 0x80 { // as most are
		return at + 1, at + 1 + uint32(n)
	}
	n, size := binary.Uvarint(e.data[at:])
	begin = at + uint32(size)
	return begin, begin + uint32(n)
}

// lookup answers the stored value of an attribute, nil if there is none.
func (e *envelope) lookup(name string) []byte {
	i, found := e.find(name, 0)
	if !found {
		return nil
	}
	return e.valueAt(i)
}

// find answers where among the attributes from i on one is, or would be.
func (e *envelope) find(name string, i int) (int, bool) {
	n := len(e.places)
	for i < n {
		mid := int(uint(i+n) >> 1)
		switch at := e.nameAt(mid); {
		case string(at) < name:
			i = mid + 1
		case string(at) == name:
			return mid, true
		default:
			n = mid
		}
	}
	return i, false
}

// tag answers a write tag; 0 is the oldest.
func (e *envelope) tag(i int) writeTag {
	return writeTag(e.data[int(e.marks)+i*len(writeTag{}):])
}

// tags answers the write tags, oldest first.
func (e *envelope) tags() []writeTag {
	tags := make([]writeTag, e.count)
	for i := range tags {
		tags[i] = e.tag(i)
	}
	return tags
}

// appendTags appends to nothing the write tags of e, which may be nil, after a
// write under tag: the last one of each of the Managers that wrote last.
func (e *envelope) appendTags(b []byte, tag writeTag) []byte {
	if e != nil {
		for i := range int(e.count) {
			if t := e.tag(i); t.writer() != tag.writer() {
				b = append(b, t[:]...)
			}
		}
	}
	if len(b) == maxTags*len(tag) {
		b = b[:copy(b, b[len(tag):])]
	}
	return append(b, tag[:]...)
}

var errEnvelope = errors.New("the envelope is malformed")

// decode makes e, which must be zero, the record that data is. It keeps a
// reference of data, and allocates no more than four times its size. The error
// matches driver.ErrCorrupt.
func (e *envelope) decode(key *sum, data []byte) error {
	corrupt := func(msg string) error { return &corruptError{msg} }
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
	if !bytes.Equal(key[:], body[2:2+len(key)]) {
		return corrupt("record of another session")
	}
	e.data = data
	r := reader{b: body, at: 2 + len(key)}
	flags := r.byte()
	e.persistent = flags&flagPersistent != 0
	e.created, e.deadline = r.varint(), r.varint()
	e.idle = int64(r.uvarint(uint64(maxLife / time.Millisecond)))
	tags := int(r.byte())
	if flags&^flagPersistent != 0 || tags > maxTags || r.left() < tags*len(writeTag{}) {
		return corrupt("header is malformed")
	}
	e.marks, e.count = uint32(r.at), uint32(tags)
	r.at += tags * len(writeTag{})
	count := r.uvarint(MaxAttributes)
	if r.bad || count > uint64(r.left()/4) { // lengths, a name and a tag of a byte each
		return corrupt("header is malformed")
	}
	e.first = uint32(r.at)
	e.places = e.room(int(count))[:count]
	var before []byte
	for i := range e.places {
		e.places[i] = uint32(r.at)
		name := r.take(MaxName)
		value := r.take(MaxSize)
		if r.bad || len(name) == 0 || !utf8.Valid(name) || !validValue(value) {
			return corrupt("attribute is malformed")
		}
		if string(before) >= string(name) {
			return corrupt("attributes are out of order")
		}
		before = name
	}
	if r.left() != 0 {
		return corrupt("trailing bytes")
	}
	return nil
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

// take answers the bytes that follow their length.
func (r *reader) take(most uint64) []byte {
	if r.bad || r.at >= len(r.b) {
		r.bad = true
		return nil
	}
	n := int(r.b[r.at])
	if n < 0x80 { // as most are
		r.at++
	} else {
		n = int(r.uvarint(most))
	}
	if n > len(r.b)-r.at {
		r.bad = true
		return nil
	}
	begin := r.at
	r.at += n
	return r.b[begin:r.at]
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

// encode makes e, whose meta is set and nothing else, the record of base (nil
// for none) after c, with these write tags. It writes into the room that buffer
// has, if that is enough. The error is ErrTooLarge.
func (e *envelope) encode(buffer []byte, key string, tags []byte, base *envelope, c *changeSet) error {
	if base == nil || c.clear {
		base = &envelope{}
	}
	size := minEnvelope + 3*binary.MaxVarintLen64 + len(tags) + len(base.data) - int(base.first)
	count := len(base.places)
	for _, ch := range c.attrs {
		size += len(ch.name) + len(ch.raw) + 2*binary.MaxVarintLen32
		if _, there := base.find(ch.name, 0); there {
			count--
		}
		if ch.raw != nil {
			count++
		}
	}
	if count > MaxAttributes {
		return ErrTooLarge
	}
	sum, ok := sumOfKey(key)
	if !ok {
		return errEnvelope
	}
	b := append(slices.Grow(buffer[:0], size), envelopeVersion, plainKeyID)
	b = append(b, sum[:]...)
	var flags byte
	if e.persistent {
		flags |= flagPersistent
	}
	b = append(b, flags)
	b = binary.AppendVarint(b, e.created)
	b = binary.AppendVarint(b, e.deadline)
	b = binary.AppendUvarint(b, uint64(e.idle))
	e.count = uint32(len(tags) / len(writeTag{}))
	b = append(b, byte(e.count))
	e.marks = uint32(len(b))
	b = append(b, tags...)
	b = binary.AppendUvarint(b, uint64(count))

	e.first = uint32(len(b))
	e.places = e.room(count)
	from := 0 // attributes of base before it are written, or gone
	for _, ch := range c.attrs {
		to, there := base.find(ch.name, from)
		b = e.take(b, base, from, to)
		if from = to; there {
			from++
		}
		if ch.raw != nil {
			b = e.put(b, ch.name, ch.raw)
		}
	}
	b = e.take(b, base, from, len(base.places))
	b = binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
	if len(b) > MaxSize {
		return ErrTooLarge
	}
	e.data = b
	return nil
}

// take appends the attributes of base from one to before another, as they are.
func (e *envelope) take(b []byte, base *envelope, from, to int) []byte {
	if from == to {
		return b
	}
	begin, end := base.begin(from), base.begin(to)
	shift := uint32(len(b)) - begin // modulo 1<<32, as the sums below
	for _, at := range base.places[from:to] {
		e.places = append(e.places, at+shift)
	}
	return append(b, base.data[begin:end]...)
}

// put appends an attribute.
func (e *envelope) put(b []byte, name string, raw []byte) []byte {
	e.places = append(e.places, uint32(len(b)))
	b = binary.AppendUvarint(b, uint64(len(name)))
	b = append(b, name...)
	b = binary.AppendUvarint(b, uint64(len(raw)))
	return append(b, raw...)
}
