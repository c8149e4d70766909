// Package stored has what drivers share whose stores have no columns for the
// fields of an index: that as bytes, and which keys there can be.
package stored

import (
	"encoding/binary"
	"errors"
	"math"
	"slices"

	"github.com/websession/websession/session/driver"
)

// EncodeIndex answers an index as it is stored: for each field, in order, the
// field and its digest, both after a length of two bytes. Equal maps are equal
// bytes, and no index is no bytes, which are not nil.
func EncodeIndex(index map[string]string) ([]byte, error) {
	if len(index) == 0 {
		return []byte{}, nil
	}
	fields := make([]string, 0, 4)
	for field := range index {
		fields = append(fields, field)
	}
	slices.Sort(fields)
	b := make([]byte, 0, 64*len(fields))
	for _, field := range fields {
		digest := index[field]
		if len(field) > math.MaxUint16 || len(digest) > math.MaxUint16 {
			return nil, errors.New("the name or the digest of an index field is too long")
		}
		b = binary.BigEndian.AppendUint16(b, uint16(len(field)))
		b = append(b, field...)
		b = binary.BigEndian.AppendUint16(b, uint16(len(digest)))
		b = append(b, digest...)
	}
	return b, nil
}

// DecodeIndex answers the index that b is, nil for none. It is not ok if b is no
// index.
func DecodeIndex(b []byte) (index map[string]string, ok bool) {
	if len(b) == 0 {
		return nil, true
	}
	index = make(map[string]string)
	next := func() (string, bool) {
		if len(b) < 2 {
			return "", false
		}
		n := int(binary.BigEndian.Uint16(b))
		if len(b) < 2+n {
			return "", false
		}
		s := string(b[2 : 2+n])
		b = b[2+n:]
		return s, true
	}
	for len(b) > 0 {
		field, ok := next()
		digest, ok2 := next()
		if !ok || !ok2 {
			return nil, false
		}
		index[field] = digest
	}
	return index, true
}

// ValidKey reports whether key may be one of a record: from one to driver.MaxKey
// characters of base64url.
func ValidKey(key string) bool {
	if key == "" || len(key) > driver.MaxKey {
		return false
	}
	for i := range len(key) {
		if !inKeys[key[i]] {
			return false
		}
	}
	return true
}

// inKeys says which bytes a key may have.
var inKeys = func() (in [256]bool) {
	for _, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-") {
		in[c] = true
	}
	return in
}()
