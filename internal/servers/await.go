package servers

import (
	"context"
	"fmt"
	"time"
)

const (
	startTimeout = time.Minute            // where the caller's context has no deadline
	pollEvery    = 20 * time.Millisecond  // between two looks
	lookTimeout  = 500 * time.Millisecond // one look: a frozen server must not hold it up
)

// bounded gives a start a deadline if it has none.
func bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return boundedBy(ctx, startTimeout)
}

func boundedBy(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	if _, has := ctx.Deadline(); has {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, d)
}

// await looks until look has nothing to say against it.
func await(ctx context.Context, what string, look func(context.Context) error) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	var err error
	for {
		one, cancel := context.WithTimeout(ctx, lookTimeout)
		now := look(one)
		cancel()
		if now == nil {
			return nil
		}
		if err == nil || ctx.Err() == nil { // the last look fails since time is up
			err = now
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("servers: waited in vain for %s: %w: %w", what, err, context.Cause(ctx))
		case <-ticker.C:
		}
	}
}
