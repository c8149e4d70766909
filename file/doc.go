// Package file keeps sessions in a folder of a local file system: class "File",
// URLs file:///var/lib/app/sessions.
//
// Import it for its class name, or open a [Store] with [New] and hand it to
// session.New.
//
// # Properties
//
//   - Directory: the folder. It is made, mode 0700, if its parent exists.
//   - durability: what a power cut may take, see [Durability].
//   - LockDirectory: accepted from Perl's configurations and without effect.
//
// # Layout
//
// A record is the file <2 hex digits>/<62 hex digits>, named after the SHA-256
// of its key. Beside the 256 folders of records lie .tmp, where records are
// written before they are renamed into place, and .locks with one lock file for
// each folder of records. Lock files are never removed, and nobody else should
// remove them. Folders have mode 0700 and files 0600 whatever the umask is. When
// root uses the folder of another user, what it makes belongs to that user.
//
// # Promises
//
//   - Load takes no lock and answers a whole record, the old one or the new.
//   - Mutations of a record exclude each other across goroutines, stores and
//     processes of one host, and are conditional as package driver asks.
//   - A record that was deleted stays deleted after a power cut, whatever the
//     durability, if the disk keeps what it was told to keep.
//   - A write that fails leaves the old record. A crash leaves no more than a
//     file in .tmp, which Purge removes.
//   - Symbolic links, pipes, devices and foreign files in the folder are neither
//     followed nor deleted, and stop nothing but the record whose place they take.
//   - Errors never contain a key, an id, or the name of a file made of them.
//
// # What is not promised
//
//   - Network file systems: their locks and caches break the promises above.
//   - Protection from those who can write in the folder as its owner.
//   - Order or a point in time for Scan: it lists what it meets.
//   - Systems other than Linux.
package file
