package redis

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"maps"
	"strings"
	"time"

	"github.com/websession/websession/session/driver"
)

// A user's sessions are found by index entries: for each field and digest a hash
// with a field for each record. An entry lives longer than its record, so that
// most touches need not write it again: the version of a record says how long.
//
// On one server entries and records change in one script. In a cluster they lie
// on different servers, see apart.
const (
	leastLead = time.Hour // an entry outlives its record by this at least
	mostLife  = 100 * 365 * 24 * time.Hour
)

// plan decides whether the entries are written, and for how long. old is "" for
// a new record.
func (c *change) plan(old driver.Version) {
	if len(c.index) == 0 {
		c.stamp = newStamp(c.rec.Expires, entries{})
		return
	}
	e := entriesOf(old)
	needed := c.now.Add(mostLife / 4)
	if d := c.rec.Expires.Add(2 * driver.Margin); !c.rec.Expires.IsZero() && d.Before(needed) {
		needed = d
	}
	if c.late = e.until.Before(needed); c.late {
		left := max(needed.Sub(c.now), 0)
		e.until = needed.Add(max(left, leastLead))
		if needed.Before(c.now) {
			e.until = c.now.Add(leastLead)
		}
	}
	c.life = max(1, e.until.UnixMilli()-c.now.UnixMilli())
	if c.s.server.separate() {
		c.planApart(old, &e)
	}
	c.stamp = newStamp(c.rec.Expires, e)
}

// keepsIndex reports whether the record that old is a version of is likely to have
// the index of c, with entries that last.
func (c *change) keepsIndex(old driver.Version) bool {
	if len(c.rec.Index) == 0 {
		return entriesOf(old).until.IsZero()
	}
	return !c.late && maps.Equal(c.rec.Index, c.rec.Was)
}

// apart is the part of a change that is about an index on other servers:
//
//   - An entry is written before its record. It carries the time of its server,
//     and a token that the version of the record has too. If the record is not
//     written what was there before is put back.
//   - Whoever removes a record, or gives it another digest, drops the entry if it
//     has the token of that record. With another token somebody else may be about
//     to need it: then it stays if it is young.
//   - A reader that finds an entry without record drops it if it is not young, and
//     has not been written since.
//   - A writer that took so long that a reader may have done that writes its entry
//     again.
type apart struct {
	first bool // entries are written before the record
	token string
	keep  string // "keep": entries that are there keep their token

	before map[string]string // by index key: what was there before it was written
}

const (
	young   = 60 * time.Second // longer than any write takes
	overrun = young / 2        // when a writer no longer relies on what it wrote
)

// planApart chooses the token. The same change has the same token, so that an
// attempt whose answer was lost and its repetition do not disagree.
func (c *change) planApart(old driver.Version, e *entries) {
	if old != "" && maps.Equal(c.rec.Index, c.rec.Was) {
		c.first, c.keep = c.late, "keep"
	} else {
		c.first = true
		h := sha256.New()
		h.Write([]byte(old))
		h.Write([]byte(c.rec.Key))
		h.Write(c.index)
		h.Write(c.rec.Data)
		copy(e.token[:], h.Sum(nil))
	}
	c.token = hex.EncodeToString(e.token[:])
}

// withEntries writes the record, and before that the entries that lie apart.
func (c *change) withEntries(ctx context.Context, write func() error) error {
	if !c.first {
		return write()
	}
	began := time.Now()
	if err := c.enter(ctx, c.rec.Index); err != nil {
		return driver.NotApplied(fail(c.op, err))
	}
	err := write()
	switch {
	case errors.Is(err, driver.ErrConflict) && c.keep != "": // the record is there, and may need it
	case errors.Is(err, driver.ErrExists), errors.Is(err, driver.ErrNotFound), errors.Is(err, driver.ErrConflict):
		c.undo(ctx)
	case err == nil && time.Since(began) > overrun:
		err = c.enterLate(ctx, c.rec.Index)
	}
	return err
}

// undo takes back entries of a record that was not written. An earlier attempt
// of the same change may have written them, and the record: then they stay. If it
// fails they are left to readers, and end by themselves.
func (c *change) undo(ctx context.Context) {
	for key, before := range c.before {
		if before == "" || c.keep == "" && !strings.HasSuffix(before, " "+c.token) {
			_, _ = c.s.runOn(ctx, undoScript, []string{key}, c.rec.Key, c.token, before)
		}
	}
}

