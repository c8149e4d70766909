// Package conformance proves that a driver keeps the promises of package
// driver, and that sessions kept by it keep those of package session. It is
// the one suite for built-in and third-party drivers; there is no list of
// exceptions.
//
// A driver's test is this:
//
//	func TestConformance(t *testing.T) {
//		conformance.Run(t, bolt.Driver{}, conformance.Env{
//			Place: func(tb testing.TB) map[string]any {
//				return map[string]any{"file": filepath.Join(tb.TempDir(), "sessions.db")}
//			},
//		})
//	}
//
// Run opens stores as applications do, through Configure and Open, with as many
// handles on one place as a case needs. What applications see runs twice: with
// the optional interfaces of the store, and with them hidden (all but Scanner), so
// that what the core does instead is proven on every store. What the contract
// says of single methods runs once, since hiding changes nothing about it.
//
// Passing means that nothing was found. The concurrency cases count exactly, and
// check the history of operations for linearizability; they cannot try every
// interleaving. Crashes, power cuts and failovers are not part of the suite:
// they differ from store to store.
package conformance
