package driver

import "errors"

// Errors of the contract. Stores return them as they are or wrapped with %w.
var (
	// ErrNotFound: there is no record of that key.
	ErrNotFound = errors.New("session not found")

	// ErrExists: there is a record of that key already.
	ErrExists = errors.New("session exists already")

	// ErrConflict: the record is there in another version, or, from Replace,
	// Touch and Delete with a version, not there.
	ErrConflict = errors.New("session was changed meanwhile")

	// ErrClosed: the store was closed.
	ErrClosed = errors.New("session store is closed")

	// ErrNotApplied marks an error of a mutation that certainly had no effect
	// and will have none.
	ErrNotApplied = errors.New("not applied")

	// ErrUnknownOutcome marks an error of a mutation that may have been applied,
	// or may still be. To the framework every error of a mutation is one that
	// matches none of the errors above.
	ErrUnknownOutcome = errors.New("outcome unknown")

	// ErrCorrupt marks an error of Load, Replace, Touch or Delete: there is a
	// record, and it cannot be read. Nothing was changed.
	ErrCorrupt = errors.New("stored session is damaged")
)

// NotApplied marks err as the error of a mutation that certainly had no effect.
// It answers nil for nil.
func NotApplied(err error) error {
	if err == nil {
		return nil
	}
	return &markedError{err, ErrNotApplied}
}

// UnknownOutcome marks err as the error of a mutation that may have been
// applied. It answers nil for nil.
func UnknownOutcome(err error) error {
	if err == nil {
		return nil
	}
	return &markedError{err, ErrUnknownOutcome}
}

// markedError prints as err and matches mark as well.
type markedError struct{ err, mark error }

func (e *markedError) Error() string   { return e.mark.Error() + ": " + e.err.Error() }
func (e *markedError) Unwrap() []error { return []error{e.err, e.mark} }

// WasNotApplied reports whether err, the error of a mutation, says that it
// certainly had no effect.
func WasNotApplied(err error) bool {
	for _, e := range []error{ErrNotFound, ErrExists, ErrConflict, ErrClosed, ErrCorrupt, ErrNotApplied} {
		if errors.Is(err, e) {
			return !errors.Is(err, ErrUnknownOutcome)
		}
	}
	return false
}
