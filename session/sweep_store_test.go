package session_test

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/websession/websession/session/driver"
	"github.com/websession/websession/session/memory"
)

// An affliction is what happens to a call of a store.
type affliction int

const (
	sayNotApplied affliction = iota // it fails before it is executed, and says so
	failBefore                      // it fails before it is executed
	failAfter                       // it is executed, and fails
	hangBefore                      // it is not executed, and hangs until its context ends
	hangAfter                       // it is executed, and hangs until its context ends
	afflictions
)

var afflictionNames = [afflictions]string{"refused", "error before", "error after", "hangs, not executed", "hangs, executed"}

// sweptStore is a store one of whose calls suffers: the n-th, or all from that
// on. It is used by one goroutine.
type sweptStore struct {
	*memory.Store
	nth     int
	forGood bool
	what    affliction
	well    bool // no call suffers

	calls    int
	suffered []string // methods
	open     int      // calls that have not returned
}

// call makes one call of the store.
func (s *sweptStore) call(ctx context.Context, method string, execute func() error) error {
	s.open++
	defer func() { s.open-- }()
	s.calls++
	suffers := s.calls == s.nth || s.forGood && s.calls > s.nth
	if s.well || !suffers || ctx.Err() != nil {
		return execute()
	}
	s.suffered = append(s.suffered, method)
	switch s.what {
	case sayNotApplied:
		return driver.NotApplied(errCut)
	case failBefore:
		return errCut
	case hangBefore:
		<-ctx.Done()
		return ctx.Err()
	}
	_ = execute() // nobody hears what came of it
	if s.what == hangAfter {
		<-ctx.Done()
		return ctx.Err()
	}
	return errCut
}

func (s *sweptStore) Create(ctx context.Context, rec driver.Record) (v driver.Version, err error) {
	err = s.call(ctx, "Create", func() (err error) { v, err = s.Store.Create(ctx, rec); return err })
	return v, err
}

func (s *sweptStore) Load(ctx context.Context, key string) (rec driver.Record, v driver.Version, err error) {
	err = s.call(ctx, "Load", func() (err error) { rec, v, err = s.Store.Load(ctx, key); return err })
	return rec, v, err
}

func (s *sweptStore) Replace(ctx context.Context, rec driver.Record, old driver.Version) (v driver.Version, err error) {
	err = s.call(ctx, "Replace", func() (err error) { v, err = s.Store.Replace(ctx, rec, old); return err })
	return v, err
}

func (s *sweptStore) Touch(ctx context.Context, rec driver.Record, old driver.Version) (v driver.Version, err error) {
	err = s.call(ctx, "Touch", func() (err error) { v, err = s.Store.Touch(ctx, rec, old); return err })
	return v, err
}

func (s *sweptStore) Delete(ctx context.Context, rec driver.Record, old driver.Version) error {
	return s.call(ctx, "Delete", func() error { return s.Store.Delete(ctx, rec, old) })
}

func (s *sweptStore) Purge(ctx context.Context, before time.Time, limit int) (n int, err error) {
	err = s.call(ctx, "Purge", func() (err error) { n, err = s.Store.Purge(ctx, before, limit); return err })
	return n, err
}

func (s *sweptStore) Scan(ctx context.Context) iter.Seq2[driver.Record, error] {
	return s.yield(ctx, "Scan", s.Store.Scan(ctx))
}

func (s *sweptStore) Search(ctx context.Context, field, digest string) iter.Seq2[driver.Record, error] {
	return s.yield(ctx, "Search", s.Store.Search(ctx, field, digest))
}

// yield is call for a sequence. Executed means that the records came before the
// error.
func (s *sweptStore) yield(ctx context.Context, method string, records iter.Seq2[driver.Record, error]) iter.Seq2[driver.Record, error] {
	return func(yield func(driver.Record, error) bool) {
		left := false
		err := s.call(ctx, method, func() error {
			for rec, err := range records {
				if err != nil {
					return err
				}
				if left = !yield(rec, nil); left {
					break
				}
			}
			return nil
		})
		if err != nil && !left {
			yield(driver.Record{}, err)
		}
	}
}

// bare shows the five methods, and Scan: the core does the rest.
type bareStore struct {
	driver.Store
	driver.Scanner
}

// store answers s with its optional methods or without.
func (s *sweptStore) store(bare bool) driver.Store {
	if bare {
		return bareStore{s, s}
	}
	return s
}

func (s *sweptStore) String() string {
	when := "only"
	if s.forGood {
		when = "and all later ones"
	}
	return fmt.Sprintf("call %d %s: %s (%v)", s.nth, when, afflictionNames[s.what], s.suffered)
}
