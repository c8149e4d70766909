package conformance

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/websession/websession/session/driver"
	"github.com/websession/websession/session/memory"
)

// TestLinearCheck makes sure that the check passes a correct store and reports
// broken ones.
func TestLinearCheck(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir()) // for what is drawn
	for name, c := range map[string]struct {
		wrap func(driver.Store) driver.Store
		says string // "" if it is correct
	}{
		"correct":       {func(s driver.Store) driver.Store { return s }, ""},
		"hidden":        {hide, ""},
		"often unknown": {func(s driver.Store) driver.Store { return cutting{s, new(sync.Mutex), new(int)} }, ""},
		"lost update":   {func(s driver.Store) driver.Store { return lastWriteWins{s} }, "no order"},
		"stale read":    {func(s driver.Store) driver.Store { return &staleReads{Store: s} }, "no order"},
		"resurrection":  {func(s driver.Store) driver.Store { return resurrecting{s} }, "no order"},
		"forgetting":    {func(s driver.Store) driver.Store { return forgetting{s} }, "no order"},
		"old versions":  {func(s driver.Store) driver.Store { return constantVersion{s} }, "one version stands for two states"},
		"other version": {func(s driver.Store) driver.Store { return &otherVersion{Store: s} }, "Load answers another version"},
		"damage":        {func(s driver.Store) driver.Store { return damaging{s} }, "strange answers"},
	} {
		t.Run(name, func(t *testing.T) {
			found := ""
			for seed := uint64(1); seed <= 5 && found == ""; seed++ {
				base := memory.New()
				l := &linear{keys: []string{"a", "b", "c", "d"}, seed: seed, each: 60}
				for range 4 {
					l.stores = append(l.stores, c.wrap(base))
				}
				l.record(t.Context())
				if len(l.history) > linearClients*60 {
					t.Fatalf("%d operations were written down", len(l.history))
				}
				found = l.check()
			}
			if c.says == "" && found != "" || !strings.Contains(found, c.says) {
				t.Errorf("the check says %q, want %q", found, c.says)
			}
		})
	}
}

// lastWriteWins ignores the version that the writer knows.
type lastWriteWins struct{ driver.Store }

func (s lastWriteWins) Replace(ctx context.Context, rec driver.Record, _ driver.Version) (driver.Version, error) {
	_, v, err := s.Load(ctx, rec.Key)
	if err != nil {
		return "", err
	}
	return s.Store.Replace(ctx, rec, v)
}

// staleReads answers every second Load of a handle from a cache.
type staleReads struct {
	driver.Store
	cache sync.Map // key -> func() (driver.Record, driver.Version, error)
}

func (s *staleReads) Load(ctx context.Context, key string) (driver.Record, driver.Version, error) {
	if old, ok := s.cache.LoadAndDelete(key); ok {
		return old.(func() (driver.Record, driver.Version, error))()
	}
	rec, v, err := s.Store.Load(ctx, key)
	s.cache.Store(key, func() (driver.Record, driver.Version, error) { return rec, v, err })
	return rec, v, err
}

// resurrecting creates what Replace does not find.
type resurrecting struct{ driver.Store }

func (s resurrecting) Replace(ctx context.Context, rec driver.Record, old driver.Version) (driver.Version, error) {
	v, err := s.Store.Replace(ctx, rec, old)
	if errors.Is(err, driver.ErrNotFound) {
		return s.Create(ctx, rec)
	}
	return v, err
}

// forgetting answers nil to writes that it does not make.
type forgetting struct{ driver.Store }

func (s forgetting) Delete(ctx context.Context, rec driver.Record, old driver.Version) error {
	if old == "" {
		return nil
	}
	return s.Store.Delete(ctx, rec, old)
}

// constantVersion has one version for all states.
type constantVersion struct{ driver.Store }

func (s constantVersion) Load(ctx context.Context, key string) (driver.Record, driver.Version, error) {
	rec, v, err := s.Store.Load(ctx, key)
	if err == nil {
		v = "v"
	}
	return rec, v, err
}

// otherVersion answers another version to Load than the write answered.
type otherVersion struct{ driver.Store }

func (s *otherVersion) Load(ctx context.Context, key string) (driver.Record, driver.Version, error) {
	rec, v, err := s.Store.Load(ctx, key)
	if err == nil {
		v = "x" + v
	}
	return rec, v, err
}

func (s *otherVersion) Replace(ctx context.Context, rec driver.Record, old driver.Version) (driver.Version, error) {
	return s.Store.Replace(ctx, rec, driver.Version(strings.TrimPrefix(string(old), "x")))
}

