package redis

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/websession/websession/session/driver"
)

// Ping implements driver.Pinger. It asks every master what it is, and warns of
// settings that lose sessions.
func (s *Store) Ping(ctx context.Context) (driver.Info, error) {
	if err := s.enter(ctx); err != nil {
		return driver.Info{}, fail("ping", err)
	}
	defer s.life.RUnlock()
	nodes, err := s.server.masters(ctx)
	if err != nil {
		return driver.Info{}, fail("ping", err)
	}
	r := report{store: s, info: driver.Info{Facts: make(map[string]string)}, warned: make(map[string]bool)}
	for _, n := range nodes {
		a, err := s.ask(ctx, n, "INFO")
		if err != nil && !refuses(err) {
			return driver.Info{}, fail("ping", err)
		}
		text, _ := a.(string)
		r.add(n, text, s.setting(ctx, n, "save"), s.setting(ctx, n, "appendfsync"))
	}
	r.topology(nodes)
	r.info.Guarantee = guarantee(r.durable, s.wait.replicas)
	if s.server.separate() {
		a, err := s.ask(ctx, nodes[0], "CLUSTER", "INFO")
		if err != nil && !refuses(err) {
			return driver.Info{}, fail("ping", err)
		}
		text, _ := a.(string)
		r.cluster(text)
	}
	return r.info, nil
}

// ask sends a command that changes nothing to one server.
func (s *Store) ask(ctx context.Context, n node, args ...any) (a any, err error) {
	for try := 1; ; try++ {
		if a, err = n.do(ctx, cmd("", args...)); err == nil || try == 3 || !isBroken(err) || ctx.Err() != nil {
			return a, err
		}
	}
}

// report collects what people should know about the servers.
type report struct {
	store    *Store
	info     driver.Info
	warned   map[string]bool
	durable  []durability
	replicas []string // "127.0.0.1:6379 has 127.0.0.1:6380 (online)"
}

func (r *report) warn(format string, args ...any) {
	w := fmt.Sprintf(format, args...)
	if !r.warned[w] {
		r.warned[w] = true
		r.info.Warnings = append(r.info.Warnings, w)
	}
}

// add reads what one server says. Settings are nil where it does not tell them.
func (r *report) add(n node, info string, save, appendfsync *string) {
	replicas, _ := strconv.Atoi(field(info, "connected_slaves"))
	r.durable = append(r.durable, durabilityOf(info, save, appendfsync, replicas))
	if info == "" {
		r.warn("The server's access list forbids INFO: version, memory and replicas are not known.")
		return
	}
	server := "Redis " + field(info, "redis_version")
	if name := field(info, "server_name"); name == "valkey" || field(info, "valkey_version") != "" {
		server = "Valkey " + field(info, "valkey_version")
		r.tooOld(server, field(info, "valkey_version"), 7, 2)
	} else {
		r.tooOld(server, field(info, "redis_version"), 6, 2)
	}
	if r.info.Server == "" {
		r.info.Server = server
	} else if !strings.Contains(r.info.Server, server) {
		r.info.Server += ", " + server
	}
	r.memory(info)
	r.persistence(info, save, appendfsync)
	r.replication(n, info)
	r.login(n)
}

func (r *report) tooOld(server, version string, major, minor int) {
	var have [2]int
	for i, part := range strings.SplitN(version, ".", 3)[:min(2, strings.Count(version, ".")+1)] {
		have[i], _ = strconv.Atoi(part)
	}
	if version != "" && (have[0] < major || have[0] == major && have[1] < minor) {
		r.warn("%s is older than %d.%d, which this program was made for: update the server.", server, major, minor)
	}
}

func (r *report) memory(info string) {
	limit, policy := field(info, "maxmemory"), field(info, "maxmemory_policy")
	if r.info.Facts["maxmemory"] == "" {
		r.info.Facts["maxmemory"] = "none"
		if limit != "0" {
			r.info.Facts["maxmemory"] = limit + " bytes, " + policy
		}
	}
	if limit != "0" && policy != "" && policy != "noeviction" {
		r.warn("The server drops sessions when its memory is full (maxmemory-policy %s), which logs people out: set noeviction.", policy)
	}
}

