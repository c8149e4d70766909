package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"runtime"

	"github.com/websession/websession/session/driver"
	websql "github.com/websession/websession/sql"
)

// database implements websql.Database.
type database struct {
	options Options
	file    *file
	own     bool   // nobody else has opened it for us
	version string // of SQLite
}

// Check implements websql.Database.
func (db *database) Check(write bool) error {
	if !write && db.file.checkedRecently() {
		return nil
	}
	return db.file.check()
}

// Result codes of SQLite; an extended one has more above the lowest byte.
const (
	codeBusy       = 5
	codeLocked     = 6
	codeNoMemory   = 7
	codeReadOnly   = 8
	codeInterrupt  = 9
	codeIO         = 10
	codeCorrupt    = 11
	codeFull       = 13
	codeCannotOpen = 14
	codeProtocol   = 15
	codeConstraint = 19
	codeNotADB     = 26
)

// code answers the result code of an error, or 0.
func code(err error) int {
	var e interface{ Code() int }
	if errors.As(err, &e) {
		return e.Code() & 0xff
	}
	return 0
}

// classify says what an error tells about a statement or a COMMIT. An error of
// the disk may come after the journal was written.
func classify(err error) websql.Outcome {
	switch code(err) {
	case 0, codeIO, codeNoMemory, codeInterrupt, codeCorrupt:
		return websql.Unknown
	case codeBusy, codeLocked, codeProtocol:
		return websql.Busy
	case codeConstraint:
		return websql.Refused
	}
	return websql.NotApplied
}

var errReadOnly = errors.New("it is read-only: check the permissions of the file and of its folder, and how the file system is mounted")

// problem is an error with the name of the database.
type problem struct {
	path, what string
	err        error
}

func (p *problem) Error() string {
	text := p.err.Error()
	if p.what != "" {
		text = p.what + ": " + text
	}
	if p.path == "" {
		return text
	}
	return fmt.Sprintf("database %q: %s", p.path, text)
}

func (p *problem) Unwrap() error { return p.err }

// Describe implements websql.Database.
func (db *database) Describe(err error) error {
	if p := (*problem)(nil); errors.As(err, &p) || errors.Is(err, driver.ErrClosed) {
		return err
	}
	what := ""
	switch code(err) {
	case codeBusy, codeLocked, codeProtocol:
		what = fmt.Sprintf("it is locked by another program for longer than busy_timeout %v", db.options.BusyTimeout)
	case codeReadOnly:
		what = errReadOnly.Error()
	case codeIO:
		what = "its disk fails"
	case codeCorrupt:
		what = "it is damaged: restore it from a backup, or move it away"
	case codeFull:
		what = "its disk is full"
	case codeCannotOpen:
		what = "it cannot be opened: check the permissions of the file and of its folder"
	case codeNotADB:
		what = "it is no database of SQLite"
	}
	return &problem{db.file.path, what, err}
}

// Info implements websql.Database.
func (db *database) Info(ctx context.Context, conn *sql.Conn) (driver.Info, error) {
	var mode string
	var pages, size, free int64
	for query, value := range map[string]any{
		"PRAGMA journal_mode":   &mode,
		"PRAGMA page_count":     &pages,
		"PRAGMA page_size":      &size,
		"PRAGMA freelist_count": &free,
	} {
		if err := conn.QueryRowContext(ctx, query).Scan(value); err != nil {
			return driver.Info{}, err
		}
	}
	info := driver.Info{
		Server: "SQLite " + db.version,
		Facts: map[string]string{
			"file":         db.file.path,
			"journal_mode": mode,
			"synchronous":  string(db.options.Synchronous),
			"size":         fmt.Sprintf("%d bytes, %d of them free", pages*size, free*size),
		},
	}
	info.Guarantee = "A kill of the application loses nothing that was answered. Nor does a power cut."
	if db.options.Synchronous != Full {
		info.Guarantee = "A kill of the application loses nothing that was answered. A power cut may lose the last writes, logouts among them; the database stays whole."
		info.Warnings = append(info.Warnings, "synchronous is normal: a power cut may lose the last writes, so that a session that was destroyed comes back. Set it to full.")
	}
	if mode != "wal" {
		info.Warnings = append(info.Warnings, fmt.Sprintf("The journal mode is %s: reading and writing wait for each other. Run: PRAGMA journal_mode = WAL;", mode))
	}
	if st, err := os.Lstat(db.file.path); err == nil && db.own && st.Mode().Perm()&0o077 != 0 && runtime.GOOS != "windows" {
		info.Warnings = append(info.Warnings, fmt.Sprintf("The mode of the database %q is %04o: it should be 0600, so that only its owner can read it.", db.file.path, st.Mode().Perm()))
	}
	if name := networkFileSystem(db.file.path); name != "" {
		info.Guarantee = "Nothing is guaranteed on a network file system."
		info.Warnings = append(info.Warnings, fmt.Sprintf("The database %q lies on a network file system (%s), whose locks do not hold: sessions will be lost, and the database damaged. Move it to a local disk.", db.file.path, name))
	}
	return info, nil
}
