package servertest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/websession/websession/session/driver"
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
