package sqlite_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/session/driver"
	websql "github.com/websession/websession/sql"
	"github.com/websession/websession/sql/sqlite"
)

// increment adds one to the counter in a record, n times.
func increment(s *websql.Store, key string, n int) error {
	for range n {
		for {
			rec, v, err := s.Load(ctx, key)
			if err != nil {
				return err
			}
			binary.BigEndian.PutUint32(rec.Data, binary.BigEndian.Uint32(rec.Data)+1)
			if _, err = s.Replace(ctx, rec, v); err == nil {
				break
			}
			if !errors.Is(err, driver.ErrConflict) {
				return err
			}
		}
	}
	return nil
}

func counter(tb testing.TB, s *websql.Store, key string) int {
	tb.Helper()
	rec, _, err := s.Load(ctx, key)
	require.NoError(tb, err)
	return int(binary.BigEndian.Uint32(rec.Data))
}

// 64 goroutines and 4 handles: each increment is there once.
func TestExactSums(t *testing.T) {
	for _, o := range []sqlite.Options{{}, {MaxBatch: 3}, {NoGroupCommit: true}} {
		path := fresh(t)
		const handles, workers, keys = 4, 16, 8
		each := 25
		if testing.Short() {
			each = 2
		}
		var stores []*websql.Store
		for range handles {
			stores = append(stores, newStore(t, path, &o))
		}
		for k := range keys {
			create(t, stores[0], driver.Record{Key: fmt.Sprint("k", k), Data: make([]byte, 4)})
		}
		var wg sync.WaitGroup
		for w := range handles * workers {
			wg.Go(func() {
				if err := increment(stores[w%handles], fmt.Sprint("k", w/handles%keys), each); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		for k := range keys {
			require.Equal(t, handles*workers*each/keys, counter(t, stores[k%handles], fmt.Sprint("k", k)))
		}
	}
}

// What waits for the lock of another program can be given up, and is not
// applied.
func TestGivenUpWhileItWaits(t *testing.T) {
	path := fresh(t)
	s := newStore(t, path, nil)
	create(t, s, record("k", "v"))
	conn, err := openBare(t, path).Conn(ctx)
	require.NoError(t, err)
	defer conn.Close()
	mustExec(t, conn, "BEGIN IMMEDIATE")
	const n = 20
	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	gone, stays := make(chan error), make(chan error)
	for i := range n {
		go func() {
			_, err := s.Create(short, record(fmt.Sprint("gone", i), "v"))
			gone <- err
		}()
		go func() {
			_, err := s.Create(ctx, record(fmt.Sprint("stays", i), "v"))
			stays <- err
		}()
	}
	within(t, 2*time.Second, func() {
		for range n {
			err := <-gone
			mustNotBeApplied(t, err, "context deadline exceeded")
			require.ErrorIs(t, err, context.DeadlineExceeded)
		}
	})
	mustExec(t, conn, "COMMIT")
	for range n {
		require.NoError(t, <-stays)
	}
	found := 0
	for rec, err := range s.Scan(ctx) {
		require.NoError(t, err)
		require.NotContains(t, rec.Key, "gone")
		found++
	}
	require.Equal(t, n+1, found)
}

// A statement that the database refuses does not fail those that share its
// transaction.
func TestRefusedStatement(t *testing.T) {
	for _, action := range []string{"ABORT", "FAIL", "ROLLBACK"} {
		path := fresh(t)
		s := newStore(t, path, nil)
		db := openBare(t, path)
		mustExec(t, db, `CREATE TRIGGER refuse BEFORE INSERT ON websession_sessions WHEN NEW.session_key LIKE 'bad%'
			BEGIN SELECT RAISE(`+action+`, 'not this one'); END`)
		// While the lock is held all of them come to wait, so that they share one.
		conn, err := db.Conn(ctx)
		require.NoError(t, err)
		mustExec(t, conn, "BEGIN IMMEDIATE")
		const n = 64
		answers := make([]error, n)
		var begun atomic.Int64
		var wg sync.WaitGroup
		for i := range n {
			wg.Go(func() {
				begun.Add(1)
				rec := record(fmt.Sprint("good", i), "v")
				if i%16 == 3 {
					rec.Key = fmt.Sprint("bad", i)
				}
				_, answers[i] = s.Create(ctx, rec)
			})
		}
		until(t, func() bool { return begun.Load() == n })
		mustExec(t, conn, "COMMIT")
		wg.Wait()
		require.NoError(t, conn.Close())
		for i, err := range answers {
			if i%16 == 3 {
				mustNotBeApplied(t, err, "not this one")
			} else {
				require.NoError(t, err)
			}
		}
		require.Equal(t, n-n/16, query[int](t, db, "SELECT count(*) FROM websession_sessions"))
	}
}

// A row that cannot be deleted keeps none of the others.
func TestPurgePastRefusedRows(t *testing.T) {
	path := fresh(t)
	s := newStore(t, path, nil)
	mustExec(t, openBare(t, path), `CREATE TRIGGER refuse BEFORE DELETE ON websession_sessions WHEN OLD.session_key LIKE 'bad%'
		BEGIN SELECT RAISE(ABORT, 'not this one'); END`)
	for i := range 250 {
		rec := record(fmt.Sprint("good", i), "v")
		if i%50 == 7 {
			rec.Key = fmt.Sprint("bad", i)
		}
		rec.Expires = time.UnixMilli(int64(1e12) + int64(i)).UTC()
		create(t, s, rec)
	}
	create(t, s, record("alive", "v"))
	n, err := s.Purge(ctx, time.UnixMilli(2e12), 30)
	require.NoError(t, err)
	require.Equal(t, 30, n)
	n, err = s.Purge(ctx, time.UnixMilli(2e12), 1000)
	require.ErrorContains(t, err, "at least one record was not deleted")
	require.ErrorContains(t, err, "not this one")
	require.NotContains(t, err.Error(), "bad")
	require.Equal(t, 250-5-30, n)
	left := 0
	for range s.Scan(ctx) {
		left++
	}
	require.Equal(t, 6, left)
}

func TestCallsAfterClose(t *testing.T) {
	s := newStore(t, fresh(t), nil)
	require.NoError(t, s.Close())
	require.NoError(t, s.Close())
	_, err := s.Create(ctx, record("k", "v"))
	require.ErrorIs(t, err, driver.ErrClosed)
	_, err = s.Plans(ctx)
	require.ErrorIs(t, err, driver.ErrClosed)
	for _, err := range s.Search(ctx, "nothing", "x") {
		require.ErrorIs(t, err, driver.ErrClosed)
	}
}

func TestDataThatIsTooLarge(t *testing.T) {
	s := newStore(t, fresh(t), nil)
	rec := record("k", "")
	rec.Data = make([]byte, driver.MaxData+1)
	_, err := s.Create(ctx, rec)
	mustNotBeApplied(t, err, "the data has 4194305 bytes, more than 4194304")
}

func TestSearchOfWhatIsNotIndexed(t *testing.T) {
	s := newStore(t, fresh(t), nil)
	for _, err := range s.Search(ctx, "account", "x") {
		require.ErrorIs(t, err, errors.ErrUnsupported)
	}
}
