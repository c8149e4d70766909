// Package syscalls traces what a process asks of its disk, with strace, and
// tells what would be lost if the power were cut.
//
// # What is not promised
//
//   - Other systems than Linux, and processes that change the disk from several
//     threads at the same time: calls are listed in the order in which they end.
package syscalls
