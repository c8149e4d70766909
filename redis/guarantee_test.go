package redis_test

import (
	"strings"
	"testing"

	goredis "github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/websession/websession/internal/testenv"
	"github.com/websession/websession/redis"
	"github.com/websession/websession/session/driver"
)

// What Ping guarantees is what the settings of this very server are for.
func TestGuarantee(t *testing.T) {
	server := testenv.NewRedis(t, nil)
	raw := goredis.NewClient(&goredis.Options{Addr: server.Addr()})
	defer raw.Close()
	guarantee := func(s driver.Store) string {
		info, err := s.(driver.Pinger).Ping(ctx)
		require.NoError(t, err)
		return info.Guarantee
	}
	ours := open(t, redis.Driver{}, map[string]any{"server": server.Addr()}, driver.OpenOptions{})
	theirs, err := redis.New(raw, nil) // which speaks RESP 3
	require.NoError(t, err)
	defer theirs.Close()
	for _, c := range []struct{ save, appendonly, appendfsync, want string }{
		{"", "no", "everysec", "A kill of the server ends all sessions, and so does a power cut: nothing is kept on a disk."},
		{"3600 1", "no", "everysec", "loses all writes since the last snapshot"},
		{"", "yes", "no", "may lose the writes of the last half a minute"},
		{"", "yes", "everysec", "may lose the writes of the last second"},
		{"", "yes", "always", "A kill of the server loses nothing that was answered. Nor does a power cut."},
	} {
		for name, value := range map[string]string{"save": c.save, "appendonly": c.appendonly, "appendfsync": c.appendfsync} {
			require.NoError(t, raw.ConfigSet(ctx, name, value).Err())
		}
		for _, s := range []driver.Store{ours, theirs} {
			require.Contains(t, guarantee(s), c.want)
		}
	}

	require.NoError(t, raw.Do(ctx, "ACL", "SETUSER", "app", "on", "nopass", "~*", "+@all", "-config").Err())
	app := open(t, redis.Driver{}, map[string]any{"server": server.Addr(), "username": "app", "password": "any"}, driver.OpenOptions{})
	require.Contains(t, guarantee(app), "is not known: the access list forbids CONFIG GET")

	set := testenv.NewSentinel(t, nil)
	for wait, want := range map[int]string{
		0: "A failover may lose the last writes: set wait_replicas.",
		1: "A failover loses nothing that was answered, unless the master and the replica that confirmed it are lost together.",
		2: "unless the master and the 2 replicas that confirmed it are lost together.",
	} {
		s := open(t, redis.SentinelDriver{}, map[string]any{"sentinels": set.Addrs(), "service": set.Service(), "wait_replicas": wait}, driver.OpenOptions{})
		until(t, want, func() bool { return strings.Contains(guarantee(s), want) })
	}
}
