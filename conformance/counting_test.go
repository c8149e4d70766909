package conformance

import (
	"context"
	"errors"
	"iter"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/websession/websession/session"
	"github.com/websession/websession/session/driver"
	"github.com/websession/websession/session/memory"
)

// TestSpyHasWhatTheStoreHas makes sure that a spy neither adds nor hides what
// the store can do.
func TestSpyHasWhatTheStoreHas(t *testing.T) {
	full := memory.New()
	for name, s := range map[string]driver.Store{
		"full":     full,
		"hidden":   hide(full),
		"bare":     struct{ driver.Store }{full},
		"declines": declining{full},
	} {
		spied := newSpy(s).store()
		for _, need := range []string{"Toucher", "Scanner", "Searcher", "Search", "Purger", "Pinger", "RandomVersions"} {
			if got, want := supports(t.Context(), spied, need), supports(t.Context(), s, need); got != want {
				t.Errorf("%s: with a spy, %s is %v, want %v", name, need, got, want)
			}
		}
	}
	for _, c := range []struct {
		store             driver.Store
		separate, content bool
	}{
		{full, false, false},
		{struct {
			driver.Store
			separateMark
		}{Store: full}, true, false},
		{struct {
			driver.Store
			contentMark
		}{Store: full}, false, true},
		{struct {
			driver.Store
			separateMark
			contentMark
		}{Store: full}, true, true},
	} {
		_, separate := newSpy(c.store).store().(driver.SeparateIndexer)
		_, content := newSpy(c.store).store().(driver.ContentVersioner)
		if separate != c.separate || content != c.content {
			t.Errorf("with a spy, the markers are %v and %v, want %v and %v", separate, content, c.separate, c.content)
		}
	}
}

// declining is a store whose optional methods all answer ErrUnsupported.
type declining struct{ driver.Store }

func (declining) Touch(context.Context, driver.Record, driver.Version) (driver.Version, error) {
	return "", errors.ErrUnsupported
}
func (declining) Scan(context.Context) iter.Seq2[driver.Record, error] { return noRecords }
func (declining) Search(context.Context, string, string) iter.Seq2[driver.Record, error] {
	return noRecords
}
func (declining) Purge(context.Context, time.Time, int) (int, error) { return 0, errors.ErrUnsupported }
func (declining) Ping(context.Context) (driver.Info, error) {
	return driver.Info{}, errors.ErrUnsupported
}

func TestSpyCounts(t *testing.T) {
	ctx := t.Context()
	s := newSpy(declining{memory.New()})
	m, err := session.New(s.store(), nil)
	if err != nil {
		t.Fatal(err)
	}
	x := m.NewSession()
	if err := errors.Join(colorKey.Set(x, "red"), x.Save(ctx), countKey.Set(x, 1), x.Save(ctx)); err != nil {
		t.Fatal(err)
	}
	for range m.All(ctx) {
	}
	_, _ = m.Purge(ctx)
	counts, total := s.counted()
	if counts["Create"] != 1 || counts["Replace"] != 1 || len(counts) != 2 || total != 2 || s.writes() != 2 {
		t.Errorf("counted %v, %d in all; want one Create, one Replace", counts, total)
	}

	refused := errors.New("refused")
	var kept []func()
	s.reset(func(c storeCall) error {
		if c.n == 1 {
			return refused
		}
		return nil
	}, func(_ storeCall, err error) error { return errors.Join(err, errCut) })
	key := keyOf(x)
	if _, _, err := s.Load(ctx, key); !errors.Is(err, refused) || errors.Is(err, errCut) {
		t.Errorf("a call that was to fail answers %v", err)
	}
	if rec, v, err := s.Load(ctx, key); !errors.Is(err, errCut) || rec.Key != "" || v != "" {
		t.Errorf("a call whose answer was to be lost answers %v, %q, %v", rec, v, err)
	}
	s.reset(nil, nil)
	s.later(func(c storeCall, call func()) error { kept = append(kept, call); return errCut })
	if err := s.Delete(ctx, driver.Record{Key: key}, ""); !errors.Is(err, errCut) || len(kept) != 1 {
		t.Errorf("a call that was to be late answers %v", err)
	}
	s.reset(nil, nil)
	if _, _, err := s.Load(ctx, key); err != nil {
		t.Errorf("a call that is late was made at once: %v", err)
	}
	kept[0]()
	if _, _, err := s.Load(ctx, key); !errors.Is(err, driver.ErrNotFound) {
		t.Errorf("a call that was late was not made: %v", err)
	}
	if err := errors.Join(m.Close(), s.Close()); err != nil {
		t.Error(err)
	}
}

// TestFaultRate makes sure that the network of the fault cases is as bad as they
// say.
func TestFaultRate(t *testing.T) {
	f := &faults{rng: rand.New(rand.NewPCG(1, 1))}
	s := newSpy(memory.New())
	f.spoil(s)
	const n = 20_000
	failed := 0
	for range n {
		if err := s.Delete(t.Context(), driver.Record{Key: "k"}, ""); err != nil {
			failed++
			if driver.WasNotApplied(err) {
				t.Fatalf("a call that was lost answers %v", err)
			}
		}
	}
	lost, born := f.end()
	if failed != lost || lost < n*2/faultRate || lost > n*4/faultRate || born != 0 {
		t.Errorf("of %d calls %d failed, %d were lost or late, %d of them Create", n, failed, lost, born)
	}
}
