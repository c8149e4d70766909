package mysql_test

import "testing"

// Without locks ten clients of one session are as fast as those of ten sessions,
// and lose nothing; with locks they queue.
func TestContention(t *testing.T) { class.Contention(t, place(t).Properties) }

// BenchmarkLocking measures that:
//
//	go test -run='^$' -bench=Locking ./sql/mysql
func BenchmarkLocking(b *testing.B) { class.BenchLocking(b, place(b).Properties) }
