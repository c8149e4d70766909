package redis

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"

	goredis "github.com/redis/go-redis/v9"
)

// probeScript runs every command that a store needs, at a key where there is
// nothing, so that nothing comes of it: an access list that forbids one shows at
// once. KEYS: record, index.
var probeScript = newScript("probe", `
local k, i = KEYS[1], KEYS[2]
redis.call('TIME')
redis.call('GET', k)
redis.call('EXISTS', k)
redis.call('STRLEN', k)
redis.call('GETRANGE', k, 0, 1)
redis.call('SET', k, '', 'XX', 'PX', 1000)
redis.call('SETRANGE', k, 0, '')
redis.call('PEXPIRE', k, 1000)
redis.call('PERSIST', k)
redis.call('DEL', k)
if i then
  redis.call('HGET', i, 'k')
  redis.call('HGETALL', i)
  redis.call('HLEN', i)
  redis.call('HRANDFIELD', i, 4, 'WITHVALUES')
  redis.call('HDEL', i, 'k')
  redis.call('PTTL', i)
end
return 1`)

// examine reports why the server cannot keep sessions.
func (s *Store) examine(ctx context.Context, a *adapter, o Options) error {
	if a.cluster != nil {
		if err := checkRouting(a.cluster.Options()); err != nil {
			return err
		}
	}
	nodes, err := a.masters(ctx)
	if err != nil {
		return err
	}
	for _, n := range nodes {
		id, err := identify(asking(ctx, n))
		switch {
		case err != nil:
			return err
		case id.role != "" && id.role != "master":
			return errRole{role: id.role}
		}
	}
	if a.cluster == nil {
		if err := checkStandalone(ctx, nodes[0]); err != nil {
			return err
		}
	}
	return s.probe(ctx, o)
}

// checkRouting refuses a client of the application that reads from replicas.
func checkRouting(o *goredis.ClusterOptions) error {
	if o.ReadOnly || o.RouteByLatency || o.RouteRandomly {
		return errors.New("the client reads from replicas, which may be behind: make it without ReadOnly, RouteByLatency and RouteRandomly")
	}
	return nil
}

// checkStandalone refuses a node of a cluster.
func checkStandalone(ctx context.Context, n node) error {
	a, err := n.do(ctx, cmd("", "INFO", "cluster"))
	if err != nil && !refuses(err) {
		return err
	}
	if info, _ := a.(string); field(info, "cluster_enabled") == "1" {
		return errors.New("the server is a node of a cluster: use the class RedisCluster")
	}
	return nil
}

// probe finds out whether the user may do what a store does. A server that does
// not take writes at the moment is no reason not to read.
func (s *Store) probe(ctx context.Context, o Options) error {
	id := strings.ToLower(rand.Text())
	keys := []string{s.recordKey(id)}
	if !s.server.separate() {
		keys = append(keys, s.indexKey("probe", id))
	}
	_, err := s.runOn(ctx, probeScript, keys)
	switch r := reply(err); {
	case err == nil:
		return nil
	case strings.Contains(r, "OOM"), strings.Contains(r, "MISCONF"), strings.Contains(r, "NOREPLICAS"):
		o.Warn(fmt.Sprintf("redis: the server takes no writes: %v", explainReply(err)))
		return nil
	}
	return err
}
