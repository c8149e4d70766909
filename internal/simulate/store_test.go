package simulate

import (
	"context"
	"errors"
	"iter"
	"sync"
	"time"

	"github.com/websession/websession/session/driver"
)

// errCut is what a client library says when a connection breaks.
var errCut = errors.New("connection reset by peer")

// clientKey is the key under which a context names the client whose request it
// belongs to. Calls without one, those of the auditor, are executed at once.
type clientKey struct{}

// A call is one call of the store. It is made by a client's goroutine, and moved
// on by the scheduler.
type call struct {
	method  string
	key     string
	old     driver.Version
	execute func() error // what the store does, in one moment; keeps the results

	ctx      context.Context
	ended    bool  // ctx has
	hangs    bool  // until ctx ends
	executed bool  // the answer is on its way
	err      error // the answer
	since    time.Time
}

func (c *call) mutates() bool { return c.method != "load" && c.method != "scan" }

// handle is a server's connection to the place. It has the mandatory methods.
type handle struct {
	place *place
	mu    *sync.Mutex // of the world
}

// do waits until the scheduler has an answer for c.
func (h *handle) do(ctx context.Context, c *call) error {
	if err := ctx.Err(); err != nil {
		return driver.NotApplied(err)
	}
	who, _ := ctx.Value(clientKey{}).(*client)
	if who == nil {
		return c.execute()
	}
	c.ctx, c.since = ctx, time.Now()
	h.mu.Lock()
	who.call = c
	h.mu.Unlock()
	select {
	case <-who.proceed:
		return c.err
	case <-ctx.Done():
	}
	h.mu.Lock()
	c.ended = true
	h.mu.Unlock()
	<-who.proceed
	return c.err
}

// Create implements driver.Store.
func (h *handle) Create(ctx context.Context, rec driver.Record) (v driver.Version, err error) {
	rec = private(rec) // it may be executed after the answer
	var made driver.Version
	err = h.do(ctx, &call{method: "create", key: rec.Key, execute: func() (err error) {
		made, err = h.place.create(rec)
		return err
	}})
	if err == nil {
		v = made
	}
	return v, err
}

// Load implements driver.Store.
func (h *handle) Load(ctx context.Context, key string) (rec driver.Record, v driver.Version, err error) {
	err = h.do(ctx, &call{method: "load", key: key, execute: func() (err error) {
		rec, v, err = h.place.load(key)
		return err
	}})
	if err != nil {
		return driver.Record{}, "", err
	}
	return rec, v, nil
}

// Replace implements driver.Store.
func (h *handle) Replace(ctx context.Context, rec driver.Record, old driver.Version) (v driver.Version, err error) {
	return h.write(ctx, "replace", rec, old, h.place.replace)
}

func (h *handle) write(ctx context.Context, method string, rec driver.Record, old driver.Version, do func(driver.Record, driver.Version) (driver.Version, error)) (v driver.Version, err error) {
	rec = private(rec)
	var made driver.Version
	err = h.do(ctx, &call{method: method, key: rec.Key, old: old, execute: func() (err error) {
		made, err = do(rec, old)
		return err
	}})
	if err == nil {
		v = made
	}
	return v, err
}

// Delete implements driver.Store.
func (h *handle) Delete(ctx context.Context, rec driver.Record, old driver.Version) error {
	return h.do(ctx, &call{method: "delete", key: rec.Key, old: old, execute: func() error {
		return h.place.delete(rec.Key, old)
	}})
}

// Close implements driver.Store.
func (h *handle) Close() error { return nil }

// Scan implements driver.Scanner.
func (h *handle) Scan(ctx context.Context) iter.Seq2[driver.Record, error] {
	return func(yield func(driver.Record, error) bool) {
		var all []driver.Record
		err := h.do(ctx, &call{method: "scan", execute: func() error {
			all = h.place.scan()
			return nil
		}})
		if err != nil {
			yield(driver.Record{}, err)
			return
		}
		for _, rec := range all {
			if !yield(rec, nil) {
				return
			}
		}
	}
}

// toucher has Touch, too.
type toucher struct{ *handle }

// Touch implements driver.Toucher.
func (h toucher) Touch(ctx context.Context, rec driver.Record, old driver.Version) (driver.Version, error) {
	return h.write(ctx, "touch", rec, old, h.place.touch)
}

// purger has Purge, too.
type purger struct{ *handle }

// Purge implements driver.Purger.
func (h purger) Purge(ctx context.Context, before time.Time, limit int) (int, error) {
	return h.purge(ctx, before, limit)
}

func (h *handle) purge(ctx context.Context, before time.Time, limit int) (int, error) {
	n := 0
	err := h.do(ctx, &call{method: "purge", execute: func() error {
		n = h.place.purge(before, limit)
		return nil
	}})
	return n, err
}

// touchingPurger has both.
type touchingPurger struct{ toucher }

// Purge implements driver.Purger.
func (h touchingPurger) Purge(ctx context.Context, before time.Time, limit int) (int, error) {
	return h.purge(ctx, before, limit)
}

// store answers a connection to p with the optional methods of the setting.
func (s *setting) store(p *place, mu *sync.Mutex) driver.Store {
	h := &handle{p, mu}
	switch {
	case s.touches && s.purges:
		return touchingPurger{toucher{h}}
	case s.touches:
		return toucher{h}
	case s.purges:
		return purger{h}
	}
	return h
}
