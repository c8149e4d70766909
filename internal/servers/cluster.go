package servers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

const (
	clusterNodes   = 6 // three masters, and a replica of each
	clusterMasters = 3
	slots          = 16384
)

// Cluster is a Redis Cluster of three masters with a replica each. A node that
// is silent for a second is taken for dead.
type Cluster struct {
	Nodes []*Server // the first three are the first masters

	group  *group
	access access
}

// StartCluster starts a Redis Cluster and waits until every node says that it is
// whole. The context bounds the start only.
func StartCluster(ctx context.Context, o *RedisOptions) (*Cluster, error) {
	return tryPorts(clusterNodes, func(ports []int) (*Cluster, error) {
		g, err := newGroup(ports)
		if err != nil {
			return nil, err
		}
		c := &Cluster{group: g}
		if err := c.start(ctx, ports, o.get()); err != nil {
			return nil, errors.Join(err, g.stop())
		}
		return c, nil
	})
}

func (c *Cluster) start(ctx context.Context, ports []int, o RedisOptions) (err error) {
	if c.access, err = o.access(); err != nil {
		return err
	}
	config := ClusterConfig()
	if o.Password != "" {
		config = append(config, "masterauth "+strconv.Quote(o.Password))
	}
	if o.TLS != nil {
		config = append(config, "tls-cluster yes")
	}
	for i, port := range ports {
		n, err := c.group.addRedis(fmt.Sprint("node", i), port, o, config...)
		if err != nil {
			return err
		}
		c.Nodes = append(c.Nodes, n)
	}
	if err := c.group.each(func(n *Server) error { return n.Restart(ctx) }); err != nil {
		return err
	}
	return c.access.formCluster(ctx, c.Addrs())
}

// ClusterConfig is the lines by which a Redis server on this machine is a node.
func ClusterConfig() []string {
	return []string{"cluster-enabled yes", "cluster-config-file nodes.conf", "cluster-node-timeout 1000", "cluster-announce-ip 127.0.0.1"}
}

// FormCluster makes a Cluster of empty nodes that need no password, the first
// half of them masters, and waits until every node says that it is whole.
func FormCluster(ctx context.Context, addrs []string) error {
	return access{}.formCluster(ctx, addrs)
}

