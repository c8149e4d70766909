package server

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"time"

	"github.com/websession/websession/session/driver"
	websql "github.com/websession/websession/sql"
)

// Connections are closed when they were idle, or there, for so long: a server
// that has changed its name or its role is found again.
const (
	idleTime = 5 * time.Minute
	lifeTime = 30 * time.Minute
)

// openMargin is what opening may take beyond connecting: making the table while
// others do the same.
const openMargin = 20 * time.Second

// Open opens the store of p. connect makes the connectors of its pools; each
// Connect is given a context that ends in time.
func Open(ctx context.Context, p Properties, d websql.Dialect, o driver.OpenOptions, connect func(Address) (sqldriver.Connector, error)) (*websql.Store, error) {
	var pools []*sql.DB
	release := func() error {
		var errs []error
		for _, db := range pools {
			errs = append(errs, db.Close())
		}
		return errors.Join(errs...)
	}
	pool := func(a Address, size int) (*sql.DB, error) {
		c, err := connect(a)
		if err != nil {
			return nil, fmt.Errorf("%s: open: %w", d.Name, err)
		}
		db := sql.OpenDB(bounding{c, p.Connect})
		db.SetMaxOpenConns(size)
		db.SetMaxIdleConns(size)
		db.SetConnMaxIdleTime(idleTime)
		db.SetConnMaxLifetime(lifeTime)
		pools = append(pools, db)
		return db, nil
	}
	db, err := pool(p.Address, p.Pool)
	if err != nil {
		return nil, err
	}
	options := &websql.Options{
		Table:   p.Table,
		Indexed: o.Indexed,
		Warn:    o.Warn,
		Timeout: p.Timeout,
		Close:   release,
	}
	if p.Locking {
		if options.Locks, err = pool(p.LockAt, p.LockPool); err != nil {
			return nil, errors.Join(err, release())
		}
		options.LockWait = p.LockWait
	}
	ctx, cancel := context.WithTimeout(ctx, p.Connect+openMargin)
	defer cancel()
	s, err := websql.Open(ctx, db, d, options)
	if err != nil {
		return nil, errors.Join(err, release())
	}
	if p.LockIdle && o.Warn != nil {
		o.Warn("The properties say where locks are held, and locking is none: nothing is locked, since versions keep every change.")
	}
	return s, nil
}

// bounding bounds the time that connecting takes.
type bounding struct {
	sqldriver.Connector
	most time.Duration
}

func (b bounding) Connect(ctx context.Context) (sqldriver.Conn, error) {
	own, cancel := context.WithTimeout(ctx, b.most)
	defer cancel()
	conn, err := b.Connector.Connect(own)
	if err != nil && ctx.Err() == nil && own.Err() != nil {
		return nil, fmt.Errorf("the server does not answer within connect_timeout %v: %w", b.most, &timeout{err})
	}
	return conn, err
}

// timeout hides that a context of ours has ended: the caller's has not.
type timeout struct{ err error }

func (t *timeout) Error() string { return t.err.Error() }
