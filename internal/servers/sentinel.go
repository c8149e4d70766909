package servers

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
)

const (
	sentinelNodes = 3 // a master and two replicas
	sentinelCount = 3
	// ServiceName is the name by which the Sentinels know their master.
	ServiceName = "mymaster"
)

// SentinelOptions is what a Sentinel set has beyond the usual. Nil is nothing.
type SentinelOptions struct {
	RedisOptions // of the master and its replicas; TLS holds for the Sentinels too

	// SentinelConfig is further lines for the Sentinels.
	SentinelConfig []string

	// SentinelPassword is asked of the Sentinels' clients.
	SentinelPassword string
}

// Sentinel is a master with two replicas, watched by three Sentinels that take a
// master for dead after half a second. A failover takes about 2 s. One that comes
// to nothing, because no Sentinel is elected, is tried again after 4 s.
type Sentinel struct {
	Nodes     []*Server // Nodes[0] is the first master
	Sentinels []*Server

	group          *group
	node, sentinel access
}

// StartSentinel starts a Sentinel set and waits until all know each other. The
// context bounds the start only.
func StartSentinel(ctx context.Context, o *SentinelOptions) (*Sentinel, error) {
	if o == nil {
		o = &SentinelOptions{}
	}
	return tryPorts(sentinelNodes+sentinelCount, func(ports []int) (*Sentinel, error) {
		g, err := newGroup(ports)
		if err != nil {
			return nil, err
		}
		s := &Sentinel{group: g}
		if err := s.start(ctx, ports, *o); err != nil {
			return nil, errors.Join(err, g.stop())
		}
		return s, nil
	})
}

func (s *Sentinel) start(ctx context.Context, ports []int, o SentinelOptions) (err error) {
	ofSentinels := RedisOptions{Config: o.SentinelConfig, Password: o.SentinelPassword, TLS: o.TLS}
	if s.node, err = o.RedisOptions.access(); err != nil {
		return err
	}
	if s.sentinel, err = ofSentinels.access(); err != nil {
		return err
	}
	for i, port := range ports[:sentinelNodes] {
		var config []string
		if o.Password != "" {
			config = append(config, "masterauth "+strconv.Quote(o.Password))
		}
		if i > 0 {
			config = append(config, fmt.Sprint("replicaof 127.0.0.1 ", ports[0]))
		}
		n, err := s.group.addRedis(fmt.Sprint("node", i), port, o.RedisOptions, config...)
		if err != nil {
			return err
		}
		s.Nodes = append(s.Nodes, n)
	}
	if err := eachOf(s.Nodes, func(n *Server) error { return n.Restart(ctx) }); err != nil {
		return err
	}
	// A Sentinel asks a master for its replicas at once, and then seldom.
	if err := await(ctx, "the replicas of "+s.Nodes[0].name, func(ctx context.Context) error { return s.replicating(ctx, s.Nodes[0]) }); err != nil {
		return err
	}
	for i, port := range ports[sentinelNodes:] {
		config := SentinelConfig("127.0.0.1", ports[0])
		if o.Password != "" {
			config = append(config, "sentinel auth-pass "+ServiceName+" "+strconv.Quote(o.Password))
		}
		n, err := s.group.addRedisProgram(fmt.Sprint("sentinel", i), port, ofSentinels, config, "--sentinel")
		if err != nil {
			return err
		}
		look := n.look
		n.look = func(ctx context.Context, pid int) error {
			if err := look(ctx, pid); err != nil {
				return err
			}
			s.sentinel.hasten(ctx, n.addr)
			return nil
		}
		s.Sentinels = append(s.Sentinels, n)
	}
	if err := eachOf(s.Sentinels, func(n *Server) error { return n.Restart(ctx) }); err != nil {
		return err
	}
	return await(ctx, "the Sentinels to agree", s.healthy)
}

