package session

import (
	"bytes"
	"encoding"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"time"
)

// A stored value is a tag and what follows it.
const (
	tagString = 's' // the bytes
	tagBytes  = 'b' // the bytes
	tagFalse  = '0'
	tagTrue   = '1'
	tagInt    = 'i' // zig-zag varint
	tagUint   = 'u' // uvarint
	tagFloat  = 'd' // IEEE 754, big-endian
	tagTime   = 't' // time.Time.MarshalBinary
	tagJSON   = 'j' // UTF-8 JSON
)

// MaxDepth is how deep composites may be nested.
const MaxDepth = 32

var (
	errDepth   = fmt.Errorf("nested deeper than %d", MaxDepth)
	errUTF8    = errors.New("a text inside of it is not valid UTF-8")
	errMangled = errors.New("the stored value is malformed")
)

// attribute is a value as it is stored, or as a foreign format decoded it.
type attribute struct {
	raw     []byte // tag and payload; nil in a foreign format
	foreign any
}

// encodeValue answers the stored form of v, nil for a nil pointer or
// interface. The result shares nothing with v.
func encodeValue(name string, v any) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return nil, nil
	case string:
		return append([]byte{tagString}, v...), nil
	case []byte:
		return append([]byte{tagBytes}, v...), nil
	case bool:
		if v {
			return []byte{tagTrue}, nil
		}
		return []byte{tagFalse}, nil
	case int:
		return binary.AppendVarint([]byte{tagInt}, int64(v)), nil
	case int64:
		return binary.AppendVarint([]byte{tagInt}, v), nil
	case time.Time:
		// MarshalBinary damages negative offsets with seconds; no zone has had one
		// since 1972.
		if _, offset := v.Zone(); offset < 0 && offset%60 != 0 {
			v = v.UTC()
		}
		b, err := v.MarshalBinary()
		if err != nil {
			return nil, &TypeError{Attribute: name, Go: "time.Time", Err: err}
		}
		return append([]byte{tagTime}, b...), nil
	}
	rv := reflect.ValueOf(v)
	if (rv.Kind() == reflect.Pointer || rv.Kind() == reflect.Interface) && rv.IsNil() {
		return nil, nil
	}
	if !marshalsItself(v) {
		switch rv.Kind() {
		case reflect.String:
			return append([]byte{tagString}, rv.String()...), nil
		case reflect.Bool:
			return encodeValue(name, rv.Bool())
		case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
			return binary.AppendVarint([]byte{tagInt}, rv.Int()), nil
		case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
			return binary.AppendUvarint([]byte{tagUint}, rv.Uint()), nil
		case reflect.Float32, reflect.Float64:
			return binary.BigEndian.AppendUint64([]byte{tagFloat}, math.Float64bits(rv.Float())), nil
		case reflect.Slice:
			if rv.Type().Elem().Kind() == reflect.Uint8 {
				return append([]byte{tagBytes}, rv.Bytes()...), nil
			}
		}
	}
	var buf bytes.Buffer
	buf.WriteByte(tagJSON)
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, &TypeError{Attribute: name, Go: reflect.TypeOf(v).String(), Err: err}
	}
	raw := bytes.TrimSuffix(buf.Bytes(), []byte("\n"))
	if err := checkJSON(raw[1:]); err != nil {
		return nil, &TypeError{Attribute: name, Go: reflect.TypeOf(v).String(), Err: err}
	}
	return raw, nil
}

// checkJSON refuses what encoding/json would damage without a word: it replaces
// bytes that are not UTF-8 by the escape \ufffd, which it never uses otherwise.
func checkJSON(b []byte) error {
	if tooDeep(b) {
		return errDepth
	}
	for rest := b; ; {
		i := bytes.Index(rest, []byte(`\ufffd`))
		if i < 0 {
			return nil
		}
		slashes := 0
		for j := i; j >= 0 && rest[j] == '\\'; j-- {
			slashes++
		}
		if slashes%2 == 1 {
			return errUTF8
		}
		rest = rest[i+1:]
	}
}

