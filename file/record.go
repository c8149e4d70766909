package file

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/websession/websession/session/driver"
)

// A record file, numbers big-endian:
//
//	 0   8  magic, the last byte of it being the version of the format
//	 8  16  version of the record, random
//	24   8  Expires in milliseconds since 1970, or never
//	32   4  length of the data
//	36   4  length of the index
//	40   2  fields of the index
//	42   2  length of the key
//	44      key
//	     4  CRC32C of everything before: a header is checked by itself
//	        index: for each field, ascending, its length (2), itself,
//	        the length of its digest (2), the digest
//	        data
//	     4  CRC32C of everything before
const (
	magic     = "websess\x01"
	fixedSize = 44
	sumSize   = 4
	maxHeader = fixedSize + driver.MaxKey + sumSize
	maxIndex  = 64 << 10
	maxFile   = maxHeader + maxIndex + driver.MaxData + sumSize

	never = math.MinInt64
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// What is wrong with a file.
var (
	errMagic    = errors.New("it is no session file")
	errFormat   = errors.New("its format is of another version")
	errSize     = errors.New("it has a wrong size")
	errChecksum = errors.New("its checksum is wrong")
	errIndex    = errors.New("its index is malformed")
	errOtherKey = errors.New("it belongs to another session")
	errNotFile  = errors.New("it is no regular file")
)

// header is the front part of a record file.
type header struct {
	version  [16]byte
	expires  int64
	data     int // bytes
	index    int // bytes
	fields   int
	key      []byte // part of what was parsed
	size     int    // bytes of the header
	fileSize int64  // bytes of the file
}

func (h *header) Version() driver.Version {
	return driver.Version(hex.EncodeToString(h.version[:]))
}

func (h *header) Expires() time.Time {
	if h.expires == never {
		return time.Time{}
	}
	return time.UnixMilli(h.expires).UTC()
}

// expired reports whether a purge before t takes the record.
func (h *header) expired(t time.Time) bool {
	return h.expires != never && h.Expires().Before(t)
}

// encode answers the bytes of a record file and the version in it.
func encode(rec driver.Record) ([]byte, driver.Version, error) {
	index := 0
	for field, digest := range rec.Index {
		if len(field) > math.MaxUint16 || len(digest) > math.MaxUint16 {
			return nil, "", errors.New("the index is too large")
		}
		index += 2 + len(field) + 2 + len(digest)
	}
	switch {
	case rec.Key == "" || len(rec.Key) > driver.MaxKey:
		return nil, "", errors.New("the key is empty or too long")
	case len(rec.Data) > driver.MaxData:
		return nil, "", errors.New("the session is too large")
	case index > maxIndex:
		return nil, "", errors.New("the index is too large")
	}
	h := header{expires: never}
	rand.Read(h.version[:]) // never fails
	if !rec.Expires.IsZero() {
		h.expires = rec.Expires.UnixMilli()
	}
	b := make([]byte, 0, fixedSize+len(rec.Key)+sumSize+index+len(rec.Data)+sumSize)
	b = append(b, magic...)
	b = append(b, h.version[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(h.expires))
	b = binary.BigEndian.AppendUint32(b, uint32(len(rec.Data)))
	b = binary.BigEndian.AppendUint32(b, uint32(index))
	b = binary.BigEndian.AppendUint16(b, uint16(len(rec.Index)))
	b = binary.BigEndian.AppendUint16(b, uint16(len(rec.Key)))
	b = append(b, rec.Key...)
	b = appendSum(b)
	if index > 0 {
		for _, field := range slices.Sorted(maps.Keys(rec.Index)) {
			b = appendText(b, field)
			b = appendText(b, rec.Index[field])
		}
	}
	b = append(b, rec.Data...)
	return appendSum(b), h.Version(), nil
}

func appendText(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...)
}

func appendSum(b []byte) []byte {
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// sumOK reports whether b ends with the checksum of what comes before.
func sumOK(b []byte) bool {
	n := len(b) - sumSize
	return crc32.Checksum(b[:n], castagnoli) == binary.BigEndian.Uint32(b[n:])
}

// parseHeader reads the header at the beginning of b. The file is size bytes
// long, and b holds maxHeader of them or all.
func parseHeader(b []byte, size int64) (header, error) {
	var h header
	if len(b) < len(magic) || string(b[:len(magic)-1]) != magic[:len(magic)-1] {
		return h, errMagic
	}
	if b[len(magic)-1] != magic[len(magic)-1] {
		return h, errFormat
	}
	if len(b) < fixedSize {
		return h, errSize
	}
	h.expires = int64(binary.BigEndian.Uint64(b[24:]))
	h.fields = int(binary.BigEndian.Uint16(b[40:]))
	key := int(binary.BigEndian.Uint16(b[42:]))
	data, index := binary.BigEndian.Uint32(b[32:]), binary.BigEndian.Uint32(b[36:])
	h.size = fixedSize + key + sumSize
	h.fileSize = int64(h.size) + int64(index) + int64(data) + sumSize
	if key == 0 || key > driver.MaxKey || len(b) < h.size ||
		data > driver.MaxData || index > maxIndex || h.fileSize != size {
		return h, errSize
	}
	if !sumOK(b[:h.size]) {
		return h, errChecksum
	}
	copy(h.version[:], b[8:])
	h.data, h.index = int(data), int(index)
	h.key = b[fixedSize : fixedSize+key]
	return h, nil
}

// parse reads a whole record file. Data is a part of b. Key is left empty: the
// caller compares the key in the header with what it expects.
func parse(b []byte) (header, driver.Record, error) {
	h, err := parseHeader(b, int64(len(b)))
	if err != nil {
		return h, driver.Record{}, err
	}
	if !sumOK(b) {
		return h, driver.Record{}, errChecksum
	}
	data := h.size + h.index
	rec := driver.Record{
		Data:    b[data : data+h.data : data+h.data],
		Expires: h.Expires(),
	}
	if rec.Index, err = parseIndex(b[h.size:data], h.fields); err != nil {
		return h, driver.Record{}, err
	}
	return h, rec, nil
}

func parseIndex(b []byte, fields int) (map[string]string, error) {
	const least = 4 // bytes of a field
	if fields*least > len(b) || fields == 0 && len(b) > 0 {
		return nil, errIndex
	}
	if fields == 0 {
		return nil, nil
	}
	index, last := make(map[string]string, fields), ""
	for i := range fields {
		field, rest, ok := cutText(b)
		if !ok || i > 0 && field <= last {
			return nil, errIndex
		}
		digest, rest, ok := cutText(rest)
		if !ok {
			return nil, errIndex
		}
		index[field], last, b = digest, field, rest
	}
	if len(b) > 0 {
		return nil, errIndex
	}
	return index, nil
}

func cutText(b []byte) (s string, rest []byte, ok bool) {
	if len(b) < 2 {
		return "", nil, false
	}
	n := int(binary.BigEndian.Uint16(b))
	if b = b[2:]; len(b) < n {
		return "", nil, false
	}
	return string(b[:n]), b[n:], true
}