// SentinelConfig is the lines by which a Sentinel watches the master at an
// address, quick to find it dead.
func SentinelConfig(host string, port int) []string {
	return []string{
		fmt.Sprintf("sentinel monitor %s %s %d 2", ServiceName, host, port),
		"sentinel down-after-milliseconds " + ServiceName + " 500",
		"sentinel failover-timeout " + ServiceName + " 2000",
		"sentinel parallel-syncs " + ServiceName + " 2",
	}
}

// hasten shortens the periods that are compiled in, such as 10 s between two
// looks at the replicas. Redis before 7 refuses, and is only slower. Five times
// ping-period must be clearly more than a second: while the master is down a
// Sentinel looks at the replicas once a second, whatever info-period is, and
// takes none for master whose last look is older than those five periods. It
// would give up and try again after 4 s.
func (a access) hasten(ctx context.Context, addr string) {
	a.ask(ctx, addr, "SENTINEL", "DEBUG", "info-period", "200", "ping-period", "300", "ask-period", "100",
		"publish-period", "200", "election-timeout", "1000")
}

// AwaitSentinels waits until these Sentinels, which need no password, know a
// master that is well, its replicas and each other.
func AwaitSentinels(ctx context.Context, addrs []string, replicas int) error {
	return await(ctx, "the Sentinels to agree", func(ctx context.Context) error {
		for _, addr := range addrs {
			access{}.hasten(ctx, addr) // again and again: it may not have been up yet
			if _, err := (access{}).agrees(ctx, addr, replicas, len(addrs)-1); err != nil {
				return err
			}
		}
		return nil
	})
}

// agrees answers the master that a Sentinel knows, if all is well there.
func (a access) agrees(ctx context.Context, addr string, replicas, others int) (master string, err error) {
	list, err := a.texts(ctx, addr, "SENTINEL", "MASTER", ServiceName)
	if err != nil {
		return "", err
	}
	m := pairs(list)
	if m["flags"] != "master" || m["num-slaves"] != strconv.Itoa(replicas) || m["num-other-sentinels"] != strconv.Itoa(others) {
		return "", fmt.Errorf("Sentinel %s sees a master in the state %q with %s replicas and %s other Sentinels",
			addr, m["flags"], m["num-slaves"], m["num-other-sentinels"])
	}
	for _, of := range []struct{ command, flags string }{{"REPLICAS", "slave"}, {"SENTINELS", "sentinel"}} {
		v, err := a.ask(ctx, addr, "SENTINEL", of.command, ServiceName)
		if err != nil {
			return "", err
		}
		members, _ := v.([]any)
		for _, member := range members {
			p := pairs(stringsOf(member))
			if p["flags"] != of.flags {
				return "", fmt.Errorf("Sentinel %s sees %s in the state %q", addr, p["name"], p["flags"])
			}
		}
	}
	return net.JoinHostPort(m["ip"], m["port"]), nil
}

// Addrs answers the addresses of the Sentinels.
func (s *Sentinel) Addrs() []string { return addrs(s.Sentinels) }

func addrs(servers []*Server) (list []string) {
	for _, n := range servers {
		list = append(list, n.addr)
	}
	return list
}

// Service answers the name by which the Sentinels know their master.
func (s *Sentinel) Service() string { return ServiceName }

// Node answers the server at an address, or nil.
func (s *Sentinel) Node(addr string) *Server { return s.group.node(addr) }

