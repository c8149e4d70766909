package bolt

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/websession/websession/session"
	"github.com/websession/websession/session/driver"
)

// What the suite cannot know: what is special about files of bbolt.

func openStore(t *testing.T, file string) *Store {
	t.Helper()
	s, err := connector{file}.Open(t.Context(), driver.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s.(*Store)
}

func newStore(t *testing.T) *Store {
	t.Helper()
	return openStore(t, filepath.Join(t.TempDir(), "sessions.db"))
}

func inAnHour(key string) driver.Record {
	return driver.Record{Key: key, Data: []byte("data"), Expires: time.Now().Add(time.Hour).UTC().Truncate(time.Millisecond)}
}

func TestFileOfAnotherProcessIsRefusedSoon(t *testing.T) {
	file := filepath.Join(t.TempDir(), "sessions.db")
	other, err := bbolt.Open(file, 0o600, nil) // a lock of another process conflicts as this one does
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	_, err = connector{file}.Open(t.Context(), driver.OpenOptions{})
	if err == nil || !strings.Contains(err.Error(), "another process") {
		t.Errorf("Open answered %v", err)
	}
	if took := time.Since(begin); took > lockTimeout+5*time.Second {
		t.Errorf("Open took %v", took)
	}
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	openStore(t, file)
}

func TestFileIsClosedAfterItsLastStore(t *testing.T) {
	file := filepath.Join(t.TempDir(), "sessions.db")
	a, b := openStore(t, file), openStore(t, file)
	if a.db != b.db {
		t.Fatal("two stores opened the file twice")
	}
	for _, s := range []*Store{a, a, b} {
		if err := s.Close(); err != nil {
			t.Errorf("Close answered %v", err)
		}
	}
	db, err := bbolt.Open(file, 0o600, &bbolt.Options{Timeout: lockTimeout})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}

func TestURL(t *testing.T) {
	file := filepath.Join(t.TempDir(), "sessions.db")
	m, err := session.OpenURL(t.Context(), "bolt://"+file, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
	for _, url := range []string{"bolt:", "bolt:sessions.db", "bolt://host" + file, "bolt://ann@" + file, "bolt://" + file + "?file=x"} {
		if _, err := session.OpenURL(t.Context(), url, nil); err == nil {
			t.Errorf("%s was opened", url)
		}
	}
}

func TestWaitForOtherWritersEnds(t *testing.T) {
	s := newStore(t)
	s.db.writer <- struct{}{} // somebody writes
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	_, err := s.Create(ctx, inAnHour("a"))
	if !errors.Is(err, context.DeadlineExceeded) || !driver.WasNotApplied(err) {
		t.Errorf("when the context ended, Create answered %v", err)
	}
	time.AfterFunc(10*time.Millisecond, func() { s.Close() })
	if _, err := s.Create(t.Context(), inAnHour("a")); !errors.Is(err, driver.ErrClosed) {
		t.Errorf("when the store was closed, Create answered %v", err)
	}
	<-s.db.writer
}

func TestFailedCommitIsAnUnknownOutcome(t *testing.T) {
	s := newStore(t)
	rec := inAnHour("a")
	old, err := s.Create(t.Context(), rec)
	if err != nil {
		t.Fatal(err)
	}
	s.db.MaxSize = 1 // the file cannot grow
	large := rec
	large.Data = make([]byte, 1<<20)
	_, err = s.Replace(t.Context(), large, old)
	if !errors.Is(err, driver.ErrUnknownOutcome) || driver.WasNotApplied(err) {
		t.Errorf("Replace answered %v", err)
	}
	s.db.MaxSize = 0
	if _, err := s.Replace(t.Context(), large, old); err != nil {
		t.Errorf("afterwards Replace answered %v", err)
	}
}

func TestLimits(t *testing.T) {
	s := newStore(t)
	for name, rec := range map[string]driver.Record{
		"no key":     {},
		"long key":   {Key: strings.Repeat("k", driver.MaxKey+1)},
		"large data": {Key: "k", Data: make([]byte, driver.MaxData+1)},
		"year 10000": {Key: "k", Expires: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)},
	} {
		if _, err := s.Create(t.Context(), rec); !errors.Is(err, driver.ErrNotApplied) {
			t.Errorf("%s: Create answered %v", name, err)
		}
		if _, err := s.Replace(t.Context(), rec, "version"); !errors.Is(err, driver.ErrNotApplied) {
			t.Errorf("%s: Replace answered %v", name, err)
		}
	}
}

func TestDamagedRecord(t *testing.T) {
	s := newStore(t)
	rec := inAnHour("a")
	version, err := s.Create(t.Context(), rec)
	if err != nil {
		t.Fatal(err)
	}
	for _, damaged := range []string{"{", "{}", "null"} {
		err := s.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(sessions).Put([]byte(rec.Key), []byte(damaged)) })
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := s.Load(t.Context(), rec.Key); !errors.Is(err, driver.ErrCorrupt) {
			t.Errorf("Load answered %v", err)
		}
		if _, err := s.Create(t.Context(), rec); !errors.Is(err, driver.ErrExists) {
			t.Errorf("Create answered %v", err)
		}
		if _, err := s.Replace(t.Context(), rec, version); !errors.Is(err, driver.ErrCorrupt) {
			t.Errorf("Replace answered %v", err)
		}
		if err := s.Delete(t.Context(), rec, version); !errors.Is(err, driver.ErrCorrupt) {
			t.Errorf("Delete in a version answered %v", err)
		}
		for _, err := range s.Scan(t.Context()) {
			t.Errorf("Scan yielded something: %v", err)
		}
	}
	if err := s.Delete(t.Context(), rec, ""); err != nil {
		t.Errorf("Delete answered %v", err)
	}
	// Its deadline is still there, and must not end a later session of the key.
	later := rec
	later.Expires = rec.Expires.Add(time.Hour)
	if _, err := s.Create(t.Context(), later); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Purge(t.Context(), later.Expires, 10); n != 0 || err != nil {
		t.Errorf("Purge answered %d, %v", n, err)
	}
	if n, err := s.Purge(t.Context(), later.Expires.Add(time.Nanosecond), 10); n != 1 || err != nil {
		t.Errorf("Purge answered %d, %v", n, err)
	}
	place := map[string]any{"file": s.db.path}
	if left := everything(t, place); len(left) != 0 {
		t.Errorf("%d entries are left", len(left))
	}
}
