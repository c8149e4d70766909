// Package file keeps sessions in a folder of a local file system: class "File",
// URLs file:///var/lib/app/sessions.
//
// Import it for its class name, or open a [Store] with [New] and hand it to
// session.New.
//
// # Properties
//
//   - Directory: the folder. It is made, mode 0700, if its parent exists, and may
//     be read: its name is synced there, unless durability is none.
//   - durability: what a power cut may take, see [Durability]. With full, a write
//     syncs the file, renames it, and syncs its folder; a deletion, whatever the
//     durability, unlinks and syncs the folder.
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
//     durability, if the disk keeps what it was told to keep. On Windows see
//     below.
//   - A write that fails leaves the old record. A crash leaves no more than a
//     file in .tmp, which Purge removes.
//   - Symbolic links, pipes, devices and foreign files in the folder are neither
//     followed nor deleted, and stop nothing but the record whose place they take.
//   - Errors never contain a key, an id, or the name of a file made of them.
//
// # Search
//
// Search reads the front part of every record, which holds its index, and is a
// few times as fast as reading them whole: what is logged out by user name
// takes time in proportion to the number of all sessions. A separate index would
// be faster. It would also be a second state on the disk, which a power cut or
// an old backup can leave without an entry, and a session without an entry
// outlives "log out everywhere". Millions of sessions belong in another class.
//
// # Disks
//
// A disk that is full or has become read-only refuses writes as not applied: old
// records stay, and are loaded. Ending a session needs no room on a full disk. On
// a read-only one it is refused like every other change.
//
// Opening and Ping warn of a folder on a network file system, and of one that may
// be: FUSE, cluster file systems, shared folders of a virtual machine. The locks
// and caches of such a file system may not hold between machines. Then an update
// can be lost, and a session that was ended can come back. Several servers need
// another class, such as Redis or PostgreSQL. Ping also tells what the folder
// lies on; in memory (tmpfs), sessions end with the machine.
//
// # What is not promised
//
//   - Network file systems: see above.
//   - Protection from those who can write in the folder as its owner.
//   - Order or a point in time for Scan and Search: they list what they meet.
//   - Anything that was not tried: the tests run on Linux. For macOS, Windows and
//     the BSDs the package and its tests are built, not run.
//   - Windows: that a folder is on the disk when a call returns, unless the user
//     may flush folders and the file system knows how, as NTFS does; replacing a
//     record while it is read, on file systems older than NTFS; and private
//     files, unless the folder's access list, which new files inherit, says so.
//   - Systems without flock or LockFileEx: AIX, Solaris, Plan 9, WebAssembly.
package file