// Master answers the node that two Sentinels at least name as the master now. It
// may be dead: until the failover is done they name the old one.
func (s *Sentinel) Master(ctx context.Context) (*Server, error) {
	votes := make(map[string]int)
	var faults error
	for _, addr := range s.Addrs() {
		one, cancel := context.WithTimeout(ctx, lookTimeout/sentinelCount)
		at, err := s.sentinel.texts(one, addr, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", ServiceName)
		cancel()
		if err != nil || len(at) != 2 {
			faults = errors.Join(faults, err)
			continue
		}
		name := net.JoinHostPort(at[0], at[1])
		if votes[name]++; votes[name] > sentinelCount/2 {
			if n := s.Node(name); n != nil {
				return n, nil
			}
		}
	}
	return nil, errors.Join(fmt.Errorf("servers: no two Sentinels name the same master: %v", votes), faults)
}

// AwaitMaster waits until the Sentinels name a master other than old, which may
// be nil, and it answers that it is one.
func (s *Sentinel) AwaitMaster(ctx context.Context, old *Server) (master *Server, err error) {
	err = await(ctx, "a new master", func(ctx context.Context) error {
		if master, err = s.Master(ctx); err != nil {
			return err
		}
		if master == old {
			return errors.New("the Sentinels name the old one")
		}
		role, err := s.node.texts(ctx, master.addr, "ROLE")
		if err == nil && (len(role) == 0 || role[0] != "master") {
			err = fmt.Errorf("%s answers the role %q", master.addr, role)
		}
		return err
	})
	return master, err
}

// Heal brings back everything that was killed or frozen, and waits until there
// is one master with two replicas in step, and three Sentinels that say so. A
// master that was replaced comes back as a replica.
func (s *Sentinel) Heal(ctx context.Context) error {
	if err := s.group.each(func(n *Server) error { return n.heal(ctx) }); err != nil {
		return err
	}
	return await(ctx, "the Sentinel set to be whole", s.healthy)
}

func (s *Sentinel) healthy(ctx context.Context) error {
	var masters []string
	for _, addr := range s.Addrs() {
		m, err := s.sentinel.agrees(ctx, addr, sentinelNodes-1, sentinelCount-1)
		if err != nil {
			return err
		}
		masters = append(masters, m)
	}
	if masters = slices.Compact(masters); len(masters) > 1 {
		return fmt.Errorf("the Sentinels name the masters %q", masters)
	}
	master := s.Node(masters[0])
	if master == nil {
		return fmt.Errorf("the Sentinels name the master %q, which is none of ours", masters[0])
	}
	return s.replicating(ctx, master)
}

// replicating says whether all other nodes have what a master writes.
func (s *Sentinel) replicating(ctx context.Context, master *Server) error {
	for _, n := range s.Nodes {
		if err := s.node.replicates(ctx, n.addr, master.addr); err != nil {
			return err
		}
	}
	return s.node.passesOn(ctx, master.addr, len(s.Nodes)-1)
}

// passesOn says whether a master passes on what it writes to so many replicas. Of
// one whose link is up a master may take up to a second longer to think so: it
// would lose what it wrote until then.
func (a access) passesOn(ctx context.Context, master string, replicas int) error {
	c, err := a.dial(ctx, master)
	if err != nil {
		return err
	}
	defer c.Close()
	// WAIT waits for what this connection wrote. In a Cluster a message is not
	// passed on to replicas, and WAIT tells whether they are there.
	v, err := c.DoAll([][]string{{"PUBLISH", "nobody", "listens"}, {"WAIT", strconv.Itoa(replicas), "250"}})
	if err != nil {
		return fmt.Errorf("%s: %w", master, err)
	}
	if n, _ := v[1].(int64); n < int64(replicas) {
		return fmt.Errorf("%s passes on what it writes to %d replicas of %d", master, n, replicas)
	}
	return nil
}

// replicates says whether a node is this master, or a replica of it whose link is
// up.
func (a access) replicates(ctx context.Context, addr, master string) error {
	info, err := a.text(ctx, addr, "INFO", "replication")
	if err != nil {
		return err
	}
	f := fields(info)
	if addr == master {
		if f["role"] != "master" {
			return fmt.Errorf("%s is no master", addr)
		}
		return nil
	}
	of := net.JoinHostPort(f["master_host"], f["master_port"])
	if of != master || f["master_link_status"] != "up" {
		return fmt.Errorf("%s is a %s of %s, its link %q", addr, f["role"], of, f["master_link_status"])
	}
	return nil
}

// Stop ends all servers and removes their files. Doing it again is no error.
func (s *Sentinel) Stop() error { return s.group.stop() }
