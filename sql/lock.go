package sql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/websession/websession/session/driver"
)

// defaultLockWait is Options.LockWait where it is 0.
const defaultLockWait = 10 * time.Second

// locks holds locks of the database, each on a connection of its own. Those of
// this store that want the same one wait in a line, of which the first alone
// asks the database: the others need no connection.
type locks struct {
	*Locks
	pool *sql.DB
	wait time.Duration
	name func(key string) string

	mu    sync.Mutex
	lines map[string]*line
}

// line is who wants a lock.
type line struct {
	turn  chan struct{} // holds one value while somebody has the turn
	users int
}

func newLocks(s *Store, o *Options) (*locks, error) {
	switch {
	case s.dialect.Locks == nil:
		return nil, fmt.Errorf("%s has no locks with names", s.dialect.Name)
	case o.Locks == s.db || o.Locks == o.Writer:
		return nil, errors.New("the pool that holds locks must not be that of the store: holders would wait for one another")
	}
	l := &locks{Locks: s.dialect.Locks, pool: o.Locks, wait: o.LockWait, name: o.LockName, lines: make(map[string]*line)}
	if l.wait == 0 {
		l.wait = defaultLockWait
	}
	if l.name == nil {
		table := s.table
		l.name = func(key string) string { return l.Name(table, key) }
	}
	return l, nil
}

// Lock implements driver.Locker. Where the store has no pool for locks, it is
// errors.ErrUnsupported.
func (s *Store) Lock(ctx context.Context, key string) (unlock func() error, err error) {
	const op = "lock"
	if s.locks == nil {
		return nil, fmt.Errorf("%s: %s: %w", s.dialect.Name, op, errors.ErrUnsupported)
	}
	if err := s.enter(ctx); err != nil {
		return nil, s.fail(op, err)
	}
	s.life.RUnlock() // Close does not wait for holders
	release, err := s.locks.take(ctx, s.locks.name(key), s.done)
	if err != nil {
		return nil, s.fail(op, err)
	}
	return func() error {
		if err := release(); err != nil {
			return s.fail("unlock", err)
		}
		return nil
	}, nil
}

// errLockWait answers the error of a wait that was long, and in vain.
func (l *locks) errLockWait() error {
	return fmt.Errorf("somebody else holds the lock of the session for longer than %v", l.wait)
}

func (l *locks) errNoConnection() error {
	return fmt.Errorf("all %d connections that may hold locks were in use for longer than %v", l.pool.Stats().MaxOpenConnections, l.wait)
}

func (l *locks) take(ctx context.Context, name string, closed <-chan struct{}) (unlock func() error, err error) {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	go func() {
		select {
		case <-closed:
			end(driver.ErrClosed)
		case <-ctx.Done():
		}
	}()
	until := time.Now().Add(l.wait)
	wait, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	leave, err := l.enter(wait, name)
	if err != nil {
		return nil, l.because(ctx, closed, err, l.errLockWait)
	}
	conn, err := l.pool.Conn(wait)
	if err != nil {
		leave()
		return nil, l.because(ctx, closed, err, l.errNoConnection)
	}
	// The database is to answer by itself, and the context is the second way.
	asked, cancel := context.WithDeadline(ctx, until.Add(lockMargin))
	defer cancel()
	taken, err := l.Take(asked, conn, name, time.Until(until))
	if err != nil || !taken {
		if err != nil {
			drop(conn)
		} else {
			conn.Close()
			err = context.DeadlineExceeded
		}
		leave()
		return nil, l.because(ctx, closed, err, l.errLockWait)
	}
	var once sync.Once
	return func() (err error) {
		once.Do(func() {
			defer leave()
			err = l.release(conn, name)
		})
		return err
	}, nil
}

// lockMargin is what a database may take, beyond the wait, to say that it was in
// vain, and what giving a lock back may take.
const lockMargin = 2 * time.Second

// release gives a lock back, if need be by closing its connection.
func (l *locks) release(conn *sql.Conn, name string) error {
	ctx, cancel := context.WithTimeout(context.Background(), lockMargin)
	defer cancel()
	held, err := l.Release(ctx, conn, name)
	switch {
	case err != nil:
		drop(conn)
		return fmt.Errorf("the lock may have been lost: %w", err)
	case !held:
		drop(conn)
		return errors.New("the lock was lost")
	}
	return conn.Close()
}

// because answers why a wait failed: a store that was closed, the caller's
// context, or what is likely when the time of the store was over.
func (l *locks) because(ctx context.Context, closed <-chan struct{}, err error, late func() error) error {
	select {
	case <-closed:
		return driver.ErrClosed
	default:
	}
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, context.DeadlineExceeded):
		return late()
	}
	return err
}

// enter waits for the turn in the line of a lock, and answers what ends it.
func (l *locks) enter(ctx context.Context, name string) (leave func(), err error) {
	l.mu.Lock()
	n := l.lines[name]
	if n == nil {
		n = &line{turn: make(chan struct{}, 1)}
		l.lines[name] = n
	}
	n.users++
	l.mu.Unlock()
	quit := func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if n.users--; n.users == 0 {
			delete(l.lines, name)
		}
	}
	select {
	case n.turn <- struct{}{}:
		return func() { <-n.turn; quit() }, nil
	case <-ctx.Done():
		quit()
		return nil, ctx.Err()
	}
}
