package session

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
)

// ID is the secret that a client presents to use a session. Whoever knows it is
// the user: it belongs in a cookie and nowhere else. It prints redacted,
// through fmt, slog and encoding/json alike; Reveal answers it.
type ID string

const (
	idBytes  = 32                   // 256 bits
	idLength = (idBytes*8 + 5) / 6  // in base64url
	redacted = "[session id]"       // what an ID prints as
	noID     = ID("")               // of a session that was found, not presented
	digestSz = sha256.Size          // bytes of the digest that makes a key
	keyLen   = (digestSz*8 + 5) / 6 // of a native key
)

// Reveal answers the id itself, for a cookie.
func (id ID) Reveal() string { return string(id) }

// String answers a text without the id.
func (id ID) String() string { return redacted }

// Format prints a text without the id, whatever the verb.
func (id ID) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }

// LogValue answers a text without the id.
func (id ID) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText answers a text without the id.
func (id ID) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Handle names a session without giving access to it: a digest of its id. It
// may be shown to people, put into a form and logged; it is not accepted as an
// ID.
type Handle string

// short is what logs show: enough to follow one session.
func (h Handle) short() string {
	if len(h) > 10 {
		return string(h[:10])
	}
	return string(h)
}

// LogValue answers the beginning of the handle.
func (h Handle) LogValue() slog.Value { return slog.StringValue(h.short()) }

func newNativeID() ID {
	var b [idBytes]byte
	rand.Read(b[:]) // never fails: crypto/rand
	id := ID(base64.RawURLEncoding.EncodeToString(b[:]))
	noteID(id)
	return id
}

// validNativeID reports whether id has the form of one that newNativeID made.
func validNativeID(id ID) bool {
	if len(id) != idLength {
		return false
	}
	for i := range len(id) {
		if !inKeyAlphabet[id[i]] {
			return false
		}
	}
	return true
}

var inKeyAlphabet = func() (in [256]bool) {
	for _, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") {
		in[c] = true
	}
	return in
}()

// A sum is a SHA-256; its text is a key.
type sum [sha256.Size]byte

func sumOf(s string) sum {
	var stack [128]byte // an id and most values of indexes fit: no allocation
	return sha256.Sum256(append(stack[:0], s...))
}

// text answers base64url, keyLen characters.
func (s *sum) text() string {
	var b [keyLen]byte
	base64.RawURLEncoding.Encode(b[:], s[:])
	return string(b[:])
}

// sumOfKey answers the sum whose text a key is.
func sumOfKey(key string) (s sum, ok bool) {
	if len(key) != keyLen { // Decode panics on a longer one
		return s, false
	}
	n, err := base64.RawURLEncoding.Decode(s[:], []byte(key))
	return s, err == nil && n == len(s)
}

// digest answers the SHA-256 of a text in base64url, 43 characters.
func digest(s string) string {
	sum := sumOf(s)
	return sum.text()
}
