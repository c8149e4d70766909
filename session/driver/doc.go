// Package driver is the contract between the session framework and the stores
// that keep its sessions. Authors of drivers implement it; applications do not
// need it: they use package session.
//
// A driver is blind. It sees a key in a safe alphabet, opaque bytes, a deadline
// and digests of index values. The framework owns ids, hashing, encoding,
// expiry, merging, limits and retries, once, for every driver.
//
// # Writing a driver
//
//   - [Driver] names the class and reads its properties from a [Decoder],
//     without I/O. Register it from an init function with [Register].
//   - [Connector] opens a [Store]: five methods, of which Replace and Delete
//     are conditional on a [Version] that the store makes.
//   - Optional interfaces make single operations cheaper or possible:
//     [Toucher], [Scanner], [Searcher], [Purger], [Pinger]. Each of their
//     methods may answer errors.ErrUnsupported, which means "as if I were not
//     there".
//   - [Locker] keeps others away from a session while a request works on it. A
//     store has it only when its properties ask for it.
//   - Package conformance proves the result:
//     conformance.Run(t, yourpackage.Driver{}, env).
//
// # What a store promises
//
// Every mutation ends in one of three ways. It was applied (nil). It was not
// applied ([ErrNotFound], [ErrExists], [ErrConflict], [ErrClosed], or an error
// that matches [ErrNotApplied]). Or its outcome is unknown: a time-out, a
// connection that was cut, a context that ended while the answer was awaited.
// Every other error is taken for an unknown outcome, so that a driver that
// forgets to say is slower, never wrong.
//
// No store and no client library below it repeats a mutation by itself. The
// framework does that, and can tell whether the first one was applied.
//
// A store never judges expiry. Load may return a record that has expired, and
// Create on one may answer ErrExists: the framework judges with its own clock.
// A time-to-live in the store only cleans up; it is relative, rounded up, and
// leaves [Margin] after Record.Expires, so that clocks of servers may differ by
// as much without anybody being logged out.
package driver