// enterLate writes entries of a record that was written.
func (c *change) enterLate(ctx context.Context, index map[string]string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
	defer cancel()
	for try := 1; ; try++ {
		err := c.enter(ctx, index)
		if err == nil {
			return nil
		}
		if try == 3 || pause(ctx, time.Duration(try)*50*time.Millisecond) != nil {
			return driver.UnknownOutcome(fail(c.op, err))
		}
	}
}

// enter writes entries that lie apart. With wait_replicas it waits for the
// replicas of each, too.
func (c *change) enter(ctx context.Context, index map[string]string) error {
	keys := c.s.indexKeys(index)
	run := c.s.runEach
	if c.s.wait.replicas > 0 {
		run = c.s.confirmEach
	}
	was, err := run(ctx, enterScript, keys, c.rec.Key, c.life, c.token, c.keep)
	if err != nil {
		return err
	}
	c.before = make(map[string]string, len(keys))
	for i, key := range keys {
		c.before[key], _ = was[i].(string)
	}
	return nil
}

// finish reads what a script answered, and drops the entries that lie apart and
// are no longer needed. If that fails they are left to readers, and end by
// themselves.
func (c *change) finish(ctx context.Context, a any) error {
	list, _ := a.([]any)
	if len(list) != 3 {
		return c.state(a)
	}
	if err := c.state(list[0]); err != nil {
		return err
	}
	head, _ := list[1].(string)
	text, _ := list[2].(string)
	was, err := decodeIndex([]byte(text))
	if err != nil || len(head) < headerSize {
		return nil
	}
	gone, missing := make(map[string]string), make(map[string]string)
	for f, d := range was {
		if c.rec.Index[f] != d {
			gone[f] = d
		}
	}
	for f, d := range c.rec.Index {
		if was[f] != d && !c.first { // Was did not say so
			missing[f] = d
		}
	}
	if len(missing) > 0 {
		err = c.enterLate(ctx, missing)
	}
	if len(gone) > 0 {
		e := entriesOf(driver.Version(head[versionAt:expiresAt]))
		_, _ = c.s.runEach(ctx, leaveScript, c.s.indexKeys(gone), c.rec.Key, hex.EncodeToString(e.token[:]))
	}
	return err
}

// state answers the error that a script's number stands for.
func (c *change) state(a any) error {
	n, ok := a.(int64)
	if !ok {
		return driver.UnknownOutcome(fail(c.op, errStrange))
	}
	switch n {
	case applied:
		return nil
	case absent:
		return driver.ErrNotFound
	case moved:
		return driver.ErrConflict
	case foreign:
		return driver.NotApplied(fail(c.op, damaged(errDamage)))
	case wrongType:
		return driver.NotApplied(fail(c.op, damaged(errWrongType)))
	}
	return driver.UnknownOutcome(fail(c.op, errUnfinished))
}

func (s *Store) indexKeys(index map[string]string) []string {
	keys := make([]string, 0, len(index))
	for f, d := range index {
		keys = append(keys, s.indexKey(f, d))
	}
	return keys
}

// runEach runs a script for each index key, all of them together.
func (s *Store) runEach(ctx context.Context, sc script, keys []string, args ...any) ([]any, error) {
	if len(keys) == 1 {
		a, err := s.runOn(ctx, sc, keys, args...)
		return []any{a}, err
	}
	var cs []command
	for _, k := range keys {
		cs = append(cs, sc.call([]string{k}, args...))
	}
	all := make([]any, len(keys))
	var first error
	for i, a := range s.server.pipe(ctx, cs) {
		if isNoScript(a.err) {
			a.value, a.err = s.server.do(ctx, sc.full([]string{keys[i]}, args...))
		}
		if all[i] = a.value; a.err != nil && first == nil {
			first = a.err
		}
	}
	return all, first
}

// runOn is run for what is no record.
func (s *Store) runOn(ctx context.Context, sc script, keys []string, args ...any) (any, error) {
	a, err := s.server.do(ctx, sc.call(keys, args...))
	if isNoScript(err) {
		a, err = s.server.do(ctx, sc.full(keys, args...))
	}
	return a, err
}
