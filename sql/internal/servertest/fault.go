package servertest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/websession/websession/session/driver"
	websql "github.com/websession/websession/sql"
)

// Dropper is a proxy that loses answers, testenv.DroppingProxy.
type Dropper interface {
	Drop(n int, match func(request []byte) bool)
	Dropped() int
	Cut()
}

// Once loses the answer to each kind of mutation. executed counts statements of
// one kind that the server has executed: INSERT, UPDATE or DELETE.
func (c Class) Once(t *testing.T, props map[string]any, p Dropper, executed func(kind string) int) {
	s := c.Open(t, props)
	for _, c := range []struct {
		name, kind string
		do         func(key string, v driver.Version) error
		gone       bool
	}{
		{"create", "INSERT", func(key string, _ driver.Version) error {
			_, err := s.Create(background, Record("new-"+key, "v"))
			return err
		}, false},
		{"replace", "UPDATE", func(key string, v driver.Version) error {
			_, err := s.Replace(background, Record(key, "w"), v)
			return err
		}, false},
		{"touch", "UPDATE", func(key string, v driver.Version) error {
			_, err := s.Touch(background, Record(key, ""), v)
			return err
		}, false},
		{"delete a version", "DELETE", func(key string, v driver.Version) error { return s.Delete(background, Record(key, ""), v) }, true},
		{"delete", "DELETE", func(key string, _ driver.Version) error { return s.Delete(background, Record(key, ""), "") }, true},
	} {
		for round := range 3 {
			key := fmt.Sprintf("%s-%d-secret", strings.ReplaceAll(c.name, " ", "-"), round)
			v := Create(t, s, Record(key, "v"))
			before, dropped := executed(c.kind), p.Dropped()
			p.Drop(1, contains(key))
			err := c.do(key, v)
			p.Drop(0, nil)
			switch {
			case p.Dropped() != dropped+1:
				t.Fatalf("%s: %d answers were lost", c.name, p.Dropped()-dropped)
			case !errors.Is(err, driver.ErrUnknownOutcome):
				t.Fatalf("%s: the outcome of %v is not unknown", c.name, err)
			case strings.Contains(err.Error(), key):
				t.Fatalf("%s: the key is in the error: %v", c.name, err)
			}
			if n := executed(c.kind) - before; n != 1 {
				t.Fatalf("%s: the server has executed it %d times", c.name, n)
			}
			now := key
			if c.name == "create" {
				now = "new-" + key
			}
			_, after, err := s.Load(background, now)
			if c.gone != errors.Is(err, driver.ErrNotFound) || !c.gone && (err != nil || after == v) {
				t.Fatalf("%s: it was not applied: %v", c.name, err)
			}
		}
	}

	// Connections that were closed while they were idle cost nothing.
	v := Create(t, s, Record("idle", "v"))
	for range 5 {
		p.Cut()
		Until(t, func() bool { _, _, err := s.Load(background, "idle"); return err == nil })
		p.Cut()
		time.Sleep(50 * time.Millisecond) // until the operating system knows; nothing tells when
		var err error
		if v, err = s.Replace(background, Record("idle", "v"), v); err != nil {
			t.Fatal(err)
		}
	}
}

// Server is one that belongs to the test.
type Server interface {
	Pause() error
	Continue() error
	Kill() error
	Restart(context.Context) error
}

// Mute stops the server in the middle: it takes what is sent and answers nothing.
// The properties have timeout and connect_timeout, of a second each.
func (c Class) Mute(t *testing.T, props map[string]any, server Server) {
	s := c.Open(t, props)
	v := Create(t, s, Record("k", "v"))
	check(t, server.Pause())
	defer server.Continue()
	const slack = 1500 * time.Millisecond
	for _, bound := range []time.Duration{300 * time.Millisecond, 0} {
		call := func(what string, f func(context.Context) error) error {
			ctx, cancel := background, context.CancelFunc(func() {})
			most := 2*time.Second + slack // a new connection, then a call
			if bound > 0 {
				ctx, cancel = context.WithTimeout(ctx, bound)
				most = bound + slack
			}
			defer cancel()
			var err error
			Within(t, most, func() { err = f(ctx) })
			if err == nil {
				t.Fatalf("%s: a server that is frozen has answered", what)
			}
			if strings.Contains(err.Error(), "secret") {
				t.Fatalf("%s: there is a secret in the error: %v", what, err)
			}
			return err
		}
		call("load", func(ctx context.Context) error { _, _, err := s.Load(ctx, "k"); return err })
		call("replace", func(ctx context.Context) error { _, err := s.Replace(ctx, Record("k", "w"), v); return err })
		call("ping", func(ctx context.Context) error { _, err := s.Ping(ctx); return err })
		call("scan", func(ctx context.Context) error {
			for _, err := range s.Scan(ctx) {
				return err
			}
			return nil
		})
		call("purge", func(ctx context.Context) error { _, err := s.Purge(ctx, time.Now(), 10); return err })
	}
	Within(t, 3*time.Second, func() {
		if s, err := c.Try(props, indexed); err == nil {
			s.Close()
			t.Error("a server that is frozen was opened")
		}
	})
	check(t, server.Continue())
	Until(t, func() bool { _, _, err := s.Load(background, "k"); return err == nil })
}

// Crash kills the server under writers, and starts it again: what was confirmed
// is there, and the store works again by itself.
func (c Class) Crash(t *testing.T, props map[string]any, server Server, rounds int) {
	stores := []*websql.Store{c.Open(t, props), c.Open(t, props)}
	const writers = 8
	for w := range writers {
		Create(t, stores[0], Record(fmt.Sprint("k", w), "0"))
	}
	for round := range rounds {
		ctx, stop := context.WithCancel(background)
		var confirmed, tried [writers]atomic.Int64
		var total atomic.Int64
		var wg sync.WaitGroup
		for w := range writers {
			wg.Go(func() {
				s, key := stores[w%2], fmt.Sprint("k", w)
				for ctx.Err() == nil {
					rec, v, err := s.Load(background, key)
					if err != nil {
						continue
					}
					n, _ := strconv.ParseInt(string(rec.Data), 10, 64)
					if seen := confirmed[w].Load(); n < seen {
						t.Errorf("round %d: %d was confirmed, and %d is there", round, seen, n)
						return
					}
					tried[w].Store(n + 1)
					_, err = s.Replace(background, Record(key, fmt.Sprint(n+1)), v)
					switch {
					case err == nil:
						confirmed[w].Store(n + 1)
						total.Add(1)
					case errors.Is(err, driver.ErrConflict):
						t.Errorf("round %d: nobody else writes, and there is a conflict", round)
						return
					case strings.Contains(err.Error(), key+" "):
						t.Errorf("the key is in the error: %v", err)
					}
				}
			})
		}
		target := total.Load() + 200
		Until(t, func() bool { return total.Load() >= target || t.Failed() })
		check(t, server.Kill())
		check(t, server.Restart(background))
		back := time.Now()
		target = total.Load() + 50
		Until(t, func() bool { return total.Load() >= target || t.Failed() })
		took := time.Since(back)
		stop()
		wg.Wait()
		for w := range writers {
			rec, _, err := stores[0].Load(background, fmt.Sprint("k", w))
			check(t, err)
			n, _ := strconv.ParseInt(string(rec.Data), 10, 64)
			if n < confirmed[w].Load() || n > tried[w].Load() {
				t.Fatalf("round %d: %d is there, %d was confirmed and %d tried", round, n, confirmed[w].Load(), tried[w].Load())
			}
		}
		t.Logf("round %d: %d writes confirmed, 50 of them within %v of the server's return", round, total.Load(), took)
	}
}
