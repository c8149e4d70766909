package driver

// Formatter is a Connector whose sessions are kept in the format of another
// program, so that both programs share them. Its store declares
// [ContentVersioner].
//
// Such sessions have what the other program gives them: no write tags, no
// checksum, and no deadlines but those that the store keeps in Record.Expires.
// After an unknown outcome bytes equal to those written mean that it was
// applied; anything else stays unknown.
type Formatter interface {
	Format() Format
}

// Format is how ids, keys and bytes look in another program. Its methods do no
// I/O and are safe for concurrent use.
type Format interface {
	// NewID makes an id with at least 128 bits from crypto/rand.
	NewID() string

	// ValidID reports whether id may be one. What it refuses never reaches
	// the store.
	ValidID(id string) bool

	// Key answers the key of the record of a valid id.
	Key(id string) string

	// Digest answers how the value of an index field is stored.
	Digest(field, value string) string

	// Attributes decodes the attributes of a record. The values belong to the
	// caller.
	Attributes(key string, data []byte) (map[string]any, error)

	// Apply answers the bytes of the session after changes. old is nil for a
	// new session, else the bytes of the record as they were loaded, which
	// Apply does not change: what c does not mention stays, byte for byte
	// where the format allows, shared references included.
	Apply(id string, old []byte, c Changes) ([]byte, error)
}

// Changes is a change set: Clear first, then Set and Delete. The values of Set
// are string, []byte, bool, int64, uint64, float64, time.Time, or what
// encoding/json decodes into an any.
type Changes struct {
	Clear  bool
	Set    map[string]any
	Delete []string
}

// ContentVersioner is implemented by a Store whose Version is a digest of the
// record's bytes. It may repeat.
type ContentVersioner interface {
	// ContentVersion does nothing.
	ContentVersion()
}