func (a access) formCluster(ctx context.Context, addrs []string) error {
	ids := make([]string, len(addrs))
	masters := len(addrs) / 2
	for i, addr := range addrs {
		var err error
		if ids[i], err = a.text(ctx, addr, "CLUSTER", "MYID"); err != nil {
			return err
		}
		if _, err := a.ask(ctx, addr, "CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(i+1)); err != nil {
			return err
		}
		if i < masters {
			command := []string{"CLUSTER", "ADDSLOTS"}
			for slot := slots * i / masters; slot < slots*(i+1)/masters; slot++ {
				command = append(command, strconv.Itoa(slot))
			}
			if _, err := a.ask(ctx, addr, command...); err != nil {
				return err
			}
		}
		host, port := splitAddr(addr)
		if _, err := a.ask(ctx, addrs[0], "CLUSTER", "MEET", host, port); err != nil {
			return err
		}
	}
	err := await(ctx, "the nodes of the Cluster to meet", func(ctx context.Context) error {
		for _, addr := range addrs {
			if _, err := a.view(ctx, addr, len(addrs)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for i, addr := range addrs[masters:] {
		if _, err := a.ask(ctx, addr, "CLUSTER", "REPLICATE", ids[i]); err != nil {
			return err
		}
	}
	return await(ctx, "the Cluster to be whole", func(ctx context.Context) error { return a.whole(ctx, addrs) })
}

// clusterNode is a line of CLUSTER NODES.
type clusterNode struct {
	id, addr string
	flags    []string
	master   string // the id of its master, or "-"
	slots    []string
}

func (n clusterNode) is(flag string) bool { return slices.Contains(n.flags, flag) }

// view answers how a node sees a Cluster of so many nodes, if it has a working
// link to all of them.
func (a access) view(ctx context.Context, addr string, count int) ([]clusterNode, error) {
	text, err := a.text(ctx, addr, "CLUSTER", "NODES")
	if err != nil {
		return nil, err
	}
	nodes := parseNodes(text)
	if len(nodes) != count {
		return nil, fmt.Errorf("%s knows %d nodes of %d", addr, len(nodes), count)
	}
	for _, n := range nodes {
		if bad := n.is("handshake") || n.is("fail") || n.is("fail?") || n.is("noaddr"); bad || n.is("disconnected") {
			return nil, fmt.Errorf("%s sees %s in the state %q", addr, n.addr, n.flags)
		}
	}
	return nodes, nil
}

func parseNodes(text string) (nodes []clusterNode) {
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 8 {
			continue
		}
		addr, _, _ := strings.Cut(f[1], "@")
		// The state of the link is one more flag.
		nodes = append(nodes, clusterNode{f[0], addr, append(strings.Split(f[2], ","), f[7]), f[3], f[8:]})
	}
	return nodes
}

// whole says whether every node sees all slots served, by half of the nodes, and
// every other node is a replica in step.
func (a access) whole(ctx context.Context, addrs []string) error {
	for _, addr := range addrs {
		info, err := a.text(ctx, addr, "CLUSTER", "INFO")
		if err != nil {
			return err
		}
		if f := fields(info); f["cluster_state"] != "ok" || f["cluster_slots_ok"] != strconv.Itoa(slots) {
			return fmt.Errorf("%s sees the Cluster in the state %q with %s slots served", addr, f["cluster_state"], f["cluster_slots_ok"])
		}
		nodes, err := a.view(ctx, addr, len(addrs))
		if err != nil {
			return err
		}
		at, replicas := make(map[string]string), make(map[string]int)
		masters := 0
		for _, n := range nodes {
			at[n.id] = n.addr
			if n.is("slave") {
				replicas[n.master]++
			}
			if n.is("master") && len(n.slots) > 0 {
				masters++
			}
		}
		if masters != len(addrs)/2 {
			return fmt.Errorf("%s sees %d masters", addr, masters)
		}
		for _, n := range nodes {
			if n.is("myself") && n.is("slave") {
				if err := a.replicates(ctx, addr, at[n.master]); err != nil {
					return err
				}
			}
			if n.is("myself") && n.is("master") {
				if err := a.passesOn(ctx, addr, replicas[n.id]); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// Addrs answers the addresses of all nodes.
func (c *Cluster) Addrs() []string { return addrs(c.Nodes) }

// Node answers the server at an address, or nil.
func (c *Cluster) Node(addr string) *Server { return c.group.node(addr) }

// Masters answers the nodes that serve slots now, as the first node sees it that
// answers. A dead one counts until its replica has taken over.
func (c *Cluster) Masters(ctx context.Context) (masters []*Server, err error) {
	for _, s := range c.Nodes {
		one, cancel := context.WithTimeout(ctx, lookTimeout)
		text, fault := c.access.text(one, s.addr, "CLUSTER", "NODES")
		cancel()
		if fault != nil {
			err = errors.Join(err, fault)
			continue
		}
		for _, n := range parseNodes(text) {
			if s := c.Node(n.addr); s != nil && n.is("master") && len(n.slots) > 0 {
				masters = append(masters, s)
			}
		}
		return masters, nil
	}
	return nil, fmt.Errorf("servers: no node of the Cluster answers: %w", err)
}

// AwaitFailover waits until a node that was killed or frozen serves no slot, and
// the others serve them all.
func (c *Cluster) AwaitFailover(ctx context.Context, old *Server) error {
	return await(ctx, "a replica to take over from "+old.name, func(ctx context.Context) error {
		masters, err := c.Masters(ctx)
		if err != nil {
			return err
		}
		if slices.Contains(masters, old) {
			return errors.New("it still serves slots")
		}
		for _, s := range masters {
			info, err := c.access.text(ctx, s.addr, "CLUSTER", "INFO")
			if err != nil {
				return err
			}
			if state := fields(info)["cluster_state"]; state != "ok" {
				return fmt.Errorf("%s sees the Cluster in the state %q", s.addr, state)
			}
		}
		return nil
	})
}

// Heal brings back everything that was killed or frozen, and waits until every
// node says that the Cluster is whole, with three masters and three replicas in
// step. A master that was replaced comes back as a replica.
func (c *Cluster) Heal(ctx context.Context) error {
	if err := c.group.each(func(s *Server) error { return s.heal(ctx) }); err != nil {
		return err
	}
	return await(ctx, "the Cluster to be whole", func(ctx context.Context) error { return c.access.whole(ctx, c.Addrs()) })
}

// Stop ends all servers and removes their files. Doing it again is no error.
func (c *Cluster) Stop() error { return c.group.stop() }
