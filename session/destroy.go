package session

import (
	"context"
	"time"

	"github.com/websession/websession/session/driver"
)

// destroy deletes a session in whatever version. It repeats a delete whose
// outcome is unknown, since a second one does no harm.
func (m *Manager) destroy(ctx context.Context, key string, was map[string]string) error {
	began := time.Now()
	for try := 1; ; try++ {
		out, err := m.mutate(ctx, func(ctx context.Context) error {
			return m.store.Delete(ctx, driver.Record{Key: key, Was: was}, "")
		})
		switch {
		case out == applied, out == notFound:
			m.ended(key, was)
			m.observe(ctx, Event{Kind: EventDestroyed, Session: m.handle(key)})
			return nil
		case out != unresolved && try == 1:
			return m.fail("destroy", err)
		case out != unresolved, ctx.Err() != nil, try == resolveTries, time.Since(began) > resolveFor, m.pause(ctx, try) != nil:
			return m.fail("destroy", m.unknown(ctx, key, err))
		}
	}
}
