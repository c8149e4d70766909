package session

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/websession/websession/session/driver"
)

// purgeBatch is how many records one call of the store deletes at most.
const purgeBatch = 1000

// Purge deletes the records that expired more than driver.Margin ago, and
// answers how many. The Manager does so by itself every Options.PurgeEvery. It
// does nothing where the store expires sessions by itself. Several servers may
// purge at once; a session that is touched meanwhile stays.
func (m *Manager) Purge(ctx context.Context) (int, error) {
	return m.purge(ctx, func(time.Duration) {})
}

// purge is Purge that calls rest after each batch but the last, with the time
// that it took.
func (m *Manager) purge(ctx context.Context, rest func(time.Duration)) (int, error) {
	if m.caps.purger == nil {
		return 0, nil
	}
	total := 0
	for {
		if err := ctx.Err(); err != nil {
			return total, m.fail("purge", err)
		}
		began := time.Now()
		n, err := m.caps.purger.Purge(ctx, m.now().Add(-driver.Margin), purgeBatch)
		total += n
		switch {
		case errors.Is(err, errors.ErrUnsupported):
			return total, nil
		case err != nil:
			return total, m.fail("purge", err)
		case n < purgeBatch:
			return total, nil
		}
		rest(time.Since(began))
	}
}

// janitor purges until ctx ends. After each batch it rests for as long as that
// took, so that at least half of what the store can do is left for requests.
func (m *Manager) janitor(ctx context.Context) {
	defer m.background.Done()
	rest := func(d time.Duration) {
		t := time.NewTimer(d)
		defer t.Stop()
		select {
		case <-ctx.Done():
		case <-t.C:
		}
	}
	for {
		rest(m.opts.PurgeEvery*4/5 + rand.N(m.opts.PurgeEvery*2/5+1))
		if ctx.Err() != nil {
			return
		}
		n, err := m.purge(ctx, rest)
		switch {
		case ctx.Err() != nil:
		case err != nil:
			m.observe(ctx, Event{Kind: EventPurgeFailed, Count: n, Err: err})
		case n > 0:
			m.observe(ctx, Event{Kind: EventPurged, Count: n})
		}
	}
}
