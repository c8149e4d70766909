package ledger

import (
	"bufio"
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/websession/websession/session/driver"
)

// workers is how many goroutines change records in a process that is killed.
const workers = 4

// Run changes records from several goroutines until the process is killed, and
// prints what it does and what it was answered. args are those of Kill.
func Run(s driver.Store, args []string) error {
	if len(args) != 2 {
		return errors.New("a process that works needs a seed and the number of its first write")
	}
	seed, err := strconv.ParseUint(args[0], 10, 64)
	if err != nil {
		return err
	}
	first, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	l, errs := New(first, os.Stdout), make(chan error)
	for w := range workers {
		go func() { errs <- l.Work(s, Worker(w), rand.New(rand.NewPCG(seed, uint64(w))), 1e9) }()
	}
	return <-errs
}

// Kill starts a process that calls Run with args, and kills it when it has
// printed so many lines, or, once in eight times, within so long after its start,
// while it opens the store. The ledger notes what it printed. Kill answers how
// many lines that were.
func (l *Ledger) Kill(tb testing.TB, rng *rand.Rand, opening time.Duration, process func(args ...string) *exec.Cmd) (lines int) {
	tb.Helper()
	p := process(strconv.FormatUint(rng.Uint64(), 10), strconv.Itoa(l.Next()))
	p.Stderr = os.Stderr
	out, err := p.StdoutPipe()
	if err == nil {
		err = p.Start()
	}
	if err != nil {
		tb.Fatal(err)
	}
	kill := func() { p.Process.Kill() }
	limit, delay := 1+rng.IntN(120), time.Duration(rng.IntN(1000))*time.Microsecond
	if rng.IntN(8) == 0 {
		limit = 1e9
		time.AfterFunc(time.Duration(rng.Int64N(int64(opening))), kill)
	}
	for r := bufio.NewReader(out); ; {
		line, err := r.ReadString('\n')
		if err != nil { // also the line that was cut
			break
		}
		if err = l.Replay(line); err != nil {
			tb.Fatal(err)
		}
		if lines++; lines == limit {
			time.AfterFunc(delay, kill)
		}
	}
	if p.Wait() == nil || p.ProcessState.Exited() {
		tb.Fatal("the process ended by itself: ", p.ProcessState)
	}
	return lines
}

// Usable reports whether a store can still be written to. It leaves nothing
// behind.
func Usable(s driver.Store) error {
	const key = "afterwards"
	if err := New(1, nil).Work(s, []string{key}, rand.New(rand.NewPCG(1, 1)), 5); err != nil {
		return err
	}
	return s.Delete(context.Background(), driver.Record{Key: key}, "")
}
