package sqlite_test

import (
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/websession/websession/internal/lyingdisk/ledger"
	"github.com/websession/websession/internal/workload"
	"github.com/websession/websession/sql/sqlite"
)

var full, scaled, zero, seeded = workload.Full, workload.Scaled, workload.Zero, workload.Seeded

// options are those that the proofs open stores with.
func options(level sqlite.Synchronous) *sqlite.Options {
	return &sqlite.Options{Synchronous: level, Indexed: []string{"user"}, ReadConnections: 2}
}

// afterCrash checks what is in a database after a crash, as the next process
// finds it, that it is whole and can be used, and that nothing else is left when
// it was purged and closed. It answers what is there.
func afterCrash(l *ledger.Ledger, path string, p ledger.Promise) (ledger.Found, error) {
	s, err := sqlite.New(path, options(sqlite.Full))
	if err != nil {
		return nil, err
	}
	found, err := l.Check(s, p)
	if err == nil {
		err = ledger.Usable(s)
	}
	if err == nil {
		_, err = s.Purge(ctx, ledger.Until.AddDate(-1, 0, 0), 1e6)
	}
	if err == nil {
		err = isWhole(path, len(found))
	}
	if err = errors.Join(err, s.Close()); err != nil {
		return found, err
	}
	left, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*"))
	if err == nil && len(left) != 1 {
		err = fmt.Errorf("beside the database are left: %v", left)
	}
	return found, err
}

// isWhole reports damage of a database, which has so many records.
func isWhole(path string, records int) error {
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(5000)")
	if err != nil {
		return err
	}
	defer db.Close()
	var text string
	if err = db.QueryRow("PRAGMA integrity_check").Scan(&text); err != nil {
		return err
	}
	if text != "ok" {
		return errors.New("integrity_check: " + text)
	}
	var n int
	if err = db.QueryRow("SELECT count(*) FROM websession_sessions").Scan(&n); err == nil && n != records {
		err = fmt.Errorf("there are %d rows of %d records", n, records)
	}
	return err
}
