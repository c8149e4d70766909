package sqlite_test

import (
	"bufio"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/session/driver"
	"github.com/websession/websession/sql/sqlite"
)

var children = map[string]func(args []string) error{
	"increment": childIncrement,
	"logout":    childLogout,
	"create":    childCreate,
}

// childIncrement increments a counter from 4 goroutines: path, times each.
func childIncrement(args []string) error {
	s, err := sqlite.New(args[0], nil)
	if err != nil {
		return err
	}
	each, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	errs := make(chan error)
	for range 4 {
		go func() { errs <- increment(s, "k", each) }()
	}
	for range 4 {
		err = errors.Join(err, <-errs)
	}
	return errors.Join(err, s.Close())
}

// childLogout deletes the records k0, k1 ... in turn, each as soon as it is
// there: path, number.
func childLogout(args []string) error {
	s, err := sqlite.New(args[0], nil)
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	for i := range n {
		key := fmt.Sprint("k", i)
		for {
			if _, _, err := s.Load(ctx, key); err == nil {
				break
			} else if !errors.Is(err, driver.ErrNotFound) {
				return err
			}
		}
		if err := s.Delete(ctx, driver.Record{Key: key}, ""); err != nil {
			return err
		}
	}
	return s.Close()
}

// childCreate creates records until it is killed, and prints each key when the
// store has answered: path.
func childCreate(args []string) error {
	s, err := sqlite.New(args[0], nil)
	if err != nil {
		return err
	}
	for w := range 8 {
		go func() {
			for i := 0; ; i++ {
				key := fmt.Sprintf("k%d-%d", w, i)
				if _, err := s.Create(ctx, driver.Record{Key: key, Data: []byte(key)}); err != nil {
					panic(err)
				}
				fmt.Println(key)
			}
		}()
	}
	select {}
}

func runAll(tb testing.TB, commands ...*exec.Cmd) {
	tb.Helper()
	var wg sync.WaitGroup
	for _, cmd := range commands {
		wg.Go(func() {
			if out, err := cmd.CombinedOutput(); err != nil {
				tb.Errorf("child: %v: %s", err, strings.TrimSpace(string(out)))
			}
		})
	}
	wg.Wait()
}

// Processes that write to one database at the same time lose nothing.
func TestProcessesIncrement(t *testing.T) {
	path := fresh(t)
	s := newStore(t, path, nil)
	create(t, s, driver.Record{Key: "k", Data: make([]byte, 4)})
	each := 100
	if testing.Short() {
		each = 10
	}
	args := []string{path, strconv.Itoa(each)}
	runAll(t, child("increment", args...), child("increment", args...), child("increment", args...))
	require.Equal(t, 3*4*each, counter(t, s, "k"))
}

// A record that one process deletes stays deleted, whatever another one saves.
func TestProcessesLogout(t *testing.T) {
	path := fresh(t)
	s := newStore(t, path, nil)
	n := 300
	if testing.Short() {
		n = 30
	}
	cmd := child("logout", path, strconv.Itoa(n))
	done := make(chan struct{})
	go func() {
		defer close(done)
		runAll(t, cmd)
	}()
	for i := range n {
		rec := record(fmt.Sprint("k", i), "v")
		v := create(t, s, rec)
		for ended := false; ; {
			select {
			case <-done:
				ended = true
			default:
			}
			next, err := s.Replace(ctx, rec, v)
			if errors.Is(err, driver.ErrConflict) {
				break
			}
			require.NoError(t, err)
			require.False(t, ended, "the other process ended without a delete of %s", rec.Key)
			v = next
		}
	}
	<-done
	for rec, err := range s.Scan(ctx) {
		require.NoError(t, err)
		t.Errorf("it is back: %s", rec.Key)
	}
}

// What was answered is there after the process was killed.
func TestKilledProcess(t *testing.T) {
	path := fresh(t)
	cmd := child("create", path)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	var keys []string
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if keys = append(keys, lines.Text()); len(keys) == 300 {
			require.NoError(t, cmd.Process.Kill())
		}
	}
	require.Error(t, cmd.Wait())
	require.GreaterOrEqual(t, len(keys), 300)
	s := newStore(t, path, &sqlite.Options{})
	for _, key := range keys {
		mustHold(t, s, key, key)
	}
}
