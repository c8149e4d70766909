package cassandra

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/websession/websession/session/driver"
)

// replication is how many copies each datacenter has, as it was written.
type replication []copies

type copies struct {
	datacenter string
	count      int
}

const mostCopies = 100

var datacenterPattern = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)

// readReplication reads how a keyspace is made.
func readReplication(d *driver.Decoder) replication {
	list := d.List("create_keyspace", `makes the keyspace if it is not there, with so many copies in each datacenter: "dc1:3" or "dc1:3,dc2:3"`)
	if !d.Has("create_keyspace") {
		return nil
	}
	var r replication
	for _, text := range list {
		name, number, _ := strings.Cut(text, ":")
		count, err := strconv.Atoi(number)
		if err != nil || count < 1 || count > mostCopies || !datacenterPattern.MatchString(name) {
			d.Fail("create_keyspace", `must name datacenters with their number of copies: "dc1:3,dc2:3"`)
			return nil
		}
		r = append(r, copies{name, count})
	}
	if len(r) == 0 {
		d.Fail("create_keyspace", `is empty: it must look like "dc1:3"`)
	}
	return r
}

func (r replication) statement(keyspace string) string {
	var b strings.Builder
	for _, c := range r {
		fmt.Fprintf(&b, ", '%s': %d", c.datacenter, c.count)
	}
	return fmt.Sprintf(`CREATE KEYSPACE IF NOT EXISTS "%s" WITH replication = {'class': 'NetworkTopologyStrategy'%s}`, keyspace, b.String())
}

// ring is the nodes of a cluster, and the copies of a keyspace.
type ring struct {
	cluster, version string
	nodes            map[string]int // by datacenter
	strategy         string
	copies           map[string]int // by datacenter; "" where the strategy knows none
}

// ringOf asks a node. Without the keyspace there are no copies.
func ringOf(ctx context.Context, s server, keyspace string) (r ring, err error) {
	local, err := s.texts(ctx, "SELECT cluster_name, release_version, data_center FROM system.local")
	if err != nil {
		return r, err
	}
	peers, err := s.texts(ctx, "SELECT data_center FROM system.peers")
	if err != nil {
		return r, err
	}
	r.nodes = make(map[string]int)
	for _, n := range append(local, peers...) {
		r.nodes[n["data_center"]]++
	}
	for _, n := range local {
		r.cluster, r.version = n["cluster_name"], n["release_version"]
	}
	rows, err := s.texts(ctx, "SELECT replication FROM system_schema.keyspaces WHERE keyspace_name = ?", keyspace)
	if err != nil || len(rows) == 0 {
		return r, err
	}
	r.copies = make(map[string]int)
	for name, value := range rows[0] {
		option := strings.TrimPrefix(name, "replication.")
		digits, _, _ := strings.Cut(value, "/") // transient copies are behind it
		switch n, err := strconv.Atoi(digits); {
		case option == "class":
			r.strategy = value[strings.LastIndexByte(value, '.')+1:]
		case err != nil:
		case option == "replication_factor":
			r.copies[""] = n
		default:
			r.copies[option] = n
		}
	}
	return r, nil
}

func (r ring) datacenters() []string {
	var list []string
	for name := range r.nodes {
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}

// choose answers the datacenter whose nodes are used.
func (r ring) choose(name string) (string, error) {
	known := r.datacenters()
	switch {
	case name != "" && !slices.Contains(known, name):
		return "", fmt.Errorf("the cluster has no datacenter %q: correct the property datacenter: it has %s", name, strings.Join(known, ", "))
	case name == "" && len(known) > 1:
		return "", fmt.Errorf("the cluster has several datacenters (%s): name the one to use in the property datacenter", strings.Join(known, ", "))
	case name == "":
		return known[0], nil
	}
	return name, nil
}

// group is copies that a quorum is taken of, and the nodes that may have them.
type group struct{ copies, nodes int }

// quorum answers how many copies are asked.
func (g group) quorum(consistency string) int {
	if consistency == All {
		return g.copies
	}
	return g.copies/2 + 1
}

// group answers the copies that matter for a consistency.
func (r ring) group(datacenter, consistency string) group {
	if n, simple := r.copies[""]; simple {
		g := group{copies: n}
		for _, nodes := range r.nodes {
			g.nodes += nodes
		}
		return g
	}
	if consistency == LocalQuorum {
		return group{r.copies[datacenter], r.nodes[datacenter]}
	}
	var g group
	for name, n := range r.copies {
		g.copies, g.nodes = g.copies+n, g.nodes+min(n, r.nodes[name])
	}
	return g
}

// check reports copies that the nodes cannot have.
func (r ring) check(keyspace, datacenter, consistency string, warn func(string)) error {
	g := r.group(datacenter, consistency)
	has := fmt.Sprintf("the keyspace %q has %d copies of everything, and there are %d nodes for them", keyspace, g.copies, g.nodes)
	switch {
	case g.copies == 0:
		return fmt.Errorf("the keyspace %q has no copies in the datacenter %q: correct the property datacenter, or run ALTER KEYSPACE", keyspace, datacenter)
	case g.nodes < g.quorum(consistency):
		return errors.New(has + ": no write could be confirmed: add nodes, or run ALTER KEYSPACE with fewer copies")
	case g.nodes < g.copies:
		warn(strings.ToUpper(has[:1]) + has[1:] + ": fewer of them may fail than the number says.")
	}
	return nil
}
