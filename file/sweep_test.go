package file

import (
	"fmt"
	"path/filepath"
	"sync"
	"testing"
)

func init() {
	children["leave"] = func(args []string) error {
		s, err := New(args[0], nil)
		if err != nil {
			return err
		}
		if _, err = s.newTemp(); err != nil {
			return err
		}
		fmt.Println("ready")
		select {} // until it is killed
	}
}

func TestPurgeSweepsLeftovers(t *testing.T) {
	s, dir := fresh(t)
	other := newStore(t, dir, DurabilityNone)
	live, err := other.newTemp()
	if err != nil {
		t.Fatal(err)
	}
	dead, err := other.newTemp()
	if err != nil {
		t.Fatal(err)
	}
	dead.File.Close() // as a crash does
	purge(t, s, now, 10)
	if got := names(t, filepath.Join(dir, tempFolder)); len(got) != 1 || tempFolder+"/"+got[0] != live.path {
		t.Fatalf("left %v", got)
	}
	live.close()
	purge(t, s, now, 10)
	if got := names(t, filepath.Join(dir, tempFolder)); len(got) != 0 {
		t.Fatalf("left %v", got)
	}
}

// A process that is killed in the middle of a write: its file stays as long as
// it lives, and no longer.
func TestPurgeSweepsKilledProcess(t *testing.T) {
	s, dir := fresh(t)
	p := child("leave", dir)
	out, err := p.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err = p.Start(); err != nil {
		t.Fatal(err)
	}
	defer p.Process.Kill()
	if _, err = out.Read(make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	purge(t, s, now, 10)
	if got := names(t, filepath.Join(dir, tempFolder)); len(got) != 1 {
		t.Fatalf("it lives, left %v", got)
	}
	if err = p.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	p.Wait()
	purge(t, s, now, 10)
	if got := names(t, filepath.Join(dir, tempFolder)); len(got) != 0 {
		t.Fatalf("it is dead, left %v", got)
	}
}

// Writers and purgers meet in .tmp, and no write is lost to a purge.
func TestSweepAmongWriters(t *testing.T) {
	s, dir := fresh(t)
	other := newStore(t, dir, DurabilityNone)
	done := make(chan struct{})
	var purger sync.WaitGroup
	purger.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
				other.sweep()
			}
		}
	})
	v := create(t, s, record("k", "0"))
	for i := range 200 {
		var err error
		if v, err = s.Replace(ctx, record("k", fmt.Sprint(i)), v); err != nil {
			t.Error(err)
			break
		}
	}
	close(done)
	purger.Wait()
}
