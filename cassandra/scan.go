package cassandra

import (
	"context"
	"errors"
	"iter"

	"github.com/websession/websession/internal/stored"
	"github.com/websession/websession/session/driver"
)

// Pages of a scan have about so many bytes, and so many rows: a page is built in
// the memory of a node, and a session may have 4 MiB.
const (
	pageBytes = 1 << 20
	firstPage = 16
	leastPage = 2
	mostPage  = 500
)

// Scan implements driver.Scanner: the whole table in the order of its tokens, in
// pages. It reads what a quorum has.
func (s *Store) Scan(ctx context.Context) iter.Seq2[driver.Record, error] {
	return func(yield func(driver.Record, error) bool) {
		if err := s.scan(ctx, yield); err != nil && !errors.Is(err, errLeft) {
			yield(driver.Record{}, fail("scan", err))
		}
	}
}

// errLeft ends a sequence whose loop was left.
var errLeft = errors.New("the loop was left")

func (s *Store) scan(ctx context.Context, yield func(driver.Record, error) bool) error {
	p := page{size: firstPage}
	for {
		rows, next, err := s.scanPage(ctx, p)
		if err != nil {
			return err
		}
		bytes := 0
		for _, r := range rows {
			bytes += len(r.data)
			rec, _, err := r.record()
			if err == nil && stored.ValidKey(rec.Key) && !yield(rec, nil) {
				return errLeft
			}
		}
		if next == nil {
			return nil
		}
		p.from = next
		if len(rows) > 0 {
			p.size = min(max(leastPage, pageBytes/(bytes/len(rows)+200)), mostPage)
		}
	}
}

func (s *Store) scanPage(ctx context.Context, p page) ([]row, []byte, error) {
	if err := s.enter(ctx); err != nil {
		return nil, nil, err
	}
	defer s.life.RUnlock()
	return s.server.rows(ctx, p, s.texts.scan)
}
