package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/websession/websession/session"
	"github.com/websession/websession/session/driver"
	"github.com/websession/websession/session/memory"
)

// examine does a checkup of a store.
func examine(ctx context.Context, s driver.Store, timeout time.Duration) (*checkReport, *checkup) {
	c := &checkup{timeout: timeout, purge: true, open: func(_ context.Context, o *session.Options) (*session.Manager, error) {
		o.Class = "Test"
		return session.New(s, o)
	}}
	return c.run(ctx, "Test"), c
}

// wrongs answers the operations that did not end well, and their remarks.
func wrongs(r *checkReport) map[string]string {
	m := make(map[string]string)
	for _, o := range r.Operations {
		if o.Result != resultOK {
			m[o.Name] = strings.TrimSuffix(o.Result+": "+o.Remark, ": ")
		}
	}
	return m
}

// spoilt is a store in memory of which calls can be spoilt.
type spoilt struct {
	*memory.Store
	call    func(op string, execute func() error) error
	records func() int // counts what is there, after the end too
}

// newSpoilt answers a store whose calls go through call.
func newSpoilt(t *testing.T, call func(op string, execute func() error) error) *spoilt {
	t.Helper()
	stores := make([]*memory.Store, 2)
	for i := range stores {
		connector, err := memory.Driver{}.Configure(driver.NewDecoder("Memory", map[string]any{"name": t.Name()}))
		require.NoError(t, err)
		s, err := connector.Open(t.Context(), driver.OpenOptions{})
		require.NoError(t, err)
		t.Cleanup(func() { s.Close() })
		stores[i] = s.(*memory.Store)
	}
	return &spoilt{Store: stores[0], call: call, records: func() int {
		n := 0
		for range stores[1].Scan(t.Context()) {
			n++
		}
		return n
	}}
}

func (s *spoilt) Create(ctx context.Context, rec driver.Record) (v driver.Version, err error) {
	err = s.call("create", func() (err error) { v, err = s.Store.Create(ctx, rec); return err })
	return v, err
}

func (s *spoilt) Load(ctx context.Context, key string) (rec driver.Record, v driver.Version, err error) {
	err = s.call("load", func() (err error) { rec, v, err = s.Store.Load(ctx, key); return err })
	return rec, v, err
}

func (s *spoilt) Replace(ctx context.Context, rec driver.Record, old driver.Version) (v driver.Version, err error) {
	err = s.call("replace", func() (err error) { v, err = s.Store.Replace(ctx, rec, old); return err })
	return v, err
}

func (s *spoilt) Touch(ctx context.Context, rec driver.Record, old driver.Version) (v driver.Version, err error) {
	err = s.call("touch", func() (err error) { v, err = s.Store.Touch(ctx, rec, old); return err })
	return v, err
}

func (s *spoilt) Delete(ctx context.Context, rec driver.Record, old driver.Version) error {
	return s.call("delete", func() error { return s.Store.Delete(ctx, rec, old) })
}

func (s *spoilt) Scan(ctx context.Context) iter.Seq2[driver.Record, error] {
	return s.yield("scan", s.Store.Scan(ctx))
}

func (s *spoilt) Search(ctx context.Context, field, digest string) iter.Seq2[driver.Record, error] {
	return s.yield("search", s.Store.Search(ctx, field, digest))
}

func (s *spoilt) yield(op string, records iter.Seq2[driver.Record, error]) iter.Seq2[driver.Record, error] {
	return func(yield func(driver.Record, error) bool) {
		more := true
		err := s.call(op, func() error {
			for rec, err := range records {
				if more = yield(rec, err); !more {
					break
				}
			}
			return nil
		})
		if err != nil && more {
			yield(driver.Record{}, err)
		}
	}
}

func (s *spoilt) Purge(ctx context.Context, before time.Time, limit int) (n int, err error) {
	err = s.call("purge", func() (err error) { n, err = s.Store.Purge(ctx, before, limit); return err })
	return n, err
}

func (s *spoilt) Ping(ctx context.Context) (info driver.Info, err error) {
	err = s.call("ping", func() (err error) { info, err = s.Store.Ping(ctx); return err })
	return info, err
}

var errSpoilt = errors.New("the cable was cut")

// Whichever call of the store fails, and however, nothing is left behind, no id
// is printed, and a failure is not passed over.
func TestCheckupLeavesNothingBehind(t *testing.T) {
	for name, spoil := range map[string]func(execute func() error) error{
		"refused":         func(func() error) error { return driver.NotApplied(errSpoilt) },
		"lost":            func(func() error) error { return errSpoilt },
		"applied, silent": func(execute func() error) error { execute(); return errSpoilt },
	} {
		t.Run(name, func(t *testing.T) {
			for n, more := 1, true; more; n++ {
				t.Run(fmt.Sprintf("call %d", n), func(t *testing.T) {
					calls := 0
					failed := ""
					s := newSpoilt(t, func(op string, execute func() error) error {
						if calls++; calls == n {
							failed = op
							return spoil(execute)
						}
						return execute()
					})
					r, c := examine(t.Context(), s, time.Minute)
					more = calls >= n
					assert.Zero(t, s.records(), "sessions are left after %s failed: %+v", failed, r.Operations)
					if name == "refused" && more {
						assert.False(t, r.OK, "%s failed: %+v", failed, r.Operations)
						assert.Equal(t, 1, r.with(resultFailed), "%+v", r.Operations)
					}
					if !more {
						assert.True(t, r.OK, "%+v", r.Operations)
					}
					printed, err := json.Marshal(r)
					require.NoError(t, err)
					for _, id := range c.ids {
						assert.NotContains(t, string(printed), id.Reveal())
					}
				})
			}
		})
	}
}

