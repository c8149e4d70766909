package cassandra_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gocql/gocql"
	"github.com/stretchr/testify/require"

	"github.com/websession/websession/cassandra"
	"github.com/websession/websession/internal/testenv"
	"github.com/websession/websession/session/driver"
)

// The benchmarks compare two contestants that run in turns, five times each, and
// report the median of the five ratios, with what each of them did in a second.
// Run them as
//
//	go test -run - -bench . -benchtime 1x ./cassandra

const (
	rounds       = 5
	turns        = 6
	turn         = 250 * time.Millisecond
	benchWorkers = 50
)

// contest reports how many times as fast as b a is. A round goes to and fro
// between them, so that what else the machine does meets both.
func contest(tb *testing.B, names [2]string, a, b func(worker int) error) {
	tb.Helper()
	var ratios []float64
	var rates [2][]float64
	for range rounds {
		var n [2]int
		var took [2]time.Duration
		for i := range 2 * turns {
			i = (i + i/2) % 2 // a b b a a b b a
			begin := time.Now()
			n[i] += during(tb, [2]func(int) error{a, b}[i])
			took[i] += time.Since(begin)
		}
		for i := range 2 {
			rates[i] = append(rates[i], float64(n[i])/took[i].Seconds())
		}
		ratios = append(ratios, float64(n[0])*took[1].Seconds()/float64(n[1])/took[0].Seconds())
	}
	median := func(list []float64) float64 { return slices.Sorted(slices.Values(list))[len(list)/2] }
	tb.ReportMetric(0, "ns/op")
	tb.ReportMetric(median(ratios), "ratio")
	tb.ReportMetric(median(rates[0]), names[0]+"/s")
	tb.ReportMetric(median(rates[1]), names[1]+"/s")
}

// during calls f from 50 goroutines until a turn is over, and answers how often.
func during(tb testing.TB, f func(worker int) error) int {
	end := time.Now().Add(turn)
	counts := make([]int, benchWorkers)
	var all sync.WaitGroup
	for w := range benchWorkers {
		all.Go(func() {
			for time.Now().Before(end) {
				if err := f(w); err != nil {
					tb.Error(err)
					return
				}
				counts[w]++
			}
		})
	}
	all.Wait()
	total := 0
	for _, c := range counts {
		total += c
	}
	return total
}

func benchRecord(worker int) driver.Record {
	return driver.Record{
		Key: fmt.Sprintf("%s-%04d", strings.Repeat("k", 38), worker), Data: make([]byte, 2<<10),
		Expires: time.Now().Add(8 * time.Hour).UTC().Truncate(time.Millisecond),
		Index:   map[string]string{"user": fmt.Sprintf("%s-%04d", strings.Repeat("d", 38), worker)},
	}
}

// bareStatements is what an application would write by hand: prepared statements
// at the same consistencies, on the same session.
type bareStatements struct {
	session      *gocql.Session
	load, update string
}

func (b bareStatements) read(key string) (version, index, data []byte, expires time.Time, err error) {
	err = b.session.Query(b.load, key).Consistency(gocql.Consistency(gocql.LocalSerial)).Scan(&version, &expires, &index, &data)
	return version, index, data, expires, err
}

func (b bareStatements) modify(key string) error {
	version, index, data, expires, err := b.read(key)
	if err != nil {
		return err
	}
	next := make([]byte, cassandra.VersionSize)
	rand.Read(next)
	var there []byte
	applied, err := b.session.Query(b.update, 8*3600, next, expires, index, data, key, version).ScanCAS(&there)
	if err == nil && !applied {
		err = errors.New("somebody else wrote")
	}
	return err
}

func contestants(b *testing.B) (driver.Store, bareStatements) {
	b.Helper()
	p := testenv.Cassandra(b)
	session := bare(b, p)
	table := p.Properties["table"].(string)
	s, err := cassandra.New(session, &cassandra.Options{Keyspace: p.Keyspace, Table: table})
	require.NoError(b, err)
	b.Cleanup(func() { s.Close() })
	for w := range benchWorkers {
		_, err := s.Create(ctx, benchRecord(w))
		require.NoError(b, err)
	}
	return s, bareStatements{
		session: session,
		load:    "SELECT version, expires, ix, data FROM " + table + " WHERE session_key = ?",
		update:  "UPDATE " + table + " USING TTL ? SET version = ?, expires = ?, ix = ?, data = ? WHERE session_key = ? IF version = ?",
	}
}

func BenchmarkReadAgainstBareStatements(b *testing.B) {
	s, q := contestants(b)
	contest(b, [2]string{"store", "bare"}, func(w int) error {
		_, _, err := s.Load(ctx, benchRecord(w).Key)
		return err
	}, func(w int) error {
		_, _, _, _, err := q.read(benchRecord(w).Key)
		return err
	})
}

func BenchmarkModifyAgainstBareStatements(b *testing.B) {
	s, q := contestants(b)
	// The versions of a store are its own: each contestant has sessions for itself.
	for w := range benchWorkers {
		rec := benchRecord(w)
		rec.Key += "-bare"
		_, err := s.Create(ctx, rec)
		require.NoError(b, err)
	}
	contest(b, [2]string{"store", "bare"}, func(w int) error {
		rec, v, err := s.Load(ctx, benchRecord(w).Key)
		if err != nil {
			return err
		}
		rec.Was = rec.Index
		_, err = s.Replace(ctx, rec, v)
		return err
	}, func(w int) error { return q.modify(benchRecord(w).Key + "-bare") })
}