func tooDeep(b []byte) bool {
	depth, inString := 0, false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			if depth++; depth > MaxDepth {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}

func marshalsItself(v any) bool {
	switch v.(type) {
	case json.Marshaler, encoding.TextMarshaler:
		return true
	}
	return false
}

// decode stores the value in *dst, whose type is any that Key may have.
func (a attribute) decode(name string, dst any) error {
	if a.raw == nil {
		return a.decodeForeign(name, dst)
	}
	mismatch := func(err error) error {
		return &TypeError{Attribute: name, Stored: kindOf(a.raw), Go: reflect.TypeOf(dst).Elem().String(), Err: err}
	}
	payload := a.raw[1:]
	switch dst := dst.(type) { // without reflection for the usual ones
	case *string:
		if a.raw[0] == tagString {
			*dst = string(payload)
			return nil
		}
	case *int64:
		if n, size := binary.Varint(payload); a.raw[0] == tagInt && size > 0 && size == len(payload) {
			*dst = n
			return nil
		}
	case *int:
		if n, size := binary.Varint(payload); a.raw[0] == tagInt && size > 0 && size == len(payload) && int64(int(n)) == n {
			*dst = int(n)
			return nil
		}
	case *bool:
		if a.raw[0] == tagTrue || a.raw[0] == tagFalse {
			*dst = a.raw[0] == tagTrue
			return nil
		}
	case *time.Time:
		if a.raw[0] == tagTime {
			if err := dst.UnmarshalBinary(payload); err != nil {
				return mismatch(errMangled)
			}
			return nil
		}
	case *any:
		v, err := a.any()
		if err != nil {
			return mismatch(err)
		}
		*dst = v
		return nil
	}
	rv := reflect.ValueOf(dst).Elem()
	if a.raw[0] == tagJSON {
		if tooDeep(payload) {
			return mismatch(errDepth)
		}
		fresh := reflect.New(rv.Type()) // a failed decode leaves nothing behind
		if err := json.Unmarshal(payload, fresh.Interface()); err != nil {
			return mismatch(err)
		}
		rv.Set(fresh.Elem())
		return nil
	}
	if rv.Kind() == reflect.Pointer { // Key[*int64] was stored as an int64
		fresh := reflect.New(rv.Type().Elem())
		if err := a.decode(name, fresh.Interface()); err != nil {
			return err
		}
		rv.Set(fresh)
		return nil
	}
	v, err := a.any()
	if err != nil {
		return mismatch(err)
	}
	if !assign(rv, v) {
		return mismatch(nil)
	}
	return nil
}

// assign sets rv to the scalar v if it fits without loss.
func assign(rv reflect.Value, v any) bool {
	switch v := v.(type) {
	case string:
		if rv.Kind() == reflect.String {
			rv.SetString(v)
			return true
		}
	case []byte:
		if rv.Kind() == reflect.Slice && rv.Type().Elem().Kind() == reflect.Uint8 {
			rv.SetBytes(v)
			return true
		}
	case bool:
		if rv.Kind() == reflect.Bool {
			rv.SetBool(v)
			return true
		}
	case int64:
		if rv.CanInt() && !rv.OverflowInt(v) {
			rv.SetInt(v)
			return true
		}
		if rv.CanUint() && v >= 0 && !rv.OverflowUint(uint64(v)) {
			rv.SetUint(uint64(v))
			return true
		}
	case uint64:
		if rv.CanUint() && !rv.OverflowUint(v) {
			rv.SetUint(v)
			return true
		}
		if rv.CanInt() && v <= math.MaxInt64 && !rv.OverflowInt(int64(v)) {
			rv.SetInt(int64(v))
			return true
		}
	case float64:
		if rv.Kind() == reflect.Float64 || rv.Kind() == reflect.Float32 && (float64(float32(v)) == v || math.IsNaN(v)) {
			rv.SetFloat(v)
			return true
		}
	case time.Time:
		if rv.Type().ConvertibleTo(reflect.TypeFor[time.Time]()) {
			rv.Set(reflect.ValueOf(v).Convert(rv.Type()))
			return true
		}
	}
	return false
}

// any decodes without a type: scalars as they were written, composites as
// encoding/json decodes them.
func (a attribute) any() (any, error) {
	if a.raw == nil {
		return a.foreign, nil
	}
	payload := a.raw[1:]
	switch a.raw[0] {
	case tagString:
		return string(payload), nil
	case tagBytes:
		return append([]byte{}, payload...), nil
	case tagFalse:
		return false, nil
	case tagTrue:
		return true, nil
	case tagInt:
		if n, size := binary.Varint(payload); size > 0 && size == len(payload) {
			return n, nil
		}
	case tagUint:
		if n, size := binary.Uvarint(payload); size > 0 && size == len(payload) {
			return n, nil
		}
	case tagFloat:
		if len(payload) == 8 {
			return math.Float64frombits(binary.BigEndian.Uint64(payload)), nil
		}
	case tagTime:
		var t time.Time
		if t.UnmarshalBinary(payload) == nil {
			return t, nil
		}
	case tagJSON:
		if tooDeep(payload) {
			return nil, errDepth
		}
		var v any
		err := json.Unmarshal(payload, &v)
		return v, err
	}
	return nil, errMangled
}

// decodeForeign goes through the native form, so that a type fits here exactly
// where it fits there, and the result shares nothing with the session.
func (a attribute) decodeForeign(name string, dst any) error {
	if dst, ok := dst.(*any); ok {
		*dst = a.foreign
		return nil
	}
	raw, err := encodeValue(name, a.foreign)
	if err != nil || raw == nil {
		return &TypeError{Attribute: name, Stored: fmt.Sprintf("%T", a.foreign), Go: reflect.TypeOf(dst).Elem().String(), Err: err}
	}
	return attribute{raw: raw}.decode(name, dst)
}

// validValue reports whether raw has a tag and the size that the tag demands.
func validValue(raw []byte) bool {
	if len(raw) == 0 {
		return false
	}
	switch raw[0] {
	case tagString, tagBytes, tagJSON, tagTime, tagInt, tagUint:
		return true
	case tagFalse, tagTrue:
		return len(raw) == 1
	case tagFloat:
		return len(raw) == 9
	}
	return false
}

func kindOf(raw []byte) string {
	switch raw[0] {
	case tagString:
		return "string"
	case tagBytes:
		return "[]byte"
	case tagFalse, tagTrue:
		return "bool"
	case tagInt:
		return "int64"
	case tagUint:
		return "uint64"
	case tagFloat:
		return "float64"
	case tagTime:
		return "time.Time"
	}
	return "composite"
}

// indexText answers the text by which a value of an indexed attribute is found,
// "" for none.
func indexText(raw []byte) string {
	v, err := attribute{raw: raw}.any()
	if err != nil {
		return ""
	}
	switch v := v.(type) {
	case string:
		return v
	case int64:
		return fmt.Sprint(v)
	}
	return ""
}
