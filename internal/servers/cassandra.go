package servers

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"syscall"
)

// CassandraOptions is what Cassandra nodes have beyond the usual. Nil is nothing.
type CassandraOptions struct {
	// Config is further lines of cassandra.yaml, each "name: value". They replace
	// those that have the same name.
	Config []string

	// Login has the server ask for a user and a password, and check what the user
	// may do. There is a superuser at first, CassandraUser.
	Login bool

	// Durable has the node sync what it has confirmed. Otherwise a Kill loses what
	// was written in the last tenth of a second, and the changes of the schema; those
	// a ring syncs in any case.
	Durable bool
}

// CassandraUser is the name and the password of the superuser of a server that
// has CassandraOptions.Login.
const CassandraUser = "cassandra"

// CassandraDatacenter is the only datacenter of the nodes.
const CassandraDatacenter = "dc1"

const ringNodes = 3

// Cassandra is one Cassandra node, which is a whole cluster.
type Cassandra struct {
	*Server
	group *group
}

// StartCassandra starts a Cassandra node without any data. It runs on a Java
// machine of its own with a heap of 384 MiB. The context bounds the start only;
// without a deadline it is given five minutes.
func StartCassandra(ctx context.Context, o *CassandraOptions) (*Cassandra, error) {
	ctx, cancel := boundedBy(ctx, cassandraTimeout)
	defer cancel()
	return tryPorts(cassandraPorts, func(ports []int) (*Cassandra, error) {
		g, err := newGroup(ports)
		if err != nil {
			return nil, err
		}
		s, err := g.addCassandra(cassandraNode{host: "127.0.0.1", ports: ports, nodes: 1}, o)
		if err == nil {
			err = s.Restart(ctx)
		}
		if err != nil {
			return nil, errors.Join(err, g.stop())
		}
		return &Cassandra{s, g}, nil
	})
}

// Stop ends the node and removes its files. Doing it again is no error.
func (c *Cassandra) Stop() error { return c.group.stop() }

// CassandraRing is three Cassandra nodes, on 127.0.0.1, 127.0.0.2 and 127.0.0.3
// with the same ports, each in a rack of its own.
type CassandraRing struct {
	Nodes []*Server

	group *group
}

// StartCassandraRing starts three nodes and waits until each sees the others. The
// context bounds the start only; without a deadline it is given five minutes.
// It needs loopback addresses beside 127.0.0.1, which Linux has by itself.
func StartCassandraRing(ctx context.Context, o *CassandraOptions) (*CassandraRing, error) {
	ctx, cancel := boundedBy(ctx, cassandraTimeout)
	defer cancel()
	return tryPorts(cassandraPorts, func(ports []int) (*CassandraRing, error) {
		g, err := newGroup(ports)
		if err != nil {
			return nil, err
		}
		r := &CassandraRing{group: g}
		if err := r.start(ctx, ports, o); err != nil {
			return nil, errors.Join(err, g.stop())
		}
		return r, nil
	})
}

func (r *CassandraRing) start(ctx context.Context, ports []int, o *CassandraOptions) error {
	for i := range ringNodes {
		n := cassandraNode{host: fmt.Sprint("127.0.0.", i+1), ports: ports, number: i, nodes: ringNodes}
		if !n.free() {
			return errPortTaken
		}
		s, err := r.group.addCassandra(n, o)
		if err != nil {
			return err
		}
		r.Nodes = append(r.Nodes, s)
	}
	// The first is the seed of the others.
	if err := r.Nodes[0].Restart(ctx); err != nil {
		return err
	}
	if err := eachOf(r.Nodes[1:], func(s *Server) error { return s.Restart(ctx) }); err != nil {
		return err
	}
	return r.whole(ctx)
}

// whole waits until every node can read from all of them.
func (r *CassandraRing) whole(ctx context.Context) error {
	// Reading at ALL from a table that every node has a copy of.
	const (
		keyspace = `CREATE KEYSPACE IF NOT EXISTS servers_whole WITH replication = {'class': 'NetworkTopologyStrategy', '` + CassandraDatacenter + `': 3}`
		table    = `CREATE TABLE IF NOT EXISTS servers_whole.t (k int PRIMARY KEY)`
		look     = `SELECT k FROM servers_whole.t WHERE k = 1`
	)
	for _, statement := range []string{keyspace, table} {
		err := await(ctx, "the ring to have a table", func(context.Context) error { return cqlOn(ctx, r.Nodes[0].addr, cqlAll, statement) })
		if err != nil {
			return err
		}
	}
	return await(ctx, "the ring to be whole", func(ctx context.Context) error {
		for _, n := range r.Nodes {
			if err := cqlOn(ctx, n.addr, cqlAll, look); err != nil {
				return fmt.Errorf("%s: %w", n.name, err)
			}
		}
		return nil
	})
}

// Addrs answers the addresses of all nodes.
func (r *CassandraRing) Addrs() []string { return addrs(r.Nodes) }

// Heal brings back every node that was killed or frozen, and waits until each
// sees the others.
func (r *CassandraRing) Heal(ctx context.Context) error {
	ctx, cancel := boundedBy(ctx, cassandraTimeout)
	defer cancel()
	if err := r.group.each(func(s *Server) error { return s.heal(ctx) }); err != nil {
		return err
	}
	return r.whole(ctx)
}

// Stop ends all nodes and removes their files. Doing it again is no error.
func (r *CassandraRing) Stop() error { return r.group.stop() }

// addCassandra makes the folder of a node.
func (g *group) addCassandra(n cassandraNode, o *CassandraOptions) (*Server, error) {
	if o == nil {
		o = &CassandraOptions{}
	}
	java, err := findJava()
	if err != nil {
		return nil, err
	}
	lib, err := cassandraLib()
	if err != nil {
		return nil, err
	}
	s, err := g.add("cassandra", "cassandra-"+n.host, n.ports[0])
	if err != nil {
		return nil, err
	}
	s.addr = n.addr()
	s.name = "cassandra " + s.addr
	s.ending = syscall.SIGKILL // in order it takes seconds, for files that nobody needs
	if err := n.configure(s.dir, *o); err != nil {
		return nil, err
	}
	args := n.arguments(s.dir, lib, o.Durable || n.nodes > 1)
	s.command = func() (*exec.Cmd, error) { return command(s.dir, "", java, args...) }
	s.look = func(ctx context.Context, _ int) error {
		if o.Login {
			return cqlLogin(ctx, s.addr, CassandraUser, CassandraUser)
		}
		return cqlOn(ctx, s.addr, cqlOne, "SELECT key FROM system.local")
	}
	return s, nil
}
