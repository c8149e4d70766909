// Package session keeps sessions of web applications that run on several
// servers. One string chooses where: "Redis", "File", "Memory" or any other
// class whose package is imported.
//
//	m, err := session.Open(ctx, "File", map[string]any{"Directory": "/var/lib/app/sessions"}, nil)
//
// Most applications use it through package sessionhttp, which carries the
// session id in a cookie and saves what a handler changed.
//
// # Life of a session
//
// [Manager.NewSession] makes a session that exists in this process only. It is
// stored by the first [Session.Save] that finds an attribute in it. A request
// that presents its id gets it by [Manager.Load], reads and sets attributes by
// typed [Key] values, and saves. [Session.Renew] gives it a new id at login.
// [Session.Destroy] ends it; so do its two deadlines, one that every use moves
// (Options.Idle) and one that none moves (Options.Absolute).
//
// # What overlapping requests can rely on
//
// Save stores what the request changed, not what it loaded: overlapping requests
// that change different attributes keep all changes, whichever servers they ran
// on; of two changes of one attribute the later save wins. [Manager.Update] runs
// a function on the newest state until it was applied, and loses nothing at all.
//
// A session that was destroyed, renewed or has expired stays so, whatever a slow
// request saves afterwards: it gets [ErrNotFound].
//
// A mutation whose answer is lost is found out about, and happens once. Where
// that is impossible the error matches [ErrUnknownOutcome].
//
// # Secrets
//
// An [ID] has 256 random bits and prints redacted. Stores see its SHA-256 only,
// so that nobody who reads a store can use a session. A [Handle] names a session
// for people and logs.
package session
