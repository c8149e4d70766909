package servertest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/websession/websession/session/driver"
	websql "github.com/websession/websession/sql"
)

// Locks tests the locks of a class. locking is the value of the property that
// switches them on. direct leads to the server itself, proxied through p.
func Locks(t *testing.T, open Open, locking string, direct, proxied map[string]any, p Dropper) {
	with := func(props map[string]any, changes ...any) map[string]any {
		return With(props, append(changes, "locking", locking)...)
	}
	free := func(t *testing.T, s *websql.Store, key string) {
		t.Helper()
		unlock, err := s.Lock(background, key)
		check(t, err)
		check(t, unlock())
	}

	t.Run("none", func(t *testing.T) {
		s := open.must(t, direct)
		if _, err := s.Lock(background, "k"); !errors.Is(err, errors.ErrUnsupported) {
			t.Fatal(err)
		}
	})

	t.Run("one at a time", func(t *testing.T) {
		stores := []*websql.Store{open.must(t, with(direct)), open.must(t, with(direct))}
		n, inside := 0, 0 // not safe for concurrent use by themselves
		var mu sync.Mutex
		var wg sync.WaitGroup
		for w := range 8 {
			wg.Go(func() {
				for range 20 {
					unlock, err := stores[w%2].Lock(background, "k")
					if err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					if inside++; inside != 1 {
						t.Error("two hold the lock")
					}
					mu.Unlock()
					n++
					mu.Lock()
					inside--
					mu.Unlock()
					if err := unlock(); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		if n != 160 {
			t.Fatal(n)
		}
	})

	t.Run("names", func(t *testing.T) {
		a := open.must(t, with(direct))
		b := open.must(t, with(direct, "table", "other"))
		for _, s := range []struct {
			store *websql.Store
			key   string
		}{{a, "k"}, {a, "K"}, {a, "k2"}, {a, strings.Repeat("k", driver.MaxKey)}, {a, strings.Repeat("k", driver.MaxKey-1)}, {b, "k"}} {
			unlock, err := s.store.Lock(background, s.key)
			check(t, err)
			defer unlock()
		}
	})

	t.Run("bounded wait", func(t *testing.T) {
		a, b := open.must(t, with(direct)), open.must(t, with(direct, "lock_timeout", "0.5"))
		Until(t, func() bool { // so that no time goes into a connection
			unlock, err := b.Lock(background, "warm")
			return err == nil && unlock() == nil
		})
		unlock, err := a.Lock(background, "secret-key")
		check(t, err)
		Within(t, 2*time.Second, func() {
			_, err := b.Lock(background, "secret-key")
			if err == nil || !strings.Contains(err.Error(), "holds the lock of the session for longer than 500ms") || strings.Contains(err.Error(), "secret-key") {
				t.Fatal(err)
			}
		})
		ctx, cancel := context.WithTimeout(background, 200*time.Millisecond)
		defer cancel()
		Within(t, 2*time.Second, func() {
			if _, err := b.Lock(ctx, "secret-key"); !errors.Is(err, context.DeadlineExceeded) {
				t.Fatal(err)
			}
		})
		check(t, unlock())
		check(t, unlock()) // again is no error
		free(t, a, "secret-key")
	})

	t.Run("holders starve nobody", func(t *testing.T) {
		s := open.must(t, with(direct, "pool_size", 2, "lock_pool_size", 4, "lock_timeout", "2"))
		var unlocks []func() error
		for i := range 4 {
			unlock, err := s.Lock(background, fmt.Sprint("held", i))
			check(t, err)
			unlocks = append(unlocks, unlock)
		}
		v := Create(t, s, Record("k", "v"))
		for range 20 {
			var err error
			v, err = s.Replace(background, Record("k", "w"), v)
			check(t, err)
		}
		Within(t, 8*time.Second, func() {
			if _, err := s.Lock(background, "fifth"); err == nil || !strings.Contains(err.Error(), "all 4 connections that may hold locks were in use") {
				t.Fatal(err)
			}
		})
		check(t, unlocks[0]())
		// Many wait for one lock: they take no connections from the others.
		ctx, cancel := context.WithCancel(background)
		var wg sync.WaitGroup
		for range 16 {
			wg.Go(func() {
				if unlock, err := s.Lock(ctx, "held1"); err == nil {
					unlock()
					t.Error("a lock that is held was taken")
				}
			})
		}
		check(t, unlocks[2]())
		for range 5 {
			free(t, s, "another")
		}
		cancel()
		wg.Wait()
		check(t, unlocks[1]())
		check(t, unlocks[3]())
		free(t, s, "held1")
	})

	t.Run("close", func(t *testing.T) {
		a, b := open.must(t, with(direct)), open.must(t, with(direct))
		unlock, err := a.Lock(background, "k")
		check(t, err)
		failed := make(chan error, 1)
		go func() { _, err := b.Lock(background, "k"); failed <- err }()
		check(t, b.Close())
		if err := <-failed; !errors.Is(err, driver.ErrClosed) {
			t.Fatal(err)
		}
		check(t, a.Close()) // does not wait for the holder, who still has the lock
		c := open.must(t, with(direct, "lock_timeout", "0.3"))
		if _, err := c.Lock(background, "k"); err == nil {
			t.Fatal("a lock that is held was taken")
		}
		check(t, unlock())
		free(t, c, "k")
	})

	t.Run("lost", func(t *testing.T) {
		a, b := open.must(t, with(proxied)), open.must(t, with(direct))
		unlock, err := a.Lock(background, "k")
		check(t, err)
		p.Cut()
		free(t, b, "k") // the server has noticed
		if err := unlock(); err == nil || !strings.Contains(err.Error(), "lost") {
			t.Fatal("the holder is not told:", err)
		}
		free(t, a, "k")
	})
}