// A store that breaks a promise is found out.
func TestCheckupFindsBrokenPromises(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(s *spoilt) driver.Store
		wrong map[string]string
	}{
		"overwrites what others saved": {func(s *spoilt) driver.Store { return overwriting{s} },
			map[string]string{"merge": `failed: after it: attribute "first" is not what was saved: session attribute is not set`}},
		"brings destroyed sessions back": {func(s *spoilt) driver.Store { return resurrecting{s} },
			map[string]string{"save after destroy": "failed: it was accepted"}},
		"keeps what it should delete": {func(s *spoilt) driver.Store { return ignoring(s, "delete") },
			map[string]string{"renew": "failed: after it: the old id is still good", "destroy": "failed: after it: the session is there",
				"save after destroy": "skipped: the session was not destroyed"}},
		"does not store": {func(s *spoilt) driver.Store { return ignoring(s, "replace") },
			map[string]string{"save": "failed: ", "merge": "failed: ", "update": "failed: ",
				"save after destroy": "failed: it was accepted"}},
		"touches nothing": {func(s *spoilt) driver.Store { return ignoring(s, "touch") },
			map[string]string{"touch": "failed: after it: the store has the deadline "}},
		"finds nothing": {func(s *spoilt) driver.Store { return ignoring(s, "search") },
			map[string]string{"find": "failed: 0 sessions were found, not 1"}},
		"lists nothing": {func(s *spoilt) driver.Store { return ignoring(s, "scan") },
			map[string]string{"list": "failed: no session was listed"}},
		"has no server": {func(s *spoilt) driver.Store { return failing(s, "ping") },
			map[string]string{"ping": "failed: session: ping (Test): the cable was cut"}},
		"cannot purge": {func(s *spoilt) driver.Store { return failing(s, "purge") },
			map[string]string{"purge": "failed: session: purge (Test): the cable was cut"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSpoilt(t, func(_ string, execute func() error) error { return execute() })
			r, _ := examine(t.Context(), c.spoil(s), time.Minute)
			assert.False(t, r.OK)
			got := wrongs(r)
			for op, want := range c.wrong {
				assert.True(t, strings.HasPrefix(got[op], want), "%s: %s", op, got[op])
				delete(got, op)
			}
			assert.Empty(t, got, "faults that follow from others")
		})
	}
}

type overwriting struct{ *spoilt }

func (s overwriting) Replace(ctx context.Context, rec driver.Record, _ driver.Version) (driver.Version, error) {
	_, v, err := s.spoilt.Load(ctx, rec.Key)
	if err != nil {
		return "", err
	}
	return s.spoilt.Replace(ctx, rec, v)
}

type resurrecting struct{ *spoilt }

func (s resurrecting) Replace(ctx context.Context, rec driver.Record, old driver.Version) (driver.Version, error) {
	v, err := s.spoilt.Replace(ctx, rec, old)
	if errors.Is(err, driver.ErrNotFound) {
		return s.spoilt.Create(ctx, rec)
	}
	return v, err
}

// ignoring makes s answer that all is well for an operation, and do nothing.
func ignoring(s *spoilt, op string) driver.Store {
	s.call = func(o string, execute func() error) error {
		if o == op {
			return nil
		}
		return execute()
	}
	return s
}

func failing(s *spoilt, op string) driver.Store {
	s.call = func(o string, execute func() error) error {
		if o == op {
			return errSpoilt
		}
		return execute()
	}
	return s
}

// A record that the Manager could not delete, under an id that nobody has, is
// found and deleted at the end.
func TestCheckupRemovesLeftovers(t *testing.T) {
	refusals := 0
	s := newSpoilt(t, nil)
	s.call = func(op string, execute func() error) error {
		if op == "delete" && refusals < 2 { // of the old record of a renewal, then of the new one
			refusals++
			return driver.NotApplied(errSpoilt)
		}
		return execute()
	}
	r, _ := examine(t.Context(), s, time.Minute)
	assert.Equal(t, map[string]string{"renew": "failed: session: renew (Test): not applied: the cable was cut"}, wrongs(r))
	assert.Contains(t, strings.Join(r.Warnings, "\n"), "could not be deleted at once")
	assert.Zero(t, s.records())
}

// A store that can neither list nor search is no bad store.
func TestCheckupOfAPlainStore(t *testing.T) {
	s := newSpoilt(t, func(_ string, execute func() error) error { return execute() })
	r, _ := examine(t.Context(), struct{ driver.Store }{s}, time.Minute)
	assert.True(t, r.OK)
	assert.Equal(t, map[string]string{"find": "unavailable", "list": "unavailable", "purge": "not needed: the store expires sessions by itself"}, wrongs(r))
	assert.Zero(t, s.records())
}
