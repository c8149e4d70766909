package redis

import (
	"errors"
	"strconv"
	"time"

	"github.com/websession/websession/internal/stored"
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
	case !stored.ValidKey(rec.Key):
		return driver.NotApplied(errors.New("redis: the key is malformed"))
	case len(rec.Data) > driver.MaxData:
		return driver.NotApplied(errors.New("redis: the data are longer than driver.MaxData"))
	}
	return nil
}
