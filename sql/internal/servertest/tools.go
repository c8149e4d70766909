package servertest

import (
	"bytes"
	"database/sql"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/session/driver"
	websql "github.com/websession/websession/sql"
)

func check(tb testing.TB, err error) {
	tb.Helper()
	require.NoError(tb, err)
}

// Exec runs statements that must succeed.
func Exec(tb testing.TB, db *sql.DB, statements ...string) {
	tb.Helper()
	for _, s := range statements {
		_, err := db.ExecContext(background, s)
		require.NoError(tb, err, s)
	}
}

// Query answers the one value of a SELECT.
func Query[T any](tb testing.TB, db *sql.DB, text string) (v T) {
	tb.Helper()
	require.NoError(tb, db.QueryRow(text).Scan(&v), text)
	return v
}

// Record is one with a user of its own, that does not expire soon.
func Record(key, data string) driver.Record {
	return driver.Record{Key: key, Data: []byte(data), Expires: time.UnixMilli(4e12).UTC(), Index: map[string]string{"user": "u-" + key}}
}

// Create stores a record.
func Create(tb testing.TB, s *websql.Store, rec driver.Record) driver.Version {
	tb.Helper()
	v, err := s.Create(background, rec)
	require.NoError(tb, err)
	return v
}

// MustHold fails unless the record at key has these data.
func MustHold(tb testing.TB, s *websql.Store, key, data string) driver.Version {
	tb.Helper()
	rec, v, err := s.Load(background, key)
	require.NoError(tb, err)
	require.Equal(tb, data, string(rec.Data))
	return v
}

// MustNotBeApplied fails unless err says that a mutation had no effect, and why.
func MustNotBeApplied(tb testing.TB, err error, why string) {
	tb.Helper()
	require.ErrorContains(tb, err, why)
	require.True(tb, driver.WasNotApplied(err), "%v does not say that it was not applied", err)
}

// Within fails if f takes longer: something hangs.
func Within(tb testing.TB, d time.Duration, f func()) {
	tb.Helper()
	begin := time.Now()
	f()
	if took := time.Since(begin); took > d {
		tb.Fatalf("it took %v instead of %v at most", took, d)
	}
}

// Until polls for a condition that another goroutine or process brings about.
func Until(tb testing.TB, ok func() bool) {
	tb.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			tb.Fatal("waited in vain")
		}
	}
}

// Increments adds n to a counter from each of several goroutines.
func Increments(tb testing.TB, s *websql.Store, key string, goroutines, n int) {
	tb.Helper()
	errs := make(chan error)
	for range goroutines {
		go func() { errs <- increment(s, key, n) }()
	}
	for range goroutines {
		require.NoError(tb, <-errs)
	}
	MustHold(tb, s, key, fmt.Sprint(goroutines*n))
}

func increment(s *websql.Store, key string, n int) error {
	for done := 0; done < n; {
		rec, v, err := s.Load(background, key)
		if err == nil {
			number := 0
			fmt.Sscan(string(rec.Data), &number)
			rec.Data = fmt.Append(nil, number+1)
			_, err = s.Replace(background, rec, v)
		}
		switch err {
		case nil:
			done++
		case driver.ErrConflict:
		default:
			return err
		}
	}
	return nil
}

func contains(part string) func([]byte) bool {
	return func(request []byte) bool { return bytes.Contains(request, []byte(part)) }
}
