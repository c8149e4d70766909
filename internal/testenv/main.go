package testenv

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
)

var exit struct {
	sync.Mutex
	todo []func() error
}

func onExit(do func() error) {
	exit.Lock()
	defer exit.Unlock()
	exit.todo = append(exit.todo, do)
}

// Main is a TestMain: it runs the tests, stops the servers that they share, and
// ends the program.
func Main(m *testing.M) {
	code := m.Run()
	if err := Stop(); err != nil {
		fmt.Fprintln(os.Stderr, "testenv: stop the servers:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// Stop stops the servers that tests share, for a TestMain that does more than
// [Main]. No test may ask for a server afterwards.
func Stop() error {
	exit.Lock()
	defer exit.Unlock()
	errs := make([]error, len(exit.todo))
	var all sync.WaitGroup
	for i, do := range exit.todo {
		all.Go(func() { errs[i] = do() })
	}
	all.Wait()
	exit.todo = nil
	return errors.Join(errs...)
}
