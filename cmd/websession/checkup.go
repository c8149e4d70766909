package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/websession/websession/session"
	"github.com/websession/websession/session/driver"
)

// The sessions of a checkup end by themselves, should they be left behind.
const (
	checkIdle     = 10 * time.Minute
	checkAbsolute = time.Hour
	checkPast     = time.Minute // how far back they are made, so that a touch is due
)

// checkup does one of every operation on a store, with a session of its own.
type checkup struct {
	open    func(context.Context, *session.Options) (*session.Manager, error)
	timeout time.Duration // of which a fifth is kept for cleaning up
	purge   bool
	secrets []string // not to be printed; ids are added

	report  *checkReport
	manager *session.Manager
	user    string            // nobody's
	ids     []session.ID      // that may have been stored, the newest last
	saved   map[string]string // attributes that the session must have
	late    *session.Session  // loaded before the session is destroyed
	stored  bool
	ended   bool // destroyed, and stayed so

	mu          sync.Mutex
	behind      time.Duration // of the clock
	warnings    []string
	leftover    bool // a record was left
	touchFailed error
}

// run does the checkup of a class.
func (c *checkup) run(ctx context.Context, class string) *checkReport {
	c.report = &checkReport{Class: class, Facts: map[string]string{}, Warnings: []string{}, Operations: []checkResult{}}
	c.user = "websession-check-" + rand.Text()
	c.saved = make(map[string]string)
	c.examine(ctx)
	c.report.OK = c.report.with(resultFailed)+c.report.with(resultSkipped) == 0
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, w := range c.warnings {
		if w = c.hide(w); !slices.Contains(c.report.Warnings, w) {
			c.report.Warnings = append(c.report.Warnings, w)
		}
	}
	return c.report
}

// examine opens the store, goes through the steps, and leaves nothing behind.
func (c *checkup) examine(ctx context.Context) {
	bounded, cancel := context.WithTimeout(ctx, c.timeout-c.timeout/5)
	defer cancel()
	opened := c.do(bounded, step{name: "open", do: func(ctx context.Context) (err error) {
		c.manager, err = c.open(ctx, &session.Options{
			RefuseEnded: session.NoLimit, // it is the store that is checked
			Idle:        checkIdle, Absolute: checkAbsolute, TouchEvery: checkPast / 2,
			PurgeEvery: session.NoLimit, Observe: c.observe, Now: c.now,
		})
		return err
	}})
	if !opened {
		return
	}
	c.report.Capabilities = c.manager.Capabilities()
	defer c.do(context.WithoutCancel(ctx), step{name: "close", do: func(context.Context) error { return c.manager.Close() }})
	defer c.cleanUp(ctx)
	for _, s := range c.steps() {
		c.do(bounded, s)
	}
}

// cleanUp destroys what may be left, whatever the steps came to.
func (c *checkup) cleanUp(ctx context.Context) {
	if !c.someLeft() && (c.ended || len(c.ids) == 0) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.timeout/5)
	defer cancel()
	c.do(ctx, step{name: "clean up", do: func(ctx context.Context) error {
		var errs []error
		for _, id := range c.ids {
			errs = append(errs, c.manager.Destroy(ctx, id))
		}
		if c.someLeft() { // under an id that nobody has
			_, err := c.manager.DestroyFound(ctx, checkUser, c.user, nil)
			if !errors.Is(err, errors.ErrUnsupported) {
				errs = append(errs, err)
			}
		}
		return errors.Join(errs...)
	}})
}

// step is one operation.
type step struct {
	name    string
	session bool                        // it needs the session to be stored
	prepare func(context.Context) error // nil for nothing
	do      func(context.Context) error // its time is taken
	verify  func(context.Context) error // nil for nothing
	remark  string                      // if all is well
}

// reason is an error that says why a step is not done.
type reason struct{ result, why string }

func (r *reason) Error() string { return r.why }

// do does a step, and reports whether it went well.
func (c *checkup) do(ctx context.Context, s step) bool {
	r := checkResult{Name: s.name, Result: resultOK, Remark: s.remark}
	saved := maps.Clone(c.saved)
	err := c.attempt(ctx, s, &r)
	if err != nil { // one fault is reported once
		c.saved = saved
	}
	switch why := new(reason); {
	case err == nil:
	case errors.As(err, &why):
		r.Result, r.Remark = why.result, why.why
	case errors.Is(err, errors.ErrUnsupported):
		r.Result, r.Remark = resultUnavailable, ""
	default:
		r.Result, r.Remark = resultFailed, c.hide(err.Error())
	}
	c.report.Operations = append(c.report.Operations, r)
	return err == nil
}

func (c *checkup) attempt(ctx context.Context, s step, r *checkResult) error {
	switch support := c.report.Capabilities.of(s.name); {
	case context.Cause(ctx) == context.DeadlineExceeded:
		return &reason{resultSkipped, "no time is left"}
	case ctx.Err() != nil:
		return &reason{resultSkipped, "interrupted"}
	case s.session && !c.stored:
		return &reason{resultSkipped, "there is no session"}
	case support == session.Unavailable:
		return &reason{resultUnavailable, ""}
	case support == session.NotNeeded:
		return &reason{resultNotNeeded, "the store expires sessions by itself"}
	case support == session.Emulated:
		r.Remark = string(support)
	}
	if s.prepare != nil {
		if err := s.prepare(ctx); err != nil {
			return fmt.Errorf("before it: %w", err)
		}
	}
	began := time.Now()
	err := s.do(ctx)
	r.Milliseconds = max(0.001, math.Round(float64(time.Since(began).Microseconds()))/1000)
	if err == nil && s.verify != nil {
		if err = s.verify(ctx); err != nil {
			err = fmt.Errorf("after it: %w", err)
		}
	}
	return err
}

// now is the clock of the Manager.
func (c *checkup) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(-c.behind)
}

func (c *checkup) setBehind(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.behind = d
}

// touchError answers why a deadline was not moved, which is an event only.
func (c *checkup) touchError() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.touchFailed
}

// someLeft reports whether the Manager could not delete a record.
func (c *checkup) someLeft() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.leftover
}

// observe takes the events of the Manager.
func (c *checkup) observe(_ context.Context, e session.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch e.Kind {
	case session.EventWarning:
		c.warnings = append(c.warnings, e.Message)
	case session.EventLeftover:
		c.leftover = true
		c.warnings = append(c.warnings, fmt.Sprintf("A record of this check could not be deleted at once; it ends by itself in %v.", checkIdle))
	case session.EventCorrupt:
		c.warnings = append(c.warnings, "A session was met that cannot be read.")
	case session.EventTouchFailed:
		c.touchFailed = e.Err
	}
}

func (c *checkup) warn(message string) {
	c.observe(context.Background(), session.Event{Kind: session.EventWarning, Message: message})
}

// learn takes what the server says about itself.
func (c *checkup) learn(info driver.Info) {
	c.report.Server = c.hide(info.Server)
	for name, value := range info.Facts {
		c.report.Facts[c.hide(name)] = c.hide(value)
	}
	c.report.Guarantee = c.hide(info.Guarantee)
	for _, w := range info.Warnings {
		c.warn(w)
	}
}

// hide answers a text on one line, without secrets. Drivers promise that there
// are none in what they say; this is for those that err.
func (c *checkup) hide(text string) string {
	for _, secret := range c.secrets {
		if len(secret) > 3 { // less is no secret, and part of many words
			text = strings.ReplaceAll(text, secret, "[secret]")
		}
	}
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text)
	return strings.Join(strings.Fields(text), " ")
}
