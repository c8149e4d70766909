package session

// Key is a typed name of an attribute: a package-level variable by which an
// application reads and writes it.
//
//	var userID = session.NewKey[int64]("uid")
//
// Scalars (string, []byte, bool, integers, floats, time.Time) are stored as
// what they are and read back as they were written; other types are stored as
// encoding/json writes them. (A time.Time in a zone west of UTC whose offset has
// seconds, which none has had since 1972, reads back in UTC.) A value read is a
// copy: changing it changes nothing until it is set.
type Key[T any] struct{ name string }

// NewKey answers the key of an attribute. Any name of 1 to MaxName bytes of
// valid UTF-8 will do; names are case-sensitive.
func NewKey[T any](name string) Key[T] { return Key[T]{name} }

// Name answers the name of the attribute.
func (k Key[T]) Name() string { return k.name }

// Get answers the value, ErrNoValue when there is none, or a *TypeError when it
// is of another type or does not fit T.
func (k Key[T]) Get(s *Session) (T, error) {
	var v T
	a, err := s.attribute(k.name)
	if err != nil {
		return v, err
	}
	return v, a.decode(k.name, &v)
}

// GetOr answers the value, or def when there is none, it is of another type, or
// the session is finished.
func (k Key[T]) GetOr(s *Session, def T) T {
	v, err := k.Get(s)
	if err != nil {
		return def
	}
	return v
}

// Set stores a copy of v when the session is saved. A nil pointer or interface
// deletes the attribute. It fails with a *TypeError for a value that cannot be
// stored, and with ErrTooLarge.
func (k Key[T]) Set(s *Session, v T) error { return s.set(k.name, v) }

// Pop answers the value and deletes it.
func (k Key[T]) Pop(s *Session) (T, error) {
	v, err := k.Get(s)
	if err != nil {
		return v, err
	}
	return v, s.Delete(k.name)
}

// Delete deletes the attribute; there may be none.
func (k Key[T]) Delete(s *Session) error { return s.Delete(k.name) }
