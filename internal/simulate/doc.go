// Package simulate plays seeded histories of the core against a simulated store.
// It has tests only.
//
// A history is eight clients that use a few sessions through several Managers, in
// a bubble of testing/synctest. Every call of the store stops, and a scheduler
// that draws from the seed says which goes on, what becomes of it, and when time
// passes. It does so only while every goroutine of the bubble is blocked, and it
// moves time in steps longer than any pause of the core: so neither the order of
// goroutines, nor the core's random ids and pauses, change a history. The same
// seed gives the same history, byte for byte.
//
// The store stays within the contract of package driver. Calls are executed in
// any order; answers come late or get lost; requests get lost, or are executed up
// to a minute after their sender gave up; calls hang until their context ends. A
// request is executed twice only if the core sent it twice.
//
// # Clocks
//
// The Managers' clocks differ by up to an hour and jump forth and back. An early
// death is judged exactly: whoever used a session at a time by the own clock was
// promised nine tenths of the idle time from then on, and nobody whose clock has
// not reached that may miss the session, unless it was ended, or purged by a
// clock more than driver.Margin ahead. So nothing is left out for clocks that are
// far apart; the promise is only worth less there.
//
// # What is not simulated
//
// Stores that lose what they answered (a failover), damaged records, formats of
// other programs, and processes that die.
package simulate
