// Package lyingdisk is a disk for tests that forgets what was not synced. It is
// a file system in memory that FUSE mounts, served by a process of its own: the
// test binary, started again. It needs Linux, /dev/fuse, and root or fusermount3;
// where one is missing the test is left out and says so.
//
// A test binary that uses it calls [Main] first in TestMain.
//
// # Promises
//
//   - Of a file that is not synced any part may survive a power cut: each sector
//     of 512 bytes by itself, as it was or as it is, and the size likewise. What
//     was never written is zeros.
//   - Of a folder that is not synced each name may survive by itself, in the state
//     before or after any of its changes. A rename between two folders is two
//     changes. This is all that POSIX promises; journaling file systems do better.
//   - What is synced survives whole, unless the disk was told to lie.
//   - A fault that fails the sync of a file with EIO loses what was to be synced,
//     and the next sync does not say so, as Linux does.
//   - After the cut every change and every sync fails with EIO, so nothing that
//     was answered later can depend on them.
//
// # What is not promised
//
//   - Modes, owners and times that go back: they are those of the last change.
//   - Hard links, symbolic links, devices, extended attributes: there are none.
//   - Faults in reading a file whose name ends with -shm. SQLite maps it into its
//     memory, and a page that cannot be read ends the process by SIGBUS, on every
//     disk.
package lyingdisk
