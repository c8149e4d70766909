package conformance

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/websession/websession/session"
	"github.com/websession/websession/session/driver"
)

// Bench measures a driver, so that stores can be compared: the five methods of
// its store on records of 2 KiB, and what applications do with sessions of
// twenty attributes, by one goroutine and by fifty. Each benchmark reports the
// median and the 99th percentile of a call.
//
//	func BenchmarkConformance(b *testing.B) { conformance.Bench(b, bolt.Driver{}, env) }
//
// Compare figures of one run on one machine only.
func Bench(b *testing.B, d driver.Driver, env Env) {
	for _, workers := range []int{1, 50} {
		for _, bm := range benchmarks {
			b.Run(fmt.Sprintf("%s/%d", bm.name, workers), func(b *testing.B) {
				bm.run(&bench{B: b, place: newPlace(b, d, env, false, 1), workers: workers})
			})
		}
	}
}

var benchmarks = []struct {
	name string
	run  func(*bench)
}{
	{"Create", benchCreate},
	{"Load", benchLoad},
	{"Replace", benchReplace},
	{"Delete", benchDelete},
	{"Session/Read", benchRead},
	{"Session/Modify", benchModify},
	{"Session/UpdateOne", benchUpdateOne},
}

// bench is one benchmark on a place of its own.
type bench struct {
	*testing.B
	place   *place
	workers int
}

const benchRecords = 1000

// measure calls op N times from all workers and reports how long calls took.
func (b *bench) measure(op func(n int) error) {
	b.Helper()
	took := make([]time.Duration, b.N)
	var next atomic.Int64
	b.ReportAllocs()
	b.ResetTimer()
	together(b.workers, func(int) {
		for {
			n := int(next.Add(1)) - 1
			if n >= b.N {
				return
			}
			began := time.Now()
			if err := op(n); err != nil {
				b.Error(err)
				return
			}
			took[n] = time.Since(began)
		}
	})
	b.StopTimer()
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Nanoseconds()), "p50-ns")
	b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds()), "p99-ns")
}

// record answers the n-th record, of 2 KiB.
func (b *bench) record(n int) driver.Record {
	return driver.Record{
		Key:     fmt.Sprintf("benchmark-record-%08d-of-the-conformance-suite", n),
		Data:    make([]byte, 2<<10),
		Expires: time.Now().Add(time.Hour).UTC().Truncate(time.Millisecond),
	}
}

// records stores n records and answers the store and their versions.
func (b *bench) records(n int) (driver.Store, []driver.Version) {
	b.Helper()
	store := b.place.open()
	versions := make([]driver.Version, n)
	for i := range versions {
		v, err := store.Create(b.Context(), b.record(i))
		if err != nil {
			b.Fatal(err)
		}
		versions[i] = v
	}
	return store, versions
}

func benchCreate(b *bench) {
	store := b.place.open()
	b.measure(func(n int) error {
		_, err := store.Create(b.Context(), b.record(n))
		return err
	})
}

func benchLoad(b *bench) {
	store, _ := b.records(benchRecords)
	key := b.record(benchRecords / 2).Key
	b.measure(func(int) error {
		_, _, err := store.Load(b.Context(), key)
		return err
	})
}

// benchReplace gives each call a record of its own, so that none conflicts.
func benchReplace(b *bench) {
	store, versions := b.records(b.N)
	b.measure(func(n int) error {
		_, err := store.Replace(b.Context(), b.record(n), versions[n])
		return err
	})
}

func benchDelete(b *bench) {
	store, versions := b.records(b.N)
	b.measure(func(n int) error { return store.Delete(b.Context(), b.record(n), versions[n]) })
}

// sessions answers a Manager and the ids of n sessions of twenty attributes.
func (b *bench) sessions(n int) (*session.Manager, []session.ID) {
	b.Helper()
	m := b.place.manager(session.Options{})
	ids := make([]session.ID, n)
	for i := range ids {
		s := m.NewSession()
		for a := range 20 {
			if err := session.NewKey[string](fmt.Sprint("attribute", a)).Set(s, "a value of some thirty characters"); err != nil {
				b.Fatal(err)
			}
		}
		if err := s.Save(b.Context()); err != nil {
			b.Fatal(err)
		}
		ids[i] = s.ID()
	}
	return m, ids
}

var (
	benchText  = session.NewKey[string]("attribute7")
	benchCount = session.NewKey[int64]("count")
)

func benchRead(b *bench) {
	m, ids := b.sessions(benchRecords)
	b.measure(func(int) error {
		s, err := m.Load(b.Context(), ids[rand.IntN(len(ids))])
		if err != nil {
			return err
		}
		defer s.Finish()
		_, err = benchText.Get(s)
		return err
	})
}

func benchModify(b *bench) {
	m, ids := b.sessions(benchRecords)
	b.measure(func(n int) error {
		s, err := m.Load(b.Context(), ids[rand.IntN(len(ids))])
		if err != nil {
			return err
		}
		defer s.Finish()
		if err := benchCount.Set(s, int64(n)); err != nil {
			return err
		}
		return s.Save(b.Context())
	})
}

// benchUpdateOne has all workers increment one counter.
func benchUpdateOne(b *bench) {
	m, ids := b.sessions(1)
	b.measure(func(int) error {
		return m.Update(b.Context(), ids[0], func(s *session.Session) error {
			return benchCount.Set(s, benchCount.GetOr(s, 0)+1)
		})
	})
}
