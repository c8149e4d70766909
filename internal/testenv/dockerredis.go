package testenv

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/websession/websession/internal/servers"
)

const (
	redisImage    = "redis:7"
	redisVariable = "WEBSESSION_TEST_REDIS_IMAGE"
)

// inContainer is what every Redis server in a container needs: it is reached
// from outside of its loopback.
var inContainer = []string{"bind 0.0.0.0", "protected-mode no", `save ""`, "appendonly no", "repl-diskless-sync-delay 0", "repl-ping-replica-period 1"}

func redisByDocker(ctx context.Context, e *engine) (endpoint, error) {
	addrs, stop, err := e.run(container{
		image: redisImage, variable: redisVariable,
		cmd: []string{"redis-server", "--save", "", "--appendonly", "no"}, ports: []int{6379},
	})
	if err != nil {
		return endpoint{}, err
	}
	found := endpoint{addrs: addrs, stop: stop}
	return found.await(ctx, func(ctx context.Context) error { return reachRedis(ctx, found) })
}

// redisProcess is a Redis server, or a Sentinel, among others in one container.
type redisProcess struct {
	port   int
	args   string
	config []string
}

// runRedisSet runs several processes in one container. They name each other by
// loopback addresses with ports that are the same inside and outside: so these
// addresses, which they hand to clients, hold for the tests as well, without a
// network that clients would have to reach.
func runRedisSet(e *engine, n int, processes func(ports []int) []redisProcess) (addrs []string, stop func() error, err error) {
	for try := 1; ; try++ {
		ports, release, err := reservePorts(n)
		if err != nil {
			return nil, nil, err
		}
		var script strings.Builder
		for _, p := range processes(ports) {
			dir := fmt.Sprint("/tmp/", p.port)
			config := append([]string{fmt.Sprint("port ", p.port), "dir " + dir}, p.config...)
			fmt.Fprintf(&script, "mkdir %s && cat >%s/redis.conf <<'END'\n%s\nEND\n", dir, dir, strings.Join(config, "\n"))
			fmt.Fprintf(&script, "redis-server %s/redis.conf %s &\n", dir, p.args)
		}
		script.WriteString("wait\n")
		addrs, remove, err := e.run(container{
			image: redisImage, variable: redisVariable,
			cmd: []string{"sh", "-c", script.String()}, ports: ports, same: true,
		})
		if err == nil {
			return addrs, func() error { defer release(); return remove() }, nil
		}
		release()
		// Docker says in two ways that somebody has taken a port meanwhile.
		if taken := strings.Contains(err.Error(), "already allocated") || strings.Contains(err.Error(), "already in use"); try == 3 || !taken {
			return nil, nil, err
		}
	}
}

func reservePorts(n int) (ports []int, release func(), err error) {
	addrs, release, err := servers.ReserveAddrs(n)
	for _, addr := range addrs {
		_, text, _ := net.SplitHostPort(addr)
		port, _ := strconv.Atoi(text)
		ports = append(ports, port)
	}
	return ports, release, err
}

func sentinelByDocker(ctx context.Context, e *engine) (endpoint, error) {
	const nodes, sentinels = 3, 3
	addrs, stop, err := runRedisSet(e, nodes+sentinels, func(ports []int) (list []redisProcess) {
		for i, port := range ports {
			p := redisProcess{port: port}
			switch {
			case i == 0:
				p.config = inContainer
			case i < nodes:
				p.config = append([]string{fmt.Sprint("replicaof 127.0.0.1 ", ports[0])}, inContainer...)
			default:
				p.args = "--sentinel"
				p.config = append([]string{"bind 0.0.0.0", "protected-mode no", "sentinel announce-ip 127.0.0.1"}, servers.SentinelConfig("127.0.0.1", ports[0])...)
			}
			list = append(list, p)
		}
		return list
	})
	if err != nil {
		return endpoint{}, err
	}
	found := endpoint{addrs: addrs[nodes:], service: servers.ServiceName, stop: stop}
	if err := servers.AwaitSentinels(ctx, found.addrs, nodes-1); err != nil {
		return endpoint{}, errors.Join(err, stop())
	}
	return found, nil
}

func clusterByDocker(ctx context.Context, e *engine) (endpoint, error) {
	const nodes = 6
	addrs, stop, err := runRedisSet(e, nodes, func(ports []int) (list []redisProcess) {
		for _, port := range ports {
			list = append(list, redisProcess{port: port, config: append(servers.ClusterConfig(), inContainer...)})
		}
		return list
	})
	if err != nil {
		return endpoint{}, err
	}
	found := endpoint{addrs: addrs, stop: stop}
	for _, addr := range addrs {
		node := endpoint{addrs: []string{addr}}
		if _, err := found.await(ctx, func(ctx context.Context) error { return reachRedis(ctx, node) }); err != nil {
			return endpoint{}, err
		}
	}
	if err := servers.FormCluster(ctx, addrs); err != nil {
		return endpoint{}, errors.Join(err, stop())
	}
	return found, nil
}
