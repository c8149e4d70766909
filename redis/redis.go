package redis

import (
	"context"
	"errors"
	"net"
	"net/url"
	"strings"

	"github.com/websession/websession/session/driver"
)

func init() {
	driver.Register(Driver{})
	driver.Register(SentinelDriver{})
	driver.Register(ClusterDriver{})
}

// Driver is the class "Redis": one server, or, with sentinels and service, the
// master that Sentinel names.
type Driver struct{}

// SentinelDriver is the class "RedisSentinel": the master that Sentinel names.
type SentinelDriver struct{}

// ClusterDriver is the class "RedisCluster".
type ClusterDriver struct{}

// Class implements driver.Driver.
func (Driver) Class() driver.Class {
	return driver.Class{Name: "Redis", Schemes: []string{"redis", "rediss"}}
}

// Class implements driver.Driver.
func (SentinelDriver) Class() driver.Class {
	return driver.Class{Name: "RedisSentinel", Schemes: []string{"redis+sentinel"}}
}

// Class implements driver.Driver.
func (ClusterDriver) Class() driver.Class {
	return driver.Class{Name: "RedisCluster", Schemes: []string{"redis+cluster"}}
}

// Configure implements driver.Driver.
func (Driver) Configure(d *driver.Decoder) (driver.Connector, error) {
	var s settings
	s.readServer(d)
	s.readSentinels(d, false)
	s.readDatabase(d)
	s.readCommon(d)
	return connector{s}, nil
}

// Configure implements driver.Driver.
func (SentinelDriver) Configure(d *driver.Decoder) (driver.Connector, error) {
	var s settings
	s.readSentinels(d, true)
	s.readDatabase(d)
	s.readCommon(d)
	return connector{s}, nil
}

// Configure implements driver.Driver.
func (ClusterDriver) Configure(d *driver.Decoder) (driver.Connector, error) {
	s := settings{kind: inCluster}
	s.readServers(d)
	s.readCommon(d)
	return connector{s}, nil
}

type connector struct{ settings settings }

// Open implements driver.Connector.
func (c connector) Open(ctx context.Context, o driver.OpenOptions) (driver.Store, error) {
	s, err := open(ctx, c.settings, o)
	if err != nil {
		return nil, err // not a nil *Store, which is no nil driver.Store
	}
	return s, nil
}

// ParseURL implements driver.URLParser: redis://user:password@host:port/database,
// rediss:// with TLS.
func (Driver) ParseURL(u *url.URL) (map[string]any, error) {
	const shape = "it should look like redis://user:password@host:6379/0"
	props, err := parseUser(u, shape)
	if err != nil {
		return nil, err
	}
	if u.Host != "" {
		props["server"] = u.Host
	}
	if db := strings.Trim(u.Path, "/"); db != "" {
		props["database"] = db
	}
	if u.Scheme == "rediss" {
		props["ssl"] = true
	}
	return props, nil
}

// ParseURL implements driver.URLParser:
// redis+sentinel://user:password@host:26379,host:26379/service/database. User and
// password are those of the server; the query has those of the Sentinels.
func (SentinelDriver) ParseURL(u *url.URL) (map[string]any, error) {
	const shape = "it should look like redis+sentinel://user:password@host:26379,host:26379/service/0"
	props, err := parseUser(u, shape)
	if err != nil {
		return nil, err
	}
	if u.Host != "" {
		props["sentinels"] = u.Host
	}
	service, db, more := strings.Cut(strings.Trim(u.Path, "/"), "/")
	if service != "" {
		props["service"] = service
	}
	if more {
		props["database"] = db
	}
	return props, nil
}

// ParseURL implements driver.URLParser: redis+cluster://user:password@host:7000,host:7001.
func (ClusterDriver) ParseURL(u *url.URL) (map[string]any, error) {
	const shape = "it should look like redis+cluster://user:password@host:7000,host:7001"
	props, err := parseUser(u, shape)
	if err != nil {
		return nil, err
	}
	if strings.Trim(u.Path, "/") != "" {
		return nil, errors.New("a cluster has one database only: " + shape)
	}
	if u.Host != "" {
		props["server"] = u.Host
	}
	return props, nil
}

func parseUser(u *url.URL, shape string) (map[string]any, error) {
	if u.Opaque != "" {
		return nil, errors.New(shape)
	}
	props := make(map[string]any)
	if name := u.User.Username(); name != "" {
		props["username"] = name
	}
	if password, ok := u.User.Password(); ok {
		props["password"] = password
	}
	return props, nil
}

// address answers host:port of what people write, with a port if there is none.
func address(text, port string) (string, error) {
	shape := errors.New("must look like host:" + port)
	if text == "" || strings.ContainsAny(text, "/@, \t\n") {
		return "", shape
	}
	host, p, err := net.SplitHostPort(text)
	if err != nil {
		host, p = strings.Trim(text, "[]"), port
		if strings.Contains(host, ":") && net.ParseIP(host) == nil {
			return "", shape
		}
	}
	if n, err := net.LookupPort("tcp", p); err != nil || n == 0 || host == "" || strings.Trim(p, "0123456789") != "" {
		return "", shape
	}
	return net.JoinHostPort(host, p), nil
}
