package redis

import (
	"errors"
	"strconv"
	"time"

	"github.com/websession/websession/session/driver"
)

// recordKey answers the name under which a record lies.
func (s *Store) recordKey(key string) string { return s.prefix + key }

// indexPrefix is what index keys begin with: {field:digest} follows. No key of a
// record has a colon.
func (s *Store) indexPrefix() string { return s.prefix + "index:" }

func (s *Store) indexKey(field, digest string) string {
	return s.indexPrefix() + "{" + field + ":" + digest + "}"
}

// localIndex is what the scripts take for the prefix of index keys: "" when the
// entries are not theirs.
func (s *Store) localIndex() string {
	if s.server.separate() {
		return ""
	}
	return s.indexPrefix()
}

// ttl answers how many ms a record stays in the server, "" for ever.
func ttl(expires, now time.Time) string {
	if expires.IsZero() {
		return ""
	}
	ms := expires.UnixMilli() + driver.Margin.Milliseconds() - now.UnixMilli() // which is rounded up
	return strconv.FormatInt(max(1, ms), 10)
}

// fits reports why a record is beyond the limits.
func fits(rec driver.Record) error {
	switch {
	case !validKey(rec.Key):
		return driver.NotApplied(errors.New("redis: the key is malformed"))
	case len(rec.Data) > driver.MaxData:
		return driver.NotApplied(errors.New("redis: the data are longer than driver.MaxData"))
	}
	return nil
}

// validKey reports whether key may be one of a record.
func validKey(key string) bool {
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
