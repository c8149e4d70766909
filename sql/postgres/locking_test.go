package postgres_test

import (
	"testing"

	"github.com/websession/websession/internal/testenv"
)

// Without locks ten clients of one session are as fast as those of ten sessions,
// and lose nothing; with locks they queue.
func TestContention(t *testing.T) { class.Contention(t, place(t).Properties) }

// BenchmarkLocking measures that:
//
//	go test -run='^$' -bench=Locking ./sql/postgres
func BenchmarkLocking(b *testing.B) { class.BenchLocking(b, place(b).Properties) }

func TestLockedRequests(t *testing.T) {
	db := place(t)
	p := testenv.DropProxy(t, db.Addr)
	class.LockedRequests(t, db.Properties, db.At(p.Addr()), p)
}
