// Package ledger keeps what a store was asked for and what it answered, and
// compares that with what the store holds after a crash, a power cut or a fault.
//
// # Promises
//
//   - What a record holds tells which write it is of, and whether it is whole.
//   - [Ledger.Check] finds a record that is in a state that no answer allows: an
//     acknowledged write that is lost, a deletion that is undone, a write that was
//     answered as not applied, a record that is torn or was never written.
//   - A ledger that is logged, line by line, can be made again from what is left
//     of the log of a process that was killed.
//
// # What is not promised
//
//   - Several goroutines that change one key: each key belongs to one.
package ledger
