package ledger

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/websession/websession/session/driver"
)

// Until is when the records of a ledger expire, which is never in a test.
var Until = time.UnixMilli(4e12).UTC()

// Record answers the record for a write of a key.
func (op Op) Record() driver.Record {
	return driver.Record{Key: op.key, Data: op.Data, Expires: Until, Index: map[string]string{"user": "u-" + op.key}}
}

// Worker answers the keys of a worker, which no other one uses.
func Worker(n int) (keys []string) {
	for i := range 3 {
		keys = append(keys, fmt.Sprintf("w%d-%d", n, i))
	}
	return keys
}

// Work creates, replaces and deletes records of these keys until ops mutations
// were answered or one fails, which it answers. Now and then it leaves a record
// that has expired, and purges.
func (l *Ledger) Work(s driver.Store, keys []string, rng *rand.Rand, ops int) error {
	ctx := context.Background()
	versions := make(map[string]driver.Version)
	for _, key := range keys {
		_, v, err := s.Load(ctx, key)
		if err != nil && !errors.Is(err, driver.ErrNotFound) {
			return fmt.Errorf("load: %w", err)
		}
		versions[key] = v
	}
	for range ops {
		key := keys[rng.IntN(len(keys))]
		old := versions[key]
		var err error
		switch n := rng.IntN(10); {
		case n == 0:
			if err = litter(s, keys[0], rng); err != nil {
				return err
			}
			continue
		case old == "":
			op := l.Write(key)
			versions[key], err = s.Create(ctx, op.Record())
			op.Done(err)
		case n < 7:
			op := l.Write(key)
			versions[key], err = s.Replace(ctx, op.Record(), old)
			op.Done(err)
		default:
			op := l.Delete(key)
			rec := driver.Record{Key: key, Was: map[string]string{"user": "u-" + key}}
			if n == 7 {
				old = "" // a logout that asks for no version
			}
			err = s.Delete(ctx, rec, old)
			op.Done(err)
			versions[key] = ""
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// litter leaves a record that has expired, or purges.
func litter(s driver.Store, key string, rng *rand.Rand) error {
	ctx := context.Background()
	p, ok := s.(driver.Purger)
	if ok && rng.IntN(2) == 0 {
		_, err := p.Purge(ctx, time.Now(), 1+rng.IntN(20))
		return err
	}
	_, err := s.Create(ctx, driver.Record{
		Key:     fmt.Sprintf("%s%s-%d", junk, key, rng.Uint64()),
		Data:    []byte(strings.Repeat("x", rng.IntN(100))),
		Expires: time.UnixMilli(1).UTC(),
	})
	return err
}
