package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/websession/websession/session/driver"
)

// Promise is what a store keeps, whatever happens to it.
type Promise int

const (
	// Everything: what was answered holds.
	Everything Promise = iota

	// Logouts: a deletion that was answered holds. Other records are whole, and
	// perhaps gone or in an older state.
	Logouts

	// LogoutsOnly is Logouts, and other records may be damaged.
	LogoutsOnly

	// Whole: every record is one that was written once, or gone.
	Whole
)

// Found is what a store holds.
type Found map[string]int // the number of the write by key

// junk begins the keys of records that have expired: they may be there or not.
const junk = "junk-"

// Check compares what a store holds with what it was asked for, by Load and by
// Scan, and answers what it holds and what breaks the promise.
func (l *Ledger) Check(s driver.Store, p Promise) (Found, error) {
	ctx := context.Background()
	found := make(Found)
	var errs []error
	for _, key := range l.Keys() {
		rec, _, err := s.Load(ctx, key)
		switch {
		case errors.Is(err, driver.ErrNotFound):
		case errors.Is(err, driver.ErrCorrupt) && p == LogoutsOnly && l.mayBeThere(key):
			if err := s.Delete(ctx, driver.Record{Key: key}, ""); err != nil { // the next write needs the place
				errs = append(errs, err)
			}
			continue
		case err != nil:
			errs = append(errs, fmt.Errorf("load of %s: %w", key, err))
			continue
		default:
			seq, err := number(key, rec.Data)
			if err != nil {
				errs = append(errs, err)
				continue
			}
			found[key] = seq
		}
		if err := l.allows(key, found[key], p); err != nil {
			errs = append(errs, err)
		}
	}
	return found, errors.Join(append(errs, l.checkScan(s, found)...)...)
}

// checkScan reports a difference between what Scan yields and what Load answers.
func (l *Ledger) checkScan(s driver.Store, found Found) (errs []error) {
	scanner, ok := s.(driver.Scanner)
	if !ok {
		return nil
	}
	seen := make(Found)
	for rec, err := range scanner.Scan(context.Background()) {
		if err != nil {
			return []error{fmt.Errorf("scan: %w", err)}
		}
		if strings.HasPrefix(rec.Key, junk) {
			continue
		}
		seq, err := number(rec.Key, rec.Data)
		if err != nil {
			errs = append(errs, err)
		}
		if found[rec.Key] != seq {
			errs = append(errs, fmt.Errorf("scan yields write %d of %s, load finds write %d", seq, rec.Key, found[rec.Key]))
		}
		seen[rec.Key] = seq
	}
	if len(seen) != len(found) {
		errs = append(errs, fmt.Errorf("scan yields %d records, load finds %d", len(seen), len(found)))
	}
	return errs
}

// mayBeThere reports whether any write came after the last deletion.
func (l *Ledger) mayBeThere(key string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.ContainsFunc(l.account(key).since, func(s state) bool { return !s.gone })
}

// allows reports why a key must not hold the write seq; 0 is none.
func (l *Ledger) allows(key string, seq int, p Promise) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.account(key)
	is := func(s state) bool { return s.seq == seq && !s.gone || seq == 0 && s.gone }
	allowed := a.may
	switch p {
	case Logouts, LogoutsOnly:
		allowed = a.since
		if seq == 0 {
			return nil
		}
	case Whole:
		return nil
	}
	if slices.ContainsFunc(allowed, is) {
		return nil
	}
	holds := fmt.Sprintf("write %d", seq)
	if seq == 0 {
		holds = "nothing"
	}
	return fmt.Errorf("%s holds %s; what was answered allows %v", key, holds, allowed)
}

// Settle notes that a store holds this, and nothing else: what was unknown
// before no longer is.
func (l *Ledger) Settle(found Found) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for key, a := range l.keys {
		s := state{found[key], found[key] == 0}
		a.may, a.since = []state{s}, []state{s}
	}
}

// Heard checks what Load answered about a key while things go wrong: an error is
// no lie, but what it found, or did not find, must be so.
func (l *Ledger) Heard(key string, rec driver.Record, err error) error {
	seq := 0
	switch {
	case errors.Is(err, driver.ErrNotFound):
	case errors.Is(err, driver.ErrCorrupt):
		return fmt.Errorf("load of %s: %w", key, err)
	case err != nil:
		return nil
	default:
		if seq, err = number(key, rec.Data); err != nil {
			return err
		}
	}
	return l.allows(key, seq, Everything)
}

// Seen checks what Scan, or Search, yielded without an error: records that may
// be there, and all that must be.
func (l *Ledger) Seen(records []driver.Record) error {
	found := make(Found)
	for _, rec := range records {
		if strings.HasPrefix(rec.Key, junk) {
			continue
		}
		seq, err := number(rec.Key, rec.Data)
		if err != nil {
			return err
		}
		found[rec.Key] = seq
	}
	var errs []error
	for _, key := range l.Keys() {
		errs = append(errs, l.allows(key, found[key], Everything))
	}
	return errors.Join(errs...)
}
