package sql

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// newDirectFake answers a direct of a fake database with one connection.
func newDirectFake(t *testing.T, prepares bool) (*direct, *fake, *sql.DB) {
	t.Helper()
	w, f := newFake(t, time.Second)
	dialect := *w.dialect
	dialect.Writer, dialect.Prepares = nil, prepares
	db := sql.OpenDB(f)
	t.Cleanup(func() { db.Close() })
	db.SetMaxOpenConns(1)
	texts := &statements{mutation: w.statements}
	d, err := newDirect(t.Context(), db, &dialect, &fakeDatabase{}, texts, &shortcut{})
	require.NoError(t, err)
	t.Cleanup(func() { d.close() })
	require.NoError(t, db.Ping())
	f.words()
	return d, f, db
}

// Only what the database undid in favour of another one is tried again.
func TestDirectTriesAgain(t *testing.T) {
	for _, prepares := range []bool{false, true} {
		d, f, _ := newDirectFake(t, prepares)
		tries := 0
		f.answer(func(string) (int64, error) {
			if tries++; tries < 4 {
				return 0, errBusy
			}
			return 7, nil
		})
		n, _, err := d.apply(t.Context(), 0, []any{"x"})
		require.NoError(t, err)
		require.EqualValues(t, 7, n)
		require.Equal(t, "exec exec exec exec", f.words())

		for _, failure := range []error{errRefused, errFull, errDisk} {
			f.answer(func(string) (int64, error) { return 0, failure })
			_, outcome, err := d.apply(t.Context(), 0, []any{"x"})
			require.Equal(t, answer{failure.(fakeError).Outcome, failure}, answer{outcome, err})
			require.Equal(t, "exec", f.words())
		}

		f.answer(func(string) (int64, error) { return 0, errBusy })
		_, outcome, err := d.apply(t.Context(), 0, []any{"x"})
		require.Equal(t, answer{Busy, errBusy}, answer{outcome, err}, "not for ever")
		ctx, cancel := context.WithCancel(t.Context())
		f.answer(func(string) (int64, error) { cancel(); return 0, errBusy })
		_, outcome, _ = d.apply(ctx, 0, []any{"x"})
		require.Equal(t, Busy, outcome)
		f.answer(func(string) (int64, error) { d.stop(); return 0, errBusy })
		_, outcome, _ = d.apply(t.Context(), 0, []any{"x"})
		require.Equal(t, Busy, outcome)
	}
}

// Before a connection is found nothing is sent.
func TestDirectKnowsWhatWasSent(t *testing.T) {
	d, f, db := newDirectFake(t, false)
	conn, err := db.Conn(t.Context())
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	_, outcome, err := d.apply(ctx, 0, []any{"x"})
	require.Equal(t, answer{NotApplied, context.DeadlineExceeded}, answer{outcome, err})
	require.NoError(t, conn.Close())
	require.Empty(t, f.words())

	ctx, cancel = context.WithCancel(t.Context())
	f.answer(func(string) (int64, error) { cancel(); return 0, ctx.Err() })
	_, outcome, err = d.apply(ctx, 0, []any{"x"})
	require.Equal(t, answer{Unknown, context.Canceled}, answer{outcome, err})

	// database/sql takes other connections when one says that it sent nothing.
	f.words()
	f.answer(func(string) (int64, error) { return 0, sqldriver.ErrBadConn })
	_, outcome, err = d.apply(t.Context(), 0, []any{"x"})
	require.Equal(t, answer{NotApplied, sqldriver.ErrBadConn}, answer{outcome, err})

	d.database = &fakeDatabase{errDisk}
	f.words()
	_, outcome, _ = d.apply(t.Context(), 0, []any{"x"})
	require.Equal(t, NotApplied, outcome)
	require.Empty(t, f.words(), "a database that must not be used is not written to")
}
