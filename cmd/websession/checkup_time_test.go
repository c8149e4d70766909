package main

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/websession/websession/session"
	"github.com/websession/websession/session/driver"
)

// A store that does not answer is given up, and what was stored is removed.
func TestCheckupEnds(t *testing.T) {
	for name, c := range map[string]struct {
		load    func(ctx context.Context, interrupt func()) error
		timeout time.Duration
		why     string
	}{
		"in time":            {func(ctx context.Context, _ func()) error { <-ctx.Done(); return ctx.Err() }, time.Second, "skipped: no time is left"},
		"when it is told so": {func(ctx context.Context, interrupt func()) error { interrupt(); return ctx.Err() }, time.Minute, "skipped: interrupted"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSpoilt(t, func(_ string, execute func() error) error { return execute() })
			ctx, interrupt := context.WithCancel(t.Context())
			defer interrupt()
			began := time.Now()
			r, _ := examine(ctx, hanging{s, func(ctx context.Context) error { return c.load(ctx, interrupt) }}, c.timeout)
			assert.Less(t, time.Since(began), 5*time.Second)
			assert.False(t, r.OK)
			got := wrongs(r)
			assert.Contains(t, got["load"], "failed: ")
			for _, op := range []string{"save", "touch", "merge", "update", "find", "list", "renew", "destroy", "save after destroy", "purge"} {
				assert.Equal(t, c.why, got[op], op)
			}
			assert.NotContains(t, got, "clean up")
			assert.NotContains(t, got, "close")
			assert.Zero(t, s.records())
			assert.Equal(t, "1 of 16 operations failed, 10 skipped", r.failures())
		})
	}
}

// hanging is a store whose Load does something else.
type hanging struct {
	*spoilt
	load func(context.Context) error
}

func (s hanging) Load(ctx context.Context, key string) (driver.Record, driver.Version, error) {
	return driver.Record{}, "", s.load(ctx)
}

// No secret and no control character of a server reaches a terminal.
func TestCheckupHidesSecrets(t *testing.T) {
	c := &checkup{timeout: time.Minute, secrets: []string{"hunter22", "no"}, open: func(context.Context, *session.Options) (*session.Manager, error) {
		return nil, errors.New("no access\n\tfor root:hunter22\x1b[31m")
	}}
	r := c.run(t.Context(), "Test")
	assert.Equal(t, map[string]string{"open": "failed: no access for root:[secret] [31m"}, wrongs(r))
}
