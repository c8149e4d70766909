package session

import (
	"context"
	"log/slog"
)

// EventKind says what an Event is about.
type EventKind string

// Kinds of events.
const (
	EventCreated        EventKind = "created"          // a session was stored first
	EventRenewed        EventKind = "renewed"          // a session got a new id
	EventDestroyed      EventKind = "destroyed"        // a session was ended on request
	EventConflict       EventKind = "conflict"         // a save met another's and was merged; Attempts counts the tries
	EventUnknownOutcome EventKind = "unknown_outcome"  // a mutation was answered by ErrUnknownOutcome
	EventCorrupt        EventKind = "corrupt"          // a record could not be read; it was left where it is
	EventTouchFailed    EventKind = "touch_failed"     // a deadline was not moved; the request was served
	EventLeftover       EventKind = "leftover"         // a record that nobody knows the id of could not be deleted; it expires
	EventLateSaveFailed EventKind = "late_save_failed" // changes made after the header were not saved
	EventCommitFailed   EventKind = "commit_failed"    // a request's changes were not saved, and its client was told
	EventAnonymous      EventKind = "served_anonymous" // the store failed, and a request was served without its session
	EventRefused        EventKind = "refused"          // a cookie was not accepted; Message says why
	EventPurged         EventKind = "purged"           // the janitor deleted Count records
	EventPurgeFailed    EventKind = "purge_failed"     // the janitor failed and will try again
	EventLockLost       EventKind = "lock_lost"        // a lock was lost before it was given back; versions kept every change
	EventPrimaryChanged EventKind = "primary_changed"  // the store talks to another server; Count sessions that had ended were deleted once more
	EventWarning        EventKind = "warning"          // Message is a remark of the store for people
)

// Event is something that happened which no caller is told, or that an operator
// counts. It contains no session id and no secret.
type Event struct {
	Kind     EventKind
	Class    string // of the store
	Session  Handle // "" where no single session is meant
	Attempts int
	Count    int
	Message  string
	Err      error
}

// LogEvents answers a function for Options.Observe that writes events to l:
// created, renewed, destroyed, conflict and purged at debug level; warning,
// refused, leftover, lock_lost, primary_changed, and the failure to save a session that has ended meanwhile,
// at warn level; other failures at error level.
func LogEvents(l *slog.Logger) func(context.Context, Event) {
	return func(ctx context.Context, e Event) {
		level := slog.LevelError
		switch e.Kind {
		case EventCreated, EventRenewed, EventDestroyed, EventConflict, EventPurged:
			level = slog.LevelDebug
		case EventWarning, EventRefused, EventLeftover, EventLockLost, EventPrimaryChanged:
			level = slog.LevelWarn
		case EventCommitFailed, EventLateSaveFailed, EventTouchFailed:
			if isNotFound(e.Err) {
				level = slog.LevelWarn
			}
		}
		if !l.Enabled(ctx, level) {
			return
		}
		attrs := make([]slog.Attr, 0, 6)
		attrs = append(attrs, slog.String("class", e.Class))
		if e.Session != "" {
			attrs = append(attrs, slog.Any("session", e.Session))
		}
		if e.Attempts > 0 {
			attrs = append(attrs, slog.Int("attempts", e.Attempts))
		}
		if e.Count > 0 {
			attrs = append(attrs, slog.Int("count", e.Count))
		}
		if e.Message != "" {
			attrs = append(attrs, slog.String("message", e.Message))
		}
		if e.Err != nil {
			attrs = append(attrs, slog.String("error", e.Err.Error()))
		}
		l.LogAttrs(ctx, level, "session "+string(e.Kind), attrs...)
	}
}
