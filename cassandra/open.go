package cassandra

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/websession/websession/session/driver"
)

// openFor bounds how long New asks the server.
const openFor = 30 * time.Second

// place is where a store is to be, beside its Options.
type place struct {
	datacenter string
	create     replication // nil: the keyspace is there
}

// open connects, and prepares the tables.
func open(ctx context.Context, s settings, o driver.OpenOptions) (*Store, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("cassandra: open: %w", err)
	}
	options := s.options
	options.Warn = o.Warn
	options = options.withDefaults()
	l, err := s.connectTo(ctx, options.Keyspace)
	if errors.Is(err, errNoConnections) {
		if err = s.prepareKeyspace(ctx, options); err != nil {
			return nil, err
		}
		l, err = s.connectTo(ctx, options.Keyspace)
	}
	if err != nil {
		return nil, fmt.Errorf("cassandra: open: %w", explain(err))
	}
	store, err := attach(ctx, l, options, place{s.datacenter, s.create}) // each statement is bounded
	if err != nil {
		l.close()
		return nil, fail("open", err)
	}
	return store, nil
}

// connectTo connects. Each node is given connect_timeout.
func (s settings) connectTo(ctx context.Context, keyspace string) (*library, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(len(s.hosts)+1)*s.connect)
	defer cancel()
	return s.dialAll(ctx, keyspace)
}

// prepareKeyspace makes the keyspace, or tells why it is not there.
func (s settings) prepareKeyspace(ctx context.Context, o Options) error {
	l, err := s.connectTo(ctx, "")
	if err != nil {
		return fmt.Errorf("cassandra: open: %w", explain(err))
	}
	defer l.close()
	if err := prepare(ctx, l, o, place{s.datacenter, s.create}); err != nil {
		return fail("open", err)
	}
	return nil
}

// attach makes a store of a server.
func attach(ctx context.Context, s server, o Options, p place) (*Store, error) {
	if err := prepare(ctx, s, o, p); err != nil {
		return nil, err
	}
	settings, err := settingsOf(ctx, s)
	if err != nil {
		return nil, err
	}
	return &Store{server: s, options: o, texts: newStatements(o.Keyspace, o.Table), largest: largest(settings), done: make(chan struct{})}, nil
}

// prepare checks the cluster, the keyspace and the tables, and makes what is
// missing and may be made.
func prepare(ctx context.Context, s server, o Options, p place) error {
	r, err := ringOf(ctx, s, o.Keyspace)
	if err != nil {
		return err
	}
	datacenter, err := r.choose(p.datacenter)
	if err != nil {
		return err
	}
	if r.copies == nil {
		if p.create == nil {
			return fmt.Errorf("there is no keyspace %q: correct the property keyspace, or make it: CREATE KEYSPACE, or the property create_keyspace with its number of copies", o.Keyspace)
		}
		if r, err = makeKeyspace(ctx, s, r, datacenter, o, p.create); err != nil {
			return err
		}
	}
	if err := r.check(o.Keyspace, datacenter, o.Consistency, o.Warn); err != nil {
		return err
	}
	for _, t := range tables(o) {
		if err := t.ready(ctx, s, o); err != nil {
			return err
		}
	}
	return nil
}

// makeKeyspace makes the keyspace, unless no write to it could be confirmed.
func makeKeyspace(ctx context.Context, s server, r ring, datacenter string, o Options, create replication) (ring, error) {
	planned := r
	planned.copies = make(map[string]int)
	for _, c := range create {
		if r.nodes[c.datacenter] == 0 {
			return r, fmt.Errorf("create_keyspace names the datacenter %q, which the cluster does not have", c.datacenter)
		}
		planned.copies[c.datacenter] = c.count
	}
	if err := planned.check(o.Keyspace, datacenter, o.Consistency, func(string) {}); err != nil {
		return r, fmt.Errorf("create_keyspace: %w", err)
	}
	if err := s.change(ctx, create.statement(o.Keyspace)); err != nil && !errors.Is(err, errNoAgreement) {
		return r, fmt.Errorf("making the keyspace %q: %w", o.Keyspace, err)
	}
	err := appears(ctx, fmt.Sprintf("the keyspace %q", o.Keyspace), func() (there bool, err error) {
		r, err = ringOf(ctx, s, o.Keyspace)
		return r.copies != nil, err
	})
	return r, err
}
