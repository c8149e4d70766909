package redis_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/websession/websession/internal/servers"
	"github.com/websession/websession/internal/testenv"
	"github.com/websession/websession/redis"
	"github.com/websession/websession/session/driver"
)

// What cannot keep sessions is refused when it is opened, soon, and the error
// says what was tried and what to change.
func TestOpenRefuses(t *testing.T) {
	plain := testenv.NewRedis(t, nil)
	locked := testenv.NewRedis(t, &servers.RedisOptions{Password: "pa55word"})
	files := testenv.TLS(t)
	secure := testenv.NewRedis(t, &servers.RedisOptions{TLS: files})
	set := testenv.NewSentinel(t, nil)
	cluster := testenv.NewCluster(t, nil)
	acl := goredis.NewClient(&goredis.Options{Addr: plain.Addr()})
	defer acl.Close()
	for _, rules := range []string{
		"reader on >pa55word ~* +@read +info +role",
		"stranger on >pa55word ~other:* +@all",
		"mute on >pa55word ~* +@all -info -role -config",
		"noset on >pa55word ~* +@all -set",
	} {
		args := []any{"ACL", "SETUSER"}
		for w := range strings.FieldsSeq(rules) {
			args = append(args, w)
		}
		require.NoError(t, acl.Do(ctx, args...).Err())
	}
	silent, err := net.Listen("tcp", "127.0.0.1:0") // accepts, and says nothing
	require.NoError(t, err)
	defer silent.Close()
	web := httptest.NewServer(http.NotFoundHandler())
	defer web.Close()
	replica := set.Nodes[1].Addr()
	ca := props{"ssl": 1, "tls_ca": files.CA, "tls_cert": files.Cert, "tls_key": files.Key}
	with := func(all ...props) props {
		p := props{}
		for _, some := range all {
			for k, v := range some {
				p[k] = v
			}
		}
		return p
	}
	for _, c := range []struct {
		name string
		d    driver.Driver
		p    props
		says []string
	}{
		{"nothing listens", redis.Driver{}, props{"server": "127.0.0.1:1"}, []string{"server 127.0.0.1:1", "connection refused", "check host and port"}},
		{"no such host", redis.Driver{}, props{"server": "nowhere.invalid:6379"}, []string{"nowhere.invalid"}},
		{"no answer", redis.Driver{}, props{"server": silent.Addr().String()}, []string{"does not answer", "check that it is a Redis"}},
		{"no socket", redis.Driver{}, props{"sock": "/nonexistent.sock"}, []string{"socket /nonexistent.sock", "no such file"}},
		{"a web server", redis.Driver{}, props{"server": web.Listener.Addr().String()}, []string{"no Redis"}},
		{"password missing", redis.Driver{}, props{"server": locked.Addr()}, []string{"NOAUTH", "set username and password"}},
		{"password wrong", redis.Driver{}, props{"server": locked.Addr(), "password": "Wr0ng"}, []string{"WRONGPASS", "check username and password"}},
		{"user may not write", redis.Driver{}, props{"server": plain.Addr(), "username": "reader", "password": "pa55word"}, []string{"access list"}},
		{"user may not set", redis.Driver{}, props{"server": plain.Addr(), "username": "noset", "password": "pa55word"}, []string{"access list"}},
		{"user has other keys", redis.Driver{}, props{"server": plain.Addr(), "username": "stranger", "password": "pa55word"}, []string{"access list"}},
		{"database", redis.Driver{}, props{"server": plain.Addr(), "database": 99}, []string{"DB index is out of range", "change database"}},
		{"TLS wanted", redis.Driver{}, props{"server": secure.Addr()}, []string{"check the port and ssl"}},
		{"TLS not wanted", redis.Driver{}, with(ca, props{"server": plain.Addr()}), []string{"TLS"}},
		{"unknown authority", redis.Driver{}, props{"server": secure.Addr(), "ssl": 1}, []string{"unknown authority", "tls_ca"}},
		{"other name", redis.Driver{}, with(ca, props{"server": secure.Addr(), "tls_server_name": "example.org"}), []string{"example.org", "tls_server_name"}},
		{"no file", redis.Driver{}, props{"server": secure.Addr(), "ssl": 1, "tls_ca": "/nonexistent.pem"}, []string{"tls_ca", "no such file"}},
		{"a replica", redis.Driver{}, props{"server": replica}, []string{"replica", "name the master"}},
		{"a Sentinel", redis.Driver{}, props{"server": set.Sentinels[0].Addr()}, []string{"Sentinel", "sentinels"}},
		{"a node of a cluster", redis.Driver{}, props{"server": cluster.Nodes[0].Addr()}, []string{"node of a cluster", "RedisCluster"}},
		{"no Sentinel", redis.SentinelDriver{}, props{"sentinels": plain.Addr(), "service": "mymaster"}, []string{plain.Addr(), "it is no Sentinel"}},
		{"unknown service", redis.SentinelDriver{}, props{"sentinels": set.Addrs(), "service": "other"}, []string{`"other"`, "check service"}},
		{"no Sentinel listens", redis.SentinelDriver{}, props{"sentinels": "127.0.0.1:1", "service": "mymaster"}, []string{"127.0.0.1:1", "connection refused"}},
		{"mute Sentinel", redis.SentinelDriver{}, props{"sentinels": silent.Addr().String(), "service": "mymaster"}, []string{silent.Addr().String()}},
		{"no cluster", redis.ClusterDriver{}, props{"server": plain.Addr()}, []string{"no cluster", "class Redis"}},
		{"no node listens", redis.ClusterDriver{}, props{"server": "127.0.0.1:1"}, []string{"cluster 127.0.0.1:1", "connection refused"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.p["cnx_timeout"] = "0.7"
			began := time.Now()
			err := refused(t, c.d, c.p)
			require.Less(t, time.Since(began), 3*time.Second)
			t.Log(err)
			for _, text := range c.says {
				require.ErrorContains(t, err, text)
			}
			require.NotContains(t, err.Error(), "pa55word")
			require.NotContains(t, err.Error(), "Wr0ng")
		})
	}

	for i, p := range []props{
		{"server": plain.Addr(), "username": "mute", "password": "pa55word"}, // nobody may know what it is
		with(ca, props{"server": secure.Addr()}),
		{"server": secure.Addr(), "ssl": 1, "SSL_verify_mode": 0, "tls_cert": files.Cert, "tls_key": files.Key},
		{"sock": plain.Socket(), "database": 3, "name": "web-1"},
		{"server": locked.Addr(), "password": "pa55word"},
	} {
		s := open(t, redis.Driver{}, p, driver.OpenOptions{})
		_, err := s.Create(ctx, record(fmt.Sprint("k", i), "data"))
		require.NoError(t, err, "%v", p)
		_, err = s.(driver.Pinger).Ping(ctx)
		require.NoError(t, err)
	}
	list, err := acl.ClientList(ctx).Result()
	require.NoError(t, err)
	require.Contains(t, list, "name=web-1")

	// A client of an application is looked at, too.
	for _, c := range []goredis.UniversalClient{
		goredis.NewClient(&goredis.Options{Addr: replica}),
		goredis.NewClient(&goredis.Options{Addr: cluster.Nodes[0].Addr()}),
		goredis.NewClient(&goredis.Options{Addr: "127.0.0.1:1", MaxRetries: -1, DialerRetries: 1}),
		goredis.NewClusterClient(&goredis.ClusterOptions{Addrs: cluster.Addrs(), RouteRandomly: true}),
		goredis.NewFailoverClient(&goredis.FailoverOptions{SentinelAddrs: set.Addrs(), MasterName: "mymaster", ReplicaOnly: true}),
		goredis.NewRing(&goredis.RingOptions{Addrs: map[string]string{"a": plain.Addr()}}),
	} {
		_, err := redis.New(c, nil)
		require.Error(t, err)
		t.Log(err)
		require.NoError(t, c.Close())
	}
}
