package redis_test

import (
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/redis"
	"github.com/websession/websession/session"
	"github.com/websession/websession/session/driver"
)

type props = map[string]any

// What Perl's Redis.pm takes is taken here, in the forms in which RT's
// administrators write it.
func TestPropertiesOfPerl(t *testing.T) {
	for _, p := range []props{
		{},
		{"server": "127.0.0.1:6379"},
		{"server": "redis.example.org"},
		{"server": "[::1]:6380"},
		{"sock": "/run/redis/redis.sock"},
		{
			"sentinels": []any{"127.0.0.1:26379"}, "service": "mymaster",
			"sentinels_cnx_timeout": 0.1, "sentinels_read_timeout": 1, "sentinels_write_timeout": 1,
		},
		{
			"sentinels": "a:26379, b", "service": "m", "sentinels_username": "u", "sentinels_password": "p", "sentinels_ssl": 0,
			"no_sentinels_list_update": 1,
		},
		{"cnx_timeout": "0.5", "read_timeout": 1, "write_timeout": "100ms", "reconnect": 60, "every": 500000, "name": "web"},
		{"username": "web", "password": "secret", "ssl": 1, "SSL_verify_mode": 0},
		{"encoding": nil, "debug": 0, "conservative_reconnect": 1, "no_auto_connect_on_new": 1},
		{"database": 3, "prefix": "rt:", "pool_size": 8, "wait_replicas": 1, "wait_timeout": "500ms", "pipelining": false},
	} {
		_, err := configure(redis.Driver{}, p)
		require.NoError(t, err, "%v", p)
	}
	_, err := configure(redis.ClusterDriver{}, props{"server": []string{"a:7000", "b"}, "password": "x"})
	require.NoError(t, err)
}

func TestPropertiesThatAreRefused(t *testing.T) {
	for _, c := range []struct {
		d    driver.Driver
		p    props
		says string
	}{
		{redis.Driver{}, props{"server": "/run/redis.sock"}, `"server" must look like host:6379`},
		{redis.Driver{}, props{"server": "a:b"}, `"server" must look like host:6379`},
		{redis.Driver{}, props{"server": "a:99999"}, `"server" must look like`},
		{redis.Driver{}, props{"server": "user:secret@a:1"}, `"server" must look like`},
		{redis.Driver{}, props{"server": ""}, `"server" must look like`},
		{redis.Driver{}, props{"sentinels": "a:1"}, `"service" is missing`},
		{redis.Driver{}, props{"sentinels": []string{}, "service": "m"}, `"sentinels" is empty`},
		{redis.Driver{}, props{"service": "m"}, `"service" means nothing without sentinels`},
		{redis.Driver{}, props{"sentinel": "a:1"}, `did you mean "sentinels"?`},
		{redis.Driver{}, props{"sentinels_cnx_timeout": "soon"}, `"sentinels_cnx_timeout" is "soon"`},
		{redis.Driver{}, props{"cnx_timeout": -1}, `"cnx_timeout" is "-1"`},
		{redis.Driver{}, props{"read_timeout": "2h"}, `"read_timeout" must be an hour at most`},
		{redis.Driver{}, props{"every": "now"}, `"every" must be a number of microseconds`},
		{redis.Driver{}, props{"username": "u"}, `"username" means nothing without password`},
		{redis.Driver{}, props{"database": -1}, `"database" is "-1"`},
		{redis.Driver{}, props{"prefix": "a{b}"}, `"prefix" must not contain braces`},
		{redis.Driver{}, props{"prefix": "a b"}, `"prefix" must not contain spaces`},
		{redis.Driver{}, props{"prefix": ""}, `"prefix" must not be empty`},
		{redis.Driver{}, props{"name": "a b"}, `"name" must have printable characters`},
		{redis.Driver{}, props{"tls_ca": "/ca.pem"}, `"tls_ca" means nothing without ssl`},
		{redis.Driver{}, props{"ssl": 1, "tls_cert": "/c.pem"}, `"tls_cert" and tls_key belong together`},
		{redis.Driver{}, props{"wait_replicas": 1, "wait_timeout": 3}, `"wait_timeout" must be shorter than read_timeout`},
		{redis.Driver{}, props{"wait_timeout": 0}, `"wait_timeout" must be a millisecond`},
		{redis.SentinelDriver{}, props{"service": "m"}, `"sentinels" is missing`},
		{redis.SentinelDriver{}, props{"sentinels": "a:1"}, `"service" is missing`},
		{redis.SentinelDriver{}, props{"sentinels": "a:1", "service": "m", "server": "b:1"}, `"server" is unknown`},
		{redis.ClusterDriver{}, props{}, `"server" is missing`},
		{redis.ClusterDriver{}, props{"server": "a:1", "database": 1}, `"database" is unknown`},
	} {
		_, err := configure(c.d, c.p)
		require.ErrorContains(t, err, c.says, "%v", c.p)
		require.NotContains(t, err.Error(), "secret")
	}
}

func TestURLs(t *testing.T) {
	r := session.NewRegistry(redis.Driver{}, redis.SentinelDriver{}, redis.ClusterDriver{})
	for raw, want := range map[string]session.Config{
		"redis://h:1/2?prefix=a:":    {Class: "Redis", Properties: props{"server": "h:1", "database": "2", "prefix": "a:"}},
		"redis://u:p@h":              {Class: "Redis", Properties: props{"server": "h", "username": "u", "password": "p"}},
		"redis://:p@[::1]:1":         {Class: "Redis", Properties: props{"server": "[::1]:1", "password": "p"}},
		"rediss://h:1":               {Class: "Redis", Properties: props{"server": "h:1", "ssl": true}},
		"redis:///?sock=/run/r":      {Class: "Redis", Properties: props{"sock": "/run/r"}},
		"redis+sentinel://a:1,b:2/m": {Class: "RedisSentinel", Properties: props{"sentinels": "a:1,b:2", "service": "m"}},
		"redis+sentinel://u:p@a,b/m/3?sentinels_cnx_timeout=0.1": {Class: "RedisSentinel", Properties: props{
			"sentinels": "a,b", "service": "m", "database": "3", "username": "u", "password": "p", "sentinels_cnx_timeout": "0.1",
		}},
		"redis+cluster://:p@a:1,b:2": {Class: "RedisCluster", Properties: props{"server": "a:1,b:2", "password": "p"}},
	} {
		c, err := r.ParseURL(raw)
		require.NoError(t, err, raw)
		require.Equal(t, want, c, raw)
		require.NoError(t, r.Check(c.Class, c.Properties), raw)
	}
	for _, raw := range []string{"redis:h", "redis+cluster://a/1", "redis://h/x", "redis+sentinel://a", "redis+sentinel://a/m/x", "redis://h/1/2"} {
		c, err := r.ParseURL(raw)
		if err == nil {
			err = r.Check(c.Class, c.Properties)
		}
		require.Error(t, err, raw)
	}
	_, err := redis.Driver{}.ParseURL(&url.URL{Opaque: "x:secret@h"})
	require.Error(t, err)
	require.NotContains(t, err.Error(), "secret")
}

func TestOptionsThatAreRefused(t *testing.T) {
	for _, o := range []redis.Options{
		{Prefix: "{a}"}, {WaitReplicas: -1}, {WaitReplicas: 101}, {WaitTimeout: -time.Second}, {WaitTimeout: time.Microsecond},
	} {
		_, err := redis.New(nil, &o)
		require.ErrorContains(t, err, "redis: new: ", "%+v", o)
	}
	_, err := redis.New(nil, nil)
	require.ErrorContains(t, err, "use a *redis.Client")
}
