//go:build canary

package session

import (
	"os"
	"sync"
)

// With the build tag canary every id that is made is appended to the file that
// WEBSESSION_CANARY names, so that what a test run printed can be searched for
// them. No program that serves anybody is built so.

var canary = sync.OnceValue(func() *os.File {
	name := os.Getenv("WEBSESSION_CANARY")
	if name == "" {
		return nil
	}
	f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err)
	}
	return f
})

func noteID(id ID) {
	if f := canary(); f != nil {
		if _, err := f.WriteString(id.Reveal() + "\n"); err != nil {
			panic(err)
		}
	}
}