func (s *otherVersion) Delete(ctx context.Context, rec driver.Record, old driver.Version) error {
	return s.Store.Delete(ctx, rec, driver.Version(strings.TrimPrefix(string(old), "x")))
}

// damaging answers ErrCorrupt for whole records.
type damaging struct{ driver.Store }

func (s damaging) Load(ctx context.Context, key string) (driver.Record, driver.Version, error) {
	rec, v, err := s.Store.Load(ctx, key)
	if err == nil {
		err = driver.ErrCorrupt
	}
	return rec, v, err
}

// cutting loses the request or the answer of every seventh Replace.
type cutting struct {
	driver.Store
	mu *sync.Mutex
	n  *int
}

func (s cutting) Replace(ctx context.Context, rec driver.Record, old driver.Version) (driver.Version, error) {
	s.mu.Lock()
	*s.n++
	n := *s.n
	s.mu.Unlock()
	if n%14 == 0 {
		return "", errCut
	}
	v, err := s.Store.Replace(ctx, rec, old)
	if n%14 == 7 {
		return "", errCut
	}
	return v, err
}

// TestLinearModel tries the model itself on short histories.
func TestLinearModel(t *testing.T) {
	type step struct {
		in  linearInput
		out linearOutput
	}
	ok := func(op string, old, stamp int64) step {
		return step{linearInput{op, "k", old, stamp}, linearOutput{result: "ok"}}
	}
	no := func(op string, old, stamp int64, result string) step {
		return step{linearInput{op, "k", old, stamp}, linearOutput{result: result}}
	}
	read := func(stamp, data int64) step {
		return step{linearInput{"load", "k", 0, 0}, linearOutput{result: "ok", stamp: stamp, data: data}}
	}
	for i, c := range []struct {
		steps []step
		want  bool
	}{
		{[]step{ok("create", 0, 1), read(1, 1), ok("replace", 1, 2), read(2, 2), ok("touch", 2, 3), read(3, 2), ok("delete", 3, 0), no("load", 0, 0, "not found")}, true},
		{[]step{ok("create", 0, 1), ok("create", 0, 2)}, false},
		{[]step{no("create", 0, 1, "exists")}, false},
		{[]step{ok("create", 0, 1), no("load", 0, 0, "not found")}, false},
		{[]step{ok("create", 0, 1), ok("replace", 9, 2)}, false},
		{[]step{ok("create", 0, 1), no("replace", 1, 2, "conflict")}, false},
		{[]step{ok("create", 0, 1), no("replace", 9, 2, "not found")}, false},
		{[]step{ok("create", 0, 1), ok("replace", 1, 2), read(1, 1)}, false},
		{[]step{no("replace", 9, 2, "not found"), no("touch", 9, 2, "conflict"), no("delete", 9, 0, "conflict"), no("delete", 9, 0, "not found"), ok("delete", 0, 0)}, true},
		{[]step{ok("replace", 9, 2)}, false},
		{[]step{ok("delete", 9, 0)}, false},
		{[]step{no("delete", 0, 0, "not found")}, false},
		{[]step{ok("create", 0, 1), no("delete", 0, 0, "conflict")}, false},
		{[]step{ok("create", 0, 1), ok("touch", 1, 2), read(2, 2)}, false},
		{[]step{no("create", 0, 1, "unknown"), read(1, 1)}, true},
		{[]step{no("create", 0, 1, "unknown"), no("load", 0, 0, "not found"), read(1, 1)}, true},
		{[]step{no("create", 0, 1, "unknown"), read(1, 1), no("load", 0, 0, "not found")}, false},
		{[]step{ok("create", 0, 1), no("replace", 1, 2, "unknown"), read(1, 1), no("delete", 1, 0, "unknown"), read(2, 2)}, true},
		{[]step{ok("create", 0, 1), no("replace", 1, 2, "unknown"), read(2, 2), read(1, 1)}, false},
	} {
		var history []porcupine.Operation
		for n, s := range c.steps {
			end := int64(2*n + 1)
			if s.out.result == "unknown" {
				end = 1 << 62
			}
			history = append(history, porcupine.Operation{Input: s.in, Output: s.out, Call: int64(2 * n), Return: end})
		}
		if got := porcupine.CheckOperationsTimeout(linearModel(), history, 10*time.Second) == porcupine.Ok; got != c.want {
			t.Errorf("history %d: %v, want %v: %s", i, got, c.want, fmt.Sprint(c.steps))
		}
	}
}
