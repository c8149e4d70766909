package servertest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/session/driver"
	websql "github.com/websession/websession/sql"
)

// Idle lets a server close the connections of a store because they are idle: the
// next calls do not notice. open answers how many the store has.
func (c Class) Idle(t *testing.T, props map[string]any, open func() int) {
	s := c.Open(t, props)
	const n = 8
	for i := range n {
		Create(t, s, Record(fmt.Sprint("k", i), "v"))
	}
	for round := range 3 {
		Until(t, func() bool { // the store has several, which then rest
			together(t, n, func(i int) error { _, _, err := s.Load(background, fmt.Sprint("k", i)); return err })
			return open() > 1
		})
		Until(t, func() bool { return open() == 0 })
		together(t, n, func(i int) error {
			rec, v, err := s.Load(background, fmt.Sprint("k", i))
			if err == nil {
				_, err = s.Replace(background, rec, v)
			}
			return err
		})
		Until(t, func() bool { return open() == 0 })
		Create(t, s, Record(fmt.Sprint("new", round), "v")) // a mutation comes first
	}
}

func together(t *testing.T, n int, do func(i int) error) {
	t.Helper()
	errs := make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { errs[i] = do(i) })
	}
	all.Wait()
	for _, err := range errs {
		require.NoError(t, err)
	}
}

// LostStatements makes the connection of a pool forget its prepared statements,
// as a failover or a pooler does, by each of the statements: no call notices.
func (c Class) LostStatements(t *testing.T, p Place, statements ...string) {
	db := c.Bare(t, p.DSN)
	db.SetMaxOpenConns(1)
	s := c.Borrowed(t, db)
	v := Create(t, s, Record("k", "v"))
	for _, forget := range statements {
		for name, call := range map[string]func() error{
			"load":   func() error { _, _, err := s.Load(background, "k"); return err },
			"touch":  func() (err error) { v, err = s.Touch(background, Record("k", ""), v); return err },
			"scan":   func() error { return listed(s.Scan(background)) },
			"search": func() error { return listed(s.Search(background, "user", "u-k")) },
			"purge":  func() error { _, err := s.Purge(background, time.UnixMilli(1), 10); return err },
			"replace": func() (err error) {
				v, err = s.Replace(background, Record("k", forget), v)
				return err
			},
		} {
			require.NoError(t, call()) // which has it prepared
			Exec(t, db, forget)
			require.NoError(t, call(), "%s after %s", name, forget)
		}
		MustHold(t, s, "k", forget)
	}
}

// listed reports why a listing is not one of a single record.
func listed(all iter.Seq2[driver.Record, error]) error {
	n := 0
	for _, err := range all {
		if err != nil {
			return err
		}
		n++
	}
	if n != 1 {
		return fmt.Errorf("%d records were listed instead of one", n)
	}
	return nil
}

// Deadline has a store and an application use the one connection of a pool in
// turn. number is a statement that answers which connection it is.
func (c Class) Deadline(t *testing.T, s *websql.Store, db *sql.DB, number string) {
	v := Create(t, s, Record("k", "v"))
	before := Query[int64](t, db, number)
	ctx, cancel := context.WithTimeout(background, 2*time.Second)
	defer cancel()
	_, _, err := s.Load(ctx, "k")
	check(t, err)
	v, err = s.Replace(ctx, Record("k", "w"), v)
	check(t, err)
	<-ctx.Done()
	if after := Query[int64](t, db, number); after != before {
		t.Fatalf("connection %d was replaced by %d", before, after)
	}
	if _, _, err := s.Load(ctx, "k"); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("a load after its deadline: %v", err)
	}
	if v != MustHold(t, s, "k", "w") {
		t.Fatal("it was stored again")
	}
}
