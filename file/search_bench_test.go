//go:build linux

package file

import (
	"fmt"
	"sync"
	"testing"

	"github.com/websession/websession/session/driver"
)

// BenchmarkSearch finds the 3 sessions of a user among 10,000: with Search, and
// as the framework does it for a store without, by filtering Scan.
func BenchmarkSearch(b *testing.B) {
	const sessions, size, own = 10_000, 4 << 10, 3
	s := newStore(b, quickDir(b), DurabilityNone)
	var makers sync.WaitGroup
	for m := range 4 {
		makers.Go(func() {
			for i := m; i < sessions; i += 4 {
				rec := benchRecord(fmt.Sprintf("%043d", i), size)
				rec.Index["user"] = fmt.Sprintf("%043d", max(i, own-1))
				if _, err := s.Create(ctx, rec); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	makers.Wait()
	digest := fmt.Sprintf("%043d", own-1)
	compare(b, []way{
		{"store", func() error { return expect(s.Search(ctx, "user", digest), own) }},
		{"filteredScan", func() error {
			return expect(func(yield func(driver.Record, error) bool) {
				for rec, err := range s.Scan(ctx) {
					if (err != nil || rec.Index["user"] == digest) && !yield(rec, err) {
						return
					}
				}
			}, own)
		}},
	})
}

func expect(found func(func(driver.Record, error) bool), want int) error {
	n := 0
	for _, err := range found {
		if err != nil {
			return err
		}
		n++
	}
	if n != want {
		return fmt.Errorf("found %d, want %d", n, want)
	}
	return nil
}
