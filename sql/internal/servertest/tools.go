package servertest

import (
	"bytes"
	"context"
	"database/sql"
	"testing"
	"time"

	"github.com/websession/websession/session/driver"
	websql "github.com/websession/websession/sql"
)

// Open opens a store as the framework does.
type Open func(props map[string]any, o driver.OpenOptions) (*websql.Store, error)

var background = context.Background()

// indexed is the option that all stores here are opened with.
var indexed = driver.OpenOptions{Indexed: []string{"user"}}

func (open Open) must(tb testing.TB, props map[string]any) *websql.Store {
	tb.Helper()
	s, err := open(props, indexed)
	check(tb, err)
	tb.Cleanup(func() { check(tb, s.Close()) })
	return s
}

func check(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

func record(key, data string) driver.Record {
	return driver.Record{Key: key, Data: []byte(data), Expires: time.UnixMilli(4e12).UTC(), Index: map[string]string{"user": "u-" + key}}
}

func create(tb testing.TB, s *websql.Store, rec driver.Record) driver.Version {
	tb.Helper()
	v, err := s.Create(background, rec)
	check(tb, err)
	return v
}

func number(tb testing.TB, db *sql.DB, text string) (n int) {
	tb.Helper()
	check(tb, db.QueryRow(text).Scan(&n))
	return n
}

// within fails if f takes longer: something hangs.
func within(tb testing.TB, d time.Duration, f func()) {
	tb.Helper()
	begin := time.Now()
	f()
	if took := time.Since(begin); took > d {
		tb.Fatalf("it took %v instead of %v at most", took, d)
	}
}

// until polls for a condition that another goroutine or process brings about.
func until(tb testing.TB, ok func() bool) {
	tb.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			tb.Fatal("waited in vain")
		}
	}
}

func contains(part string) func([]byte) bool {
	return func(request []byte) bool { return bytes.Contains(request, []byte(part)) }
}
