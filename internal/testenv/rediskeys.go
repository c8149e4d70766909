package testenv

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/websession/websession/internal/servers"
)

// Keys answers the keys of a place in Redis, on all masters.
func (p *Place) Keys(ctx context.Context) (keys []string, err error) {
	err = onMasters(ctx, endpoint{addrs: p.Addrs, service: p.Service}, func(c *servers.RedisConn, _ bool) error {
		return scan(c, p.Prefix, func(page []string) error {
			keys = append(keys, page...)
			return nil
		})
	})
	return keys, err
}

// reachRedis says whether there are masters that answer.
func reachRedis(ctx context.Context, e endpoint) error {
	return onMasters(ctx, e, func(c *servers.RedisConn, _ bool) error {
		_, err := c.Do("PING")
		return err
	})
}

func deleteKeys(ctx context.Context, e endpoint, prefix string) error {
	return onMasters(ctx, e, func(c *servers.RedisConn, cluster bool) error {
		return scan(c, prefix, func(page []string) error {
			commands := [][]string{append([]string{"UNLINK"}, page...)}
			if cluster { // where keys of two slots must not share a command
				commands = nil
				for _, key := range page {
					commands = append(commands, []string{"UNLINK", key})
				}
			}
			_, err := c.DoAll(commands)
			return err
		})
	})
}

// scan calls do with the keys below a prefix, some at a time.
func scan(c *servers.RedisConn, prefix string, do func([]string) error) error {
	for cursor := "0"; ; {
		v, err := c.Do("SCAN", cursor, "MATCH", prefix+"*", "COUNT", "1000")
		if err != nil {
			return err
		}
		answer, ok := v.([]any)
		if !ok || len(answer) != 2 {
			return fmt.Errorf("SCAN answered %v", v)
		}
		if page := texts(answer[1]); len(page) > 0 {
			if err := do(page); err != nil {
				return err
			}
		}
		if cursor, _ = answer[0].(string); cursor == "0" {
			return nil
		}
	}
}

func texts(v any) (list []string) {
	values, _ := v.([]any)
	for _, value := range values {
		s, _ := value.(string)
		list = append(list, s)
	}
	return list
}

// onMasters does something on each master that an endpoint leads to.
func onMasters(ctx context.Context, e endpoint, do func(c *servers.RedisConn, cluster bool) error) error {
	masters, cluster, err := mastersOf(ctx, e)
	if err != nil {
		return err
	}
	for _, addr := range masters {
		err := onServer(ctx, addr, func(c *servers.RedisConn) error { return do(c, cluster) })
		if err != nil {
			return fmt.Errorf("%s: %w", addr, err)
		}
	}
	return nil
}

func onServer(ctx context.Context, addr string, do func(*servers.RedisConn) error) error {
	c, err := servers.DialRedis(ctx, addr)
	if err != nil {
		return err
	}
	defer c.Close()
	return do(c)
}

// mastersOf asks the first server that answers, except that a server by itself
// is taken as it is.
func mastersOf(ctx context.Context, e endpoint) (masters []string, cluster bool, err error) {
	if e.service == "" && len(e.addrs) == 1 {
		return e.addrs, false, nil
	}
	for _, addr := range e.addrs {
		fault := onServer(ctx, addr, func(c *servers.RedisConn) (err error) {
			if e.service != "" {
				masters, err = sentinelMaster(c, e.service)
				return err
			}
			cluster = true
			masters, err = clusterMasters(c)
			return err
		})
		if fault == nil {
			return masters, cluster, nil
		}
		err = errors.Join(err, fmt.Errorf("%s: %w", addr, fault))
	}
	return nil, false, err
}

func sentinelMaster(c *servers.RedisConn, service string) ([]string, error) {
	v, err := c.Do("SENTINEL", "GET-MASTER-ADDR-BY-NAME", service)
	if err != nil {
		return nil, err
	}
	at := texts(v)
	if len(at) != 2 {
		return nil, fmt.Errorf("the Sentinel knows no service %q", service)
	}
	return []string{net.JoinHostPort(at[0], at[1])}, nil
}

func clusterMasters(c *servers.RedisConn) (masters []string, err error) {
	v, err := c.Do("CLUSTER", "NODES")
	if err != nil {
		return nil, err
	}
	text, _ := v.(string)
	for line := range strings.Lines(text) {
		// id, address@bus, flags, ..., and from the ninth on the slots
		if f := strings.Fields(line); len(f) > 8 && strings.Contains(f[2], "master") {
			addr, _, _ := strings.Cut(f[1], "@")
			masters = append(masters, addr)
		}
	}
	if len(masters) == 0 {
		return nil, errors.New("the Cluster has no master")
	}
	return masters, nil
}
