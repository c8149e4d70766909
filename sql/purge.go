package sql

import (
	"context"
	"fmt"
	"time"

	"github.com/websession/websession/session/driver"
)

// purgeBatch is how many rows one statement deletes at most, so that others wait
// for it no longer than for a save of a few dozen sessions.
const purgeBatch = 100

// Purge implements driver.Purger. A row that cannot be deleted, because of a
// foreign key or a trigger, stays; the first one is reported when all others
// have gone.
func (s *Store) Purge(ctx context.Context, before time.Time, limit int) (int, error) {
	const op = "purge"
	if err := s.enter(ctx); err != nil {
		return 0, driver.NotApplied(s.fail(op, err))
	}
	s.life.RUnlock()
	total := 0
	for total < limit {
		batch := min(purgeBatch, limit-total)
		n, err := s.mutate(ctx, op, purgeRows, millis(before), batch)
		total += int(n)
		switch {
		case err == nil && int(n) < batch:
			return total, nil
		case err == nil:
		case s.dialect.Classify(err) == Refused:
			n, err := s.purgeEach(ctx, before, limit-total)
			return total + n, err
		default:
			return total, err
		}
	}
	return total, nil
}

// purgeEach deletes row by row, past those that cannot be deleted.
func (s *Store) purgeEach(ctx context.Context, before time.Time, limit int) (n int, err error) {
	const op = "purge"
	var problem error
	for kept := 0; n < limit; {
		keys, err := s.expired(ctx, before, min(purgeBatch, limit-n), kept)
		if err != nil {
			return n, s.fail(op, err)
		}
		if len(keys) == 0 {
			break
		}
		for _, key := range keys {
			deleted, err := s.mutate(ctx, op, purgeRow, s.bind(key), millis(before))
			n += int(deleted)
			if err == nil {
				continue
			}
			if s.dialect.Classify(err) != Refused {
				return n, err
			}
			if problem == nil {
				problem = fmt.Errorf("at least one record was not deleted: %w", err)
			}
			kept++
		}
	}
	if n == limit {
		problem = nil // another call goes on
	}
	return n, problem
}

// expired answers keys of rows that expired, past the first of them.
func (s *Store) expired(ctx context.Context, before time.Time, limit, past int) (keys []string, err error) {
	if err := s.enterRead(ctx); err != nil {
		return nil, err
	}
	defer s.life.RUnlock()
	ctx, cancel := s.bound(ctx)
	defer cancel()
	rows, err := s.expiry.rows(ctx, millis(before), limit, past)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var key string
		if err := rows.Scan(&key); err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, rows.Err()
}
