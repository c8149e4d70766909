package testenv

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/websession/websession/internal/servers"
)

var sharedRedis = &shared{
	name: "Redis", variable: "WEBSESSION_TEST_REDIS", form: "host:port", install: "redis-server",
	parse: func(value string) (endpoint, error) {
		e, err := parseAddrs(value)
		if err == nil && len(e.addrs) > 1 {
			err = errors.New("it names several servers")
		}
		return e, err
	},
	check:  reachRedis,
	docker: redisByDocker,
	local: func(ctx context.Context) (endpoint, error) {
		s, err := servers.StartRedis(ctx, nil)
		if err != nil {
			return endpoint{}, err
		}
		return endpoint{addrs: []string{s.Addr()}, stop: s.Stop}, nil
	},
}

var sharedSentinel = &shared{
	name: "Redis Sentinel set", variable: "WEBSESSION_TEST_SENTINEL", form: "host:port,host:port,...;service", install: "redis-server",
	parse: func(value string) (endpoint, error) {
		list, service, _ := strings.Cut(value, ";")
		e, err := parseAddrs(list)
		e.service = strings.TrimSpace(service)
		if err == nil && e.service == "" {
			err = errors.New("it names no service")
		}
		return e, err
	},
	check:  reachRedis,
	docker: sentinelByDocker,
	local: func(ctx context.Context) (endpoint, error) {
		s, err := servers.StartSentinel(ctx, nil)
		if err != nil {
			return endpoint{}, err
		}
		return endpoint{addrs: s.Addrs(), service: s.Service(), stop: s.Stop}, nil
	},
}

var sharedCluster = &shared{
	name: "Redis Cluster", variable: "WEBSESSION_TEST_CLUSTER", form: "host:port,host:port,...", install: "redis-server",
	parse:  parseAddrs,
	check:  reachRedis,
	docker: clusterByDocker,
	local: func(ctx context.Context) (endpoint, error) {
		s, err := servers.StartCluster(ctx, nil)
		if err != nil {
			return endpoint{}, err
		}
		return endpoint{addrs: s.Addrs(), stop: s.Stop}, nil
	},
}

// Redis answers a place on a Redis server: a prefix that nobody else uses. Its
// properties are server and prefix. Keys that are left are deleted at the end of
// the test.
func Redis(tb testing.TB) *Place {
	tb.Helper()
	sharedRedis.get(tb)
	return redisPlace(tb, sharedRedis, map[string]any{"server": sharedRedis.addrs[0]})
}

// Sentinel answers a place on a Redis server that Sentinels watch. Its
// properties are sentinels, service and prefix.
func Sentinel(tb testing.TB) *Place {
	tb.Helper()
	sharedSentinel.get(tb)
	return redisPlace(tb, sharedSentinel, map[string]any{"sentinels": slices.Clone(sharedSentinel.addrs), "service": sharedSentinel.service})
}

// Cluster answers a place on a Redis Cluster. Its properties are server, with
// all nodes, and prefix.
func Cluster(tb testing.TB) *Place {
	tb.Helper()
	sharedCluster.get(tb)
	return redisPlace(tb, sharedCluster, map[string]any{"server": slices.Clone(sharedCluster.addrs)})
}

func redisPlace(tb testing.TB, s *shared, props map[string]any) *Place {
	tb.Helper()
	p := &Place{Properties: props, Addrs: slices.Clone(s.addrs), Service: s.service, Prefix: uniqueName() + ":", how: s.how}
	props["prefix"] = p.Prefix
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), cleanTimeout)
		defer cancel()
		if err := deleteKeys(ctx, s.endpoint, p.Prefix); err != nil {
			tb.Errorf("testenv: delete the keys below %s: %v", p.Prefix, err)
		}
	})
	return p
}

func parseAddrs(value string) (e endpoint, err error) {
	for addr := range strings.SplitSeq(value, ",") {
		addr = strings.TrimSpace(addr)
		if _, _, err := net.SplitHostPort(addr); err != nil {
			return e, err
		}
		e.addrs = append(e.addrs, addr)
	}
	return e, nil
}
