package sqlite_test

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/session/driver"
	websql "github.com/websession/websession/sql"
	"github.com/websession/websession/sql/sqlite"
)

// The benchmarks compare two contestants that run in turns, five times each, and
// report the median of the five ratios, with what each of them did in a second.
// Run them as
//
//	go test -run - -bench . -benchtime 1x ./sql/sqlite/

const (
	rounds = 5
	slices = 10
	slice  = 100 * time.Millisecond
)

// contest reports how many times as fast as b a is. Each runs for a time that it
// is given and answers how many operations it did. A round goes to and fro
// between them, so that what else the machine does meets both.
func contest(tb *testing.B, names [2]string, a, b func(time.Duration) int) {
	tb.Helper()
	var ratios []float64
	var rates [2][]float64
	for range rounds {
		var n [2]int
		var took [2]time.Duration
		for i := range 2 * slices {
			i = (i + i/2) % 2 // a b b a a b b a
			begin := time.Now()
			n[i] += [2]func(time.Duration) int{a, b}[i](slice)
			took[i] += time.Since(begin)
		}
		for i := range 2 {
			rates[i] = append(rates[i], float64(n[i])/took[i].Seconds())
		}
		ratios = append(ratios, float64(n[0])*took[1].Seconds()/float64(n[1])/took[0].Seconds())
	}
	median := func(list []float64) float64 {
		sort.Float64s(list)
		return list[len(list)/2]
	}
	tb.ReportMetric(0, "ns/op")
	tb.ReportMetric(median(ratios), "ratio")
	tb.ReportMetric(median(rates[0]), names[0]+"/s")
	tb.ReportMetric(median(rates[1]), names[1]+"/s")
}

// during calls f from n goroutines until the time is over, and answers how often.
func during(tb testing.TB, d time.Duration, n int, f func(worker, i int) error) int {
	end := time.Now().Add(d)
	counts := make([]int, n)
	var wg sync.WaitGroup
	for w := range n {
		wg.Go(func() {
			for time.Now().Before(end) {
				if err := f(w, counts[w]); err != nil {
					tb.Error(err)
					return
				}
				counts[w]++
			}
		})
	}
	wg.Wait()
	total := 0
	for _, c := range counts {
		total += c
	}
	return total
}

func benchRecord(worker int) driver.Record {
	return driver.Record{
		Key:     fmt.Sprintf("%s-%04d", strings.Repeat("k", 38), worker),
		Data:    make([]byte, 2<<10),
		Expires: time.UnixMilli(1900000000000).UTC(),
		Index:   map[string]string{"user": fmt.Sprintf("%s-%04d", strings.Repeat("d", 38), worker)},
	}
}

const benchWorkers = 50

func benchStore(b *testing.B, o sqlite.Options) (*websql.Store, string) {
	b.Helper()
	path := filepath.Join(b.TempDir(), "sessions.db")
	o.Indexed = []string{"user"}
	s, err := sqlite.New(path, &o)
	require.NoError(b, err)
	b.Cleanup(func() { s.Close() })
	for w := range 1000 {
		_, err := s.Create(b.Context(), benchRecord(w))
		require.NoError(b, err)
	}
	return s, path
}

// modify loads and replaces a session, as a request does that changes it.
func modify(ctx context.Context, s *websql.Store, w int) error {
	rec, v, err := s.Load(ctx, benchRecordKeys[w])
	if err == nil {
		rec.Was = rec.Index
		rec.Data[0]++
		_, err = s.Replace(ctx, rec, v)
	}
	return err
}

var benchRecordKeys = func() (keys [benchWorkers]string) {
	for w := range keys {
		keys[w] = benchRecord(w).Key
	}
	return keys
}()

// Group commit against one transaction for each write, synchronous FULL.
func BenchmarkGroupCommit(b *testing.B) {
	for _, n := range []int{1, benchWorkers} {
		b.Run(fmt.Sprintf("goroutines=%d", n), func(b *testing.B) {
			group, _ := benchStore(b, sqlite.Options{})
			single, _ := benchStore(b, sqlite.Options{NoGroupCommit: true})
			run := func(s *websql.Store) func(time.Duration) int {
				return func(d time.Duration) int {
					return during(b, d, n, func(w, _ int) error { return modify(b.Context(), s, w) })
				}
			}
			contest(b, [2]string{"group", "single"}, run(group), run(single))
		})
	}
}

// Group commit against the same statement, prepared, on a pool of one connection
// that commits each by itself: what the way through the writer costs.
func BenchmarkBareUpdate(b *testing.B) {
	for _, n := range []int{1, benchWorkers} {
		b.Run(fmt.Sprintf("goroutines=%d", n), func(b *testing.B) {
			group, _ := benchStore(b, sqlite.Options{})
			other, path := benchStore(b, sqlite.Options{})
			db, err := sql.Open("sqlite", "file:"+path+"?mode=rw&_pragma=busy_timeout(5000)&_pragma=synchronous(full)")
			require.NoError(b, err)
			b.Cleanup(func() { db.Close() })
			db.SetMaxOpenConns(1)
			stmt, err := db.Prepare(`UPDATE websession_sessions SET version = ?, data = ?, expires = ?, ix_user = ? WHERE session_key = ? AND version = ?`)
			require.NoError(b, err)
			bare := func(w, i int) error {
				rec, old, err := other.Load(b.Context(), benchRecordKeys[w])
				if err != nil {
					return err
				}
				version := fmt.Appendf(nil, "%08d%08d", w, i)
				version[0] = old[0] + 1
				_, err = stmt.ExecContext(b.Context(), version, rec.Data, rec.Expires.UnixMilli(), rec.Index["user"], rec.Key, []byte(old))
				return err
			}
			contest(b, [2]string{"group", "bare"},
				func(d time.Duration) int {
					return during(b, d, n, func(w, _ int) error { return modify(b.Context(), group, w) })
				},
				func(d time.Duration) int { return during(b, d, n, bare) })
		})
	}
}

// Load against the prepared SELECT of the same columns on the same pool: 4
// connections that only read.
func BenchmarkLoad(b *testing.B) {
	for _, n := range []int{1, 4} {
		b.Run(fmt.Sprintf("goroutines=%d", n), func(b *testing.B) {
			s, path := benchStore(b, sqlite.Options{})
			db, err := sql.Open("sqlite", "file:"+path+"?mode=rw&_pragma=busy_timeout(5000)&_pragma=query_only(1)")
			require.NoError(b, err)
			b.Cleanup(func() { db.Close() })
			db.SetMaxOpenConns(4)
			db.SetMaxIdleConns(4)
			stmt, err := db.Prepare(`SELECT version, data, expires, ix_user FROM websession_sessions WHERE session_key = ?`)
			require.NoError(b, err)
			ctx := context.Background()
			contest(b, [2]string{"load", "select"},
				func(d time.Duration) int {
					return during(b, d, n, func(w, i int) error {
						_, _, err := s.Load(ctx, benchRecordKeys[(w+i)%benchWorkers])
						return err
					})
				},
				func(d time.Duration) int {
					return during(b, d, n, func(w, i int) error {
						var version, data []byte
						var expires sql.NullInt64
						var user sql.NullString
						return stmt.QueryRowContext(ctx, benchRecordKeys[(w+i)%benchWorkers]).Scan(&version, &data, &expires, &user)
					})
				})
		})
	}
}
