package servertest

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/websession/websession/session/driver"
	websql "github.com/websession/websession/sql"
)

// Together opens an empty place from several servers at the same moment.
func (c Class) Together(t *testing.T, place func(testing.TB) Place, rounds int) {
	for range rounds {
		p := place(t)
		db := c.Bare(t, p.DSN)
		var wg sync.WaitGroup
		for i := range 6 {
			wg.Go(func() {
				s, err := c.Try(p.Properties, indexed)
				if err != nil {
					t.Error(err)
					return
				}
				defer s.Close()
				if _, err := s.Create(background, Record(fmt.Sprint("k", i), "v")); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if n := Query[int](t, db, "SELECT count(*) FROM websession_sessions"); n != 6 {
			t.Fatalf("%d sessions instead of 6", n)
		}
		if n := Query[int](t, db, "SELECT count(*) FROM websession_meta"); n != 1 {
			t.Fatalf("%d rows about the table", n)
		}
	}
}

// Purgers lets several of them purge at the same time, while sessions are used.
func (c Class) Purgers(t *testing.T, props map[string]any) {
	const expired, alive, touched = 3000, 300, 200
	stores := []*websql.Store{c.Open(t, props), c.Open(t, props)}
	before := time.UnixMilli(2e12)
	versions := make([]driver.Version, touched)
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := w; i < expired+alive+touched; i += 4 {
				rec := Record(fmt.Sprintf("k%05d", i), "v")
				if i < expired+touched {
					rec.Expires = before.Add(-time.Duration(1+i%7) * time.Second)
				}
				v, err := stores[0].Create(background, rec)
				if err != nil {
					t.Error(err)
				}
				if i < touched {
					versions[i] = v
				}
			}
		})
	}
	wg.Wait()
	var kept, gone, purged atomic.Int64
	for w := range 4 {
		wg.Go(func() {
			for {
				n, err := stores[w%2].Purge(background, before, 500)
				purged.Add(int64(n))
				if err != nil {
					t.Error(err)
				}
				if err != nil || n < 500 {
					return
				}
			}
		})
	}
	wg.Go(func() {
		for i, v := range versions {
			switch _, err := stores[1].Touch(background, Record(fmt.Sprintf("k%05d", i), ""), v); err {
			case nil:
				kept.Add(1)
			case driver.ErrConflict:
				gone.Add(1)
			default:
				t.Error(err)
			}
		}
	})
	wg.Wait()
	n, err := stores[0].Purge(background, before, 10000) // what the others had skipped
	check(t, err)
	purged.Add(int64(n))
	if kept.Load()+gone.Load() != touched || purged.Load() != expired+gone.Load() {
		t.Fatalf("%d of %d touched sessions stay and %d were gone; %d were purged", kept.Load(), touched, gone.Load(), purged.Load())
	}
	left := 0
	for _, err := range stores[0].Scan(background) {
		check(t, err)
		left++
	}
	if left != alive+int(kept.Load()) {
		t.Fatalf("%d sessions are left instead of %d", left, alive+int(kept.Load()))
	}
	t.Logf("%d purged, %d touched in time", purged.Load(), kept.Load())
}