func (r *report) persistence(info string, save, appendfsync *string) {
	state := "snapshots"
	switch {
	case field(info, "aof_enabled") == "1":
		state = "append-only file"
		if appendfsync != nil {
			state += ", appendfsync " + *appendfsync
		}
	case save == nil:
		state = "no append-only file"
	case *save == "":
		state = "none"
		r.warn("The server keeps nothing on a disk: all sessions end when it stops. Set appendonly yes.")
	}
	r.info.Facts["persistence"] = state
	if field(info, "aof_last_write_status") == "err" || field(info, "rdb_last_bgsave_status") == "err" {
		r.warn("The server could not write to its disk the last time: look at its log.")
	}
}

func (r *report) replication(n node, info string) {
	count, _ := strconv.Atoi(field(info, "connected_slaves"))
	addr := r.store.addressOf(n)
	var names []string
	for i := range count {
		var host, port, state string
		for part := range strings.SplitSeq(field(info, fmt.Sprint("slave", i)), ",") {
			switch key, value, _ := strings.Cut(part, "="); key {
			case "ip":
				host = value
			case "port":
				port = value
			case "state":
				state = value
			}
		}
		names = append(names, net.JoinHostPort(host, port)+" ("+state+")")
	}
	switch {
	case count == 0:
		r.warn("The master %s has no replica: its sessions are lost with it.", addr)
		r.replicas = append(r.replicas, addr+" has none")
	default:
		r.replicas = append(r.replicas, addr+" has "+strings.Join(names, ", "))
	}
	if want := r.store.wait.replicas; count < want {
		r.warn("The master %s has %d replicas, and wait_replicas is %d: no write can be confirmed.", addr, count, want)
	}
}

func (r *report) login(n node) {
	l, ok := n.(lone)
	if !ok {
		return
	}
	o := l.Options()
	if o.Password != "" || o.Network == "unix" || o.CredentialsProvider != nil || o.CredentialsProviderContext != nil || o.StreamingCredentialsProvider != nil {
		return
	}
	addr := r.store.addressOf(n)
	host, _, _ := net.SplitHostPort(addr)
	if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
		return
	}
	r.warn("The server %s takes anybody's sessions without a password, and is not on this machine alone: set requirepass or an access list.", addr)
}

// topology names the servers.
func (r *report) topology(nodes []node) {
	var addrs []string
	for _, n := range nodes {
		addrs = append(addrs, r.store.addressOf(n))
	}
	f := r.info.Facts
	f["prefix"] = r.store.prefix
	f["replicas"] = strings.Join(r.replicas, "; ")
	switch {
	case r.store.server.separate():
		f["topology"] = fmt.Sprintf("cluster of %d masters", len(nodes))
		f["masters"] = strings.Join(addrs, ", ")
	case r.store.sentinels != nil:
		f["topology"] = "master named by Sentinel"
		f["master"] = addrs[0]
		f["sentinels"] = strings.Join(r.store.sentinels.state(), ", ")
	default:
		f["topology"] = "one server"
		f["master"] = addrs[0]
	}
	if n := r.store.wait.replicas; n > 0 {
		f["wait_replicas"] = fmt.Sprint(n)
	}
}

// cluster reads what a node says about its cluster.
func (r *report) cluster(info string) {
	ok, all := field(info, "cluster_slots_ok"), field(info, "cluster_slots_assigned")
	r.info.Facts["slots"] = fmt.Sprintf("%s of 16384 assigned, %s served", all, ok)
	if state := field(info, "cluster_state"); state != "" && state != "ok" {
		r.warn("The cluster's state is %.20q: look at redis-cli --cluster check.", state)
	}
}

// addressOf answers the address of a server as people know it.
func (s *Store) addressOf(n node) string {
	if s.sentinels != nil {
		if addr := s.sentinels.known(); addr != "" {
			return addr
		}
	}
	return n.address()
}
