//go:build linux

package file

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/websession/websession/session/driver"
)

// The benchmarks compare the store with the bare calls that it is made of:
//
//	go test -run - -bench . ./file/
//
// Sub-benchmarks follow each other, and a busy machine favours one of them. The
// sub-benchmark "ratio" takes turns instead, and reports the speed of the store
// in terms of each other way: medians, 1 is as fast.
func compare(b *testing.B, ways []way) {
	for _, w := range ways {
		b.Run(w.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := w.do(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("ratio", func(b *testing.B) {
		times := make([][]time.Duration, len(ways))
		for turn := 0; b.Loop(); turn++ {
			for i := range ways {
				i = (i + turn) % len(ways) // each comes after each other as often
				start := time.Now()
				if err := ways[i].do(); err != nil {
					b.Fatal(err)
				}
				times[i] = append(times[i], time.Since(start))
			}
		}
		median := func(i int) float64 {
			slices.Sort(times[i])
			return float64(times[i][len(times[i])/2])
		}
		for i, w := range ways[1:] {
			b.ReportMetric(median(i+1)/median(0), "of-"+w.name)
		}
		b.ReportMetric(0, "ns/op") // of all ways together: it says nothing
	})
}

type way struct {
	name string
	do   func() error
}

func benchRecord(key string, size int) driver.Record {
	return driver.Record{
		Key:     key,
		Data:    make([]byte, size),
		Expires: time.UnixMilli(1900000000000).UTC(),
		Index:   map[string]string{"user": strings.Repeat("d", 43)},
	}
}

func BenchmarkLoad(b *testing.B) {
	for _, size := range []int{2 << 10, 64 << 10} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			s := newStore(b, b.TempDir(), DurabilityNone)
			rec := benchRecord(strings.Repeat("k", 43), size)
			create(b, s, rec)
			path := placeOf(rec.Key).path
			full := filepath.Join(s.directory, path)
			compare(b, []way{
				{"store", func() error { _, _, err := s.Load(ctx, rec.Key); return err }},
				{"osReadFile", func() error { _, err := os.ReadFile(full); return err }},
				{"rootReadFile", func() error { _, err := s.root.ReadFile(path); return err }},
			})
		})
	}
}

func BenchmarkReplace(b *testing.B) {
	for _, d := range []Durability{DurabilityNone, DurabilityFile, DurabilityFull} {
		b.Run(string(d), func(b *testing.B) {
			s := newStore(b, b.TempDir(), d)
			rec, other := benchRecord(strings.Repeat("k", 43), 2<<10), benchRecord(strings.Repeat("b", 43), 2<<10)
			version := create(b, s, rec)
			create(b, s, other)
			encoded := mustEncode(b, other)
			path := placeOf(other.Key).path
			n := 0
			compare(b, []way{
				{"store", func() (err error) { version, err = s.Replace(ctx, rec, version); return err }},
				{"bare", func() error { n++; bareReplace(b, int(s.dir.Fd()), path, encoded, d, n); return nil }},
			})
		})
	}
}

// bareReplace is what Replace asks of the system, without Replace: it makes and
// locks a temporary file, writes and syncs it, takes the lock of the folder,
// reads the header of the old record, and renames.
func bareReplace(b *testing.B, root int, path string, data []byte, d Durability, i int) {
	must := func(err error) {
		if err != nil {
			b.Fatal(err)
		}
	}
	open := func(dir int, name string, flag int) int {
		fd, err := syscall.Openat(dir, name, flag|syscall.O_CLOEXEC|syscall.O_NOFOLLOW, 0o600)
		must(err)
		return fd
	}
	in := func(folder, name string, flag int) int {
		dir := open(root, folder, syscall.O_DIRECTORY)
		defer syscall.Close(dir)
		return open(dir, name, flag)
	}
	var st syscall.Stat_t
	var head [maxHeader]byte
	name := fmt.Sprintf("bare%d", i)
	temp := in(tempFolder, name, syscall.O_RDWR|syscall.O_CREAT|syscall.O_EXCL)
	must(syscall.Flock(temp, syscall.LOCK_EX|syscall.LOCK_NB))
	must(syscall.Fstat(temp, &st))
	_, err := syscall.Write(temp, data)
	must(err)
	if d != DurabilityNone {
		must(syscall.Fsync(temp))
	}
	lock := in(lockFolder, path[:2], syscall.O_RDWR)
	must(syscall.Flock(lock, syscall.LOCK_EX|syscall.LOCK_NB))
	must(syscall.Fstat(lock, &st))
	old := in(path[:2], path[3:], syscall.O_RDONLY)
	must(syscall.Fstat(old, &st))
	_, err = syscall.Read(old, head[:])
	must(err)
	must(syscall.Close(old))
	from, to := open(root, tempFolder, syscall.O_DIRECTORY), open(root, path[:2], syscall.O_DIRECTORY)
	must(syscall.Renameat(from, name, to, path[3:]))
	must(syscall.Close(lock))
	must(syscall.Close(temp))
	if d == DurabilityFull {
		must(syscall.Fsync(to))
	}
	must(syscall.Close(from))
	must(syscall.Close(to))
}
