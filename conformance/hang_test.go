package conformance

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/websession/websession/session/driver"
)

// TestHangIsReported runs cases that find a call which hangs, on a store whose
// Close waits for its calls. They must end, so that what they found is printed.
func TestHangIsReported(t *testing.T) {
	hanging := mutant{fault: func(w *world, m calls, c *calls) {
		var calls sync.RWMutex
		c.load = func(_ context.Context, key string) (driver.Record, driver.Version, error) {
			calls.RLock()
			defer calls.RUnlock()
			<-w.gone
			return driver.Record{}, "", driver.ErrNotFound
		}
		c.close = func() error {
			calls.Lock()
			defer calls.Unlock()
			return m.close()
		}
	}}
	d, env := newMutant(hanging)
	const patience = 50 * time.Millisecond
	r := try(t, testCase{name: "Hanging/Load", why: "of it", run: func(p *place) {
		h := p.handle()
		if p.within("Load", func() {
			h.Load(p.Context(), "key")
			p.fail("Load returned when the case was over")
		}) {
			t.Error("within says that Load returned")
		}
	}}, d, env, patience, 1)
	log := strings.Join(r.lines, "\n")
	load, closing := strings.Index(log, "Load did not return within"), strings.Index(log, "Close did not return within")
	if !r.failed || load < 0 || closing < load || strings.Contains(log, "30 s") || strings.Contains(log, "when the case was over") {
		t.Errorf("it said %q; want Load, then Close, and nothing else", log)
	}

	// A store that hangs in Close alone.
	d, env = newMutant(mutant{fault: func(w *world, _ calls, c *calls) {
		c.close = func() error {
			<-w.gone
			return nil
		}
	}})
	r = try(t, testCase{name: "Hanging/Close", why: "of it", run: func(p *place) { p.handle() }}, d, env, patience, 1)
	if log := strings.Join(r.lines, "\n"); !r.failed || !strings.Contains(log, "Close did not return within") {
		t.Errorf("it said %q, want that Close hangs", log)
	}
}
