package file

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/websession/websession/session/driver"
)

func TestScanYieldsAll(t *testing.T) {
	t.Parallel()
	s, dir := fresh(t)
	want := map[string]string{}
	for i := range 200 {
		rec := record(fmt.Sprint("k", i), fmt.Sprint("data", i))
		rec.Index = map[string]string{"user": fmt.Sprint("d", i)}
		create(t, s, rec)
		want[rec.Key] = string(rec.Data)
	}
	seen := 0
	for rec, err := range newStore(t, dir, "").Scan(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		if want[rec.Key] != string(rec.Data) || rec.Index["user"] != "d"+rec.Key[1:] || rec.Expires != time.UnixMilli(4e12).UTC() {
			t.Fatalf("got %+v", rec)
		}
		delete(want, rec.Key)
		seen++
	}
	if len(want) > 0 || seen != 200 {
		t.Fatalf("met %d, missed %d", seen, len(want))
	}
}

// A folder with more records than a batch, of which some go and some are written
// again meanwhile: those that stay as they are are all met.
func TestScanWhileRecordsComeAndGo(t *testing.T) {
	t.Parallel()
	s, dir := fresh(t)
	folder := placeOf("k").folder()
	var keys []string
	for i := 0; len(keys) < batch+50; i++ {
		if key := fmt.Sprint("k", i); placeOf(key).folder() == folder {
			keys = append(keys, key)
			create(t, s, record(key, "x"))
		}
	}
	found := map[string]int{}
	n := 0
	for rec, err := range s.Scan(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		found[rec.Key]++
		if n+2 < len(keys) {
			if err := s.Delete(ctx, record(keys[n+1], ""), ""); err != nil {
				t.Fatal(err)
			}
			_, v, err := s.Load(ctx, keys[n+2])
			if err == nil {
				_, err = s.Replace(ctx, record(keys[n+2], "y"), v)
			}
			if err != nil {
				t.Fatal(err)
			}
			n += 3
		}
	}
	for i := 0; i < len(keys); i += 3 {
		if found[keys[i]] == 0 {
			t.Fatalf("missed %s", keys[i])
		}
	}
	if n := openFiles(t, dir); n != 1 && n != 2 {
		t.Fatalf("%d files are open", n)
	}
}

func TestScanEnds(t *testing.T) {
	s, dir := fresh(t)
	for i := range 10 {
		create(t, s, record(fmt.Sprint("k", i), "x"))
	}
	ending, cancel := context.WithCancel(ctx)
	defer cancel()
	n := 0
	for _, err := range s.Scan(ending) {
		if n++; n == 1 && err != nil || n == 2 && err == nil || n > 2 {
			t.Fatalf("step %d: %v", n, err)
		}
		cancel()
		if n == 2 {
			mustBe(t, "scan", err, context.Canceled)
		}
	}
	n = 0
	for _, err := range s.Scan(ctx) { // the loop may close the store
		if n++; n == 2 {
			mustBe(t, "scan", err, driver.ErrClosed)
		}
		soon(t, "close", func() { s.Close() })
	}
	if n != 2 {
		t.Fatalf("%d steps", n)
	}
	if n := openFiles(t, dir); n != 0 {
		t.Fatalf("%d files are open", n)
	}
}

// A file that cannot be read, for a reason that is not in the file, is no reason
// to pass over a session silently.
func TestScanReportsTrouble(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Log("root may read everything: the case of a refused folder is left out")
		return
	}
	s, dir := fresh(t)
	create(t, s, record("k", "x"))
	if err := os.Chmod(filepath.Join(dir, placeOf("k").folder()), 0); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(filepath.Join(dir, placeOf("k").folder()), 0o700)
	for _, err := range s.Scan(ctx) {
		mustBe(t, "scan", err, os.ErrPermission)
	}
}
