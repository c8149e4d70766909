package cassandra

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/websession/websession/session/driver"
)

// Settings of a node that matter here. A user may be unable to read them.
const settingsQuery = "SELECT name, value FROM system_views.settings WHERE name IN ('commitlog_sync', 'commitlog_sync_period', " +
	"'max_mutation_size', 'native_transport_max_frame_size', 'paxos_variant', 'authenticator')"

// settingsOf reads the settings of a node, as far as the user may.
func settingsOf(ctx context.Context, s server) (map[string]string, error) {
	rows, err := s.texts(ctx, settingsQuery)
	if err != nil && kindOf(err) != refused {
		return nil, err
	}
	settings := make(map[string]string)
	for _, row := range rows {
		settings[row["name"]] = row["value"]
	}
	return settings, nil
}

// overhead is more than what a statement has beside the data.
const overhead = 16 << 10

// largest answers how many bytes of data a node takes by its settings. A node does
// not say that a transaction was too large: it would seem to be slow.
func largest(settings map[string]string) int {
	most := driver.MaxData
	for _, name := range []string{"max_mutation_size", "native_transport_max_frame_size"} {
		if size := sizeOf(settings[name]); size > 0 {
			most = min(most, max(0, size-overhead))
		}
	}
	return most
}

// usualLife is how long sessions live at most where nobody says otherwise.
const usualLife = 7 * 24 * time.Hour

// Ping implements driver.Pinger. It asks a node about itself, the cluster and the
// tables, and warns of settings that lose sessions.
func (s *Store) Ping(ctx context.Context) (driver.Info, error) {
	if err := s.enter(ctx); err != nil {
		return driver.Info{}, fail("ping", err)
	}
	defer s.life.RUnlock()
	r, err := ringOf(ctx, s.server, s.options.Keyspace)
	if err != nil {
		return driver.Info{}, fail("ping", err)
	}
	rows, err := s.server.texts(ctx, "SELECT gc_grace_seconds FROM system_schema.tables WHERE keyspace_name = ? AND table_name = ?",
		s.options.Keyspace, s.options.Table)
	if err != nil {
		return driver.Info{}, fail("ping", err)
	}
	settings, err := settingsOf(ctx, s.server)
	if err != nil {
		return driver.Info{}, fail("ping", err)
	}
	i := report{info: driver.Info{Server: "Apache Cassandra " + r.version, Facts: make(map[string]string)}, settings: settings}
	i.version(r.version)
	i.topology(r, s.options)
	if len(rows) > 0 {
		i.graves(rows[0]["gc_grace_seconds"])
	}
	i.limits()
	i.safety(r, s.options)
	return i.info, nil
}

// report is what Ping says.
type report struct {
	info     driver.Info
	settings map[string]string
}

func (i *report) warn(format string, args ...any) {
	i.info.Warnings = append(i.info.Warnings, fmt.Sprintf(format, args...))
}

// version warns of servers that are older than those that were tried.
func (i *report) version(text string) {
	var major, minor int
	if n, _ := fmt.Sscanf(text, "%d.%d", &major, &minor); n == 2 && (major < 4 || major == 4 && minor < 1) {
		i.warn("The server is Cassandra %s, and 4.1 is the oldest that is supported: transactions of older ones have known faults.", text)
	}
}

func (i *report) topology(r ring, o Options) {
	f := i.info.Facts
	f["cluster"], f["keyspace"], f["table"] = r.cluster, o.Keyspace, o.Table
	var nodes []string
	for _, name := range r.datacenters() {
		nodes = append(nodes, fmt.Sprintf("%s: %d", name, r.nodes[name]))
	}
	f["nodes"] = strings.Join(nodes, ", ")
	var all []string
	for name, n := range r.copies {
		if name == "" {
			name = "all datacenters"
		}
		all = append(all, fmt.Sprintf("%s: %d", name, n))
	}
	f["copies"] = r.strategy + ", " + strings.Join(all, ", ")
	f["consistency"] = o.Consistency + ", " + o.SerialConsistency
	if v := i.settings["paxos_variant"]; v != "" {
		f["paxos_variant"] = v
	}
	if _, simple := r.copies[""]; simple {
		i.warn("The keyspace has the strategy %s, which knows no racks and no datacenters: run ALTER KEYSPACE with NetworkTopologyStrategy.", r.strategy)
	}
	if len(r.nodes) > 1 && o.SerialConsistency == LocalSerial {
		i.warn("The cluster has several datacenters: if applications in more than one of them write, set serial_consistency to SERIAL.")
	}
}

// graves warns of tombstones that go while an old copy may come back.
func (i *report) graves(text string) {
	n, err := strconv.Atoi(text)
	if err != nil {
		return
	}
	grace := time.Duration(n) * time.Second
	i.info.Facts["gc_grace"] = grace.String()
	if grace < usualLife {
		i.warn("gc_grace_seconds is %d: a node that was down for longer, and is not repaired, brings back ended sessions that would live longer than that. Set it to the longest life of a session at least.", n)
	}
}

// limits warns of sessions that the server would refuse.
func (i *report) limits() {
	for _, name := range []string{"max_mutation_size", "native_transport_max_frame_size"} {
		if text := i.settings[name]; sizeOf(text) > 0 {
			i.info.Facts[name] = text
		}
	}
	if most := largest(i.settings); most < driver.MaxData {
		i.warn("The server takes sessions of at most %d KiB, and other stores take %d: raise max_mutation_size, which is half of commitlog_segment_size, and native_transport_max_frame_size.",
			most>>10, driver.MaxData>>10)
	}
}

// sizeOf reads sizes such as 16MiB; 0 is what is none.
func sizeOf(text string) int {
	digits := strings.TrimRight(text, "KMGiB")
	n, err := strconv.Atoi(digits)
	if err != nil {
		return 0
	}
	return n << map[string]int{"KiB": 10, "MiB": 20, "GiB": 30}[text[len(digits):]]
}
