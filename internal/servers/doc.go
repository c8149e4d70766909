// Package servers starts real database servers from the programs installed on
// this machine: for benchmarks, and for tests that kill, freeze and restart what
// they talk to.
//
//	s, err := servers.StartSentinel(ctx, nil)
//	...
//	defer s.Stop()
//	s.Nodes[0].Kill()
//	master, err := s.AwaitMaster(ctx, s.Nodes[0])
//
// # Promises
//
//   - A server listens on loopback only, on free ports below 32768, where no
//     client's socket takes them, and keeps its files in a temporary folder.
//   - A Start function returns when the servers answer, and sets of servers when
//     they agree that all is well. If it fails, nothing is left running.
//   - Stop ends the processes and removes the folder. On Linux they also end when
//     the program that started them does, however it ends.
//   - A program that is not installed is an error that matches exec.ErrNotFound
//     and names the Debian package.
//
// # What is not promised
//
//   - Durability, unless it is asked for: syncing is switched off where that makes
//     a server faster.
//   - That the temporary folder is removed when the program is killed.
//   - Windows: the package compiles there, and has nothing to start.
package servers
