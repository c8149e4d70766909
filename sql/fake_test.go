package sql

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/session/driver"
)

// fake is a database that does what a test says: exec answers every statement,
// BEGIN, COMMIT and ROLLBACK included. It counts what becomes of transactions.
type fake struct {
	mu   sync.Mutex
	exec func(text string) (int64, error)
	log  []string // words: begin, commit, rollback, connect, close, exec
}

// fakeError is an error that classifies itself.
type fakeError struct{ Outcome }

func (fakeError) Error() string { return "fake error" }

var (
	errBusy    = fakeError{Busy}
	errFull    = fakeError{NotApplied}
	errDisk    = fakeError{Unknown}
	errRefused = fakeError{Refused}
)

func (f *fake) note(word string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.log = append(f.log, word)
}

// words answers what was noted since the last call.
func (f *fake) words() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := strings.Join(f.log, " ")
	f.log = nil
	return s
}

func (f *fake) answer(exec func(text string) (int64, error)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.exec = exec
}

func (f *fake) Connect(context.Context) (sqldriver.Conn, error) {
	f.note("connect")
	return &fakeConn{f}, nil
}

func (f *fake) Driver() sqldriver.Driver { return nil }

type fakeConn struct{ *fake }

func (c *fakeConn) Prepare(text string) (sqldriver.Stmt, error) { return &fakeStmt{c.fake, text}, nil }
func (c *fakeConn) Begin() (sqldriver.Tx, error)                { return nil, errors.New("fake: no Begin") }
func (c *fakeConn) Close() error                                { c.note("close"); return nil }

type fakeStmt struct {
	*fake
	text string
}

func (s *fakeStmt) Close() error  { return nil }
func (s *fakeStmt) NumInput() int { return -1 }
func (s *fakeStmt) Query([]sqldriver.Value) (sqldriver.Rows, error) {
	return nil, errors.New("fake: no rows")
}
func (s *fakeStmt) Exec(args []sqldriver.Value) (sqldriver.Result, error) {
	word, _, _ := strings.Cut(s.text, " ")
	s.note(strings.ToLower(word))
	s.mu.Lock()
	exec := s.exec
	s.mu.Unlock()
	if len(args) > 0 {
		word = args[0].(string)
	}
	n, err := exec(word)
	return sqldriver.RowsAffected(n), err
}

// fakeDatabase implements Database.
type fakeDatabase struct{ err error }

func (d *fakeDatabase) Check(bool) error         { return d.err }
func (d *fakeDatabase) Describe(err error) error { return err }
func (d *fakeDatabase) Info(context.Context, *sql.Conn) (driver.Info, error) {
	return driver.Info{}, nil
}

// newFake answers a writer of a fake database whose statements succeed.
func newFake(t *testing.T, wait time.Duration) (*writer, *fake) {
	t.Helper()
	f := &fake{exec: func(string) (int64, error) { return 1, nil }}
	db := sql.OpenDB(f)
	t.Cleanup(func() { db.Close() })
	dialect := &Dialect{
		Writer: &Writer{
			Begin:    "BEGIN",
			Wait:     wait,
			MaxBatch: 4,
			Prepare:  func(context.Context, *sql.Conn) error { return nil },
		},
		Classify: func(err error) Outcome {
			var e fakeError
			errors.As(err, &e)
			return e.Outcome
		},
	}
	texts := &statements{}
	for i := range texts.mutation {
		texts.mutation[i] = "EXEC " + string(rune('a'+i))
	}
	conn, err := db.Conn(t.Context())
	require.NoError(t, err)
	w, err := newWriter(t.Context(), db, conn, dialect, &fakeDatabase{}, texts)
	require.NoError(t, err)
	t.Cleanup(func() {
		select {
		case <-w.closing:
		default:
			w.stop()
		}
		w.close()
	})
	f.words()
	return w, f
}
