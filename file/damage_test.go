package file

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/websession/websession/session/driver"
)

// A file that was copied over that of another session is not that session.
func TestRecordOfAnotherKey(t *testing.T) {
	s, dir := fresh(t)
	create(t, s, record("mine", "1"))
	v := create(t, s, record("theirs", "2"))
	b, err := os.ReadFile(filepath.Join(dir, placeOf("mine").path))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, placeOf("theirs").path)
	if err = os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	mustBeDamaged(t, s, "theirs", v)
	if found := scan(t, s); len(found) != 1 || found["mine"] != "1" {
		t.Fatalf("scan: %v", found)
	}
	if n := purge(t, s, time.UnixMilli(5e12), 10); n != 1 {
		t.Fatalf("purged %d", n)
	}
	if _, err = os.Stat(path); err != nil {
		t.Fatal("purge removed what it does not know:", err)
	}
	if err = s.Delete(ctx, record("theirs", ""), ""); err != nil {
		t.Fatal(err)
	}
	if _, err = os.Stat(path); !os.IsNotExist(err) {
		t.Fatal("delete without a version left it:", err)
	}
}

// mustBeDamaged checks how every method meets a record that cannot be read.
func mustBeDamaged(t *testing.T, s *Store, key string, v driver.Version) {
	t.Helper()
	_, _, err := s.Load(ctx, key)
	mustBe(t, "load", err, driver.ErrCorrupt)
	_, err = s.Replace(ctx, record(key, "x"), v)
	mustNotBeApplied(t, "replace", err, driver.ErrCorrupt)
	mustNotBeApplied(t, "delete with a version", s.Delete(ctx, record(key, ""), v), driver.ErrCorrupt)
	_, err = s.Create(ctx, record(key, "x"))
	mustNotBeApplied(t, "create", err, driver.ErrExists)
}

func TestDamagedFile(t *testing.T) {
	s, dir := fresh(t)
	path := filepath.Join(dir, placeOf("k").path)
	v := create(t, s, record("k", "some data"))
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write := func(b []byte) {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		_, _, err := s.Load(ctx, "k")
		mustBe(t, "load", err, driver.ErrCorrupt)
		if n := purge(t, s, time.UnixMilli(5e12), 10); n != 0 {
			t.Fatal("purge removed a damaged file")
		}
	}
	for i := range good {
		write(good[:i])
		b := bytes.Clone(good)
		b[i] ^= 1 << (i % 8)
		write(b)
	}
	for i := range good[:fixedSize+1+sumSize] { // the header is checked by itself
		b := bytes.Clone(good)
		b[i] ^= 0x10
		write(b)
		mustBeDamaged(t, s, "k", v)
	}
	write(make([]byte, maxFile+1))
	write([]byte("foreign"))
	mustBeDamaged(t, s, "k", v)
	if len(scan(t, s)) > 0 {
		t.Fatal("scan yields a damaged record")
	}
	if err = s.Delete(ctx, record("k", ""), ""); err != nil {
		t.Fatal(err)
	}
	create(t, s, record("k", "again"))
}

// Errors reach logs: nothing in them leads to a session.
func TestErrorsHideKeys(t *testing.T) {
	s, dir := fresh(t)
	key := "secret-key-of-a-session"
	create(t, s, record(key, "x"))
	folder := filepath.Join(dir, placeOf(key).folder())
	var errs []error
	collect := func() {
		_, _, err := s.Load(ctx, key)
		errs = append(errs, err)
		_, err = s.Create(ctx, record(key, "x"))
		errs = append(errs, err)
		_, err = s.Replace(ctx, record(key, "x"), "v")
		errs = append(errs, err, s.Delete(ctx, record(key, ""), "v"), s.Delete(ctx, record(key, ""), ""))
		_, err = s.Purge(ctx, time.UnixMilli(5e12), 10)
		errs = append(errs, err)
		for _, err := range s.Scan(ctx) {
			errs = append(errs, err)
		}
	}
	path := filepath.Join(dir, placeOf(key).path)
	replaceBy := func(name string, f func() error) {
		os.RemoveAll(folder)
		if err := os.MkdirAll(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := f(); err != nil {
			t.Fatal(err)
		}
		collect()
	}
	replaceBy("a folder", func() error { return os.Mkdir(path, 0o700) })
	replaceBy("a link", func() error { return os.Symlink("/etc/passwd", path) })
	replaceBy("a foreign file", func() error { return os.WriteFile(path, []byte("x"), 0o600) })
	replaceBy("a link to a folder", func() error {
		os.Remove(folder)
		return os.Symlink(t.TempDir(), folder)
	})
	s.Close()
	collect()
	sum := placeOf(key).path
	for _, err := range errs {
		if err == nil {
			continue
		}
		text := fmt.Sprintf("%v %+v", err, err)
		for _, part := range []string{key, sum, sum[3:20], hex.EncodeToString([]byte(key))} {
			if strings.Contains(text, part) {
				t.Errorf("%v contains %s", err, part)
			}
		}
	}
	if len(errs) < 20 {
		t.Fatalf("only %d errors", len(errs))
	}
}
