package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/websession/websession/session/driver"
)

// open connects, and asks the server what it is.
func open(ctx context.Context, s settings, o driver.OpenOptions) (driver.Store, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("redis: open: %w", err)
	}
	options := s.options
	options.Warn, options.PrimaryChanged = o.Warn, o.PrimaryChanged
	options = options.withDefaults()
	ctx, cancel := context.WithTimeout(ctx, s.patience())
	defer cancel()
	d, watch, err := s.dialers()
	if err != nil {
		return nil, fmt.Errorf("redis: open: %w", err)
	}
	p := &primary{changed: options.PrimaryChanged}
	var client goredis.UniversalClient
	var r *resolver
	switch s.kind {
	case oneServer:
		client = goredis.NewClient(s.serverOptions(d, p))
	case viaSentinel:
		client, r = s.sentinelClient(d, watch, p)
	case inCluster:
		client = s.clusterClient(d)
	}
	store, err := newStore(ctx, client, true, options)
	if err != nil {
		client.Close()
		if r != nil {
			r.close()
		}
		return nil, fmt.Errorf("redis: open: %w", s.explain(err))
	}
	store.sentinels = r
	return store.asDriver(), nil
}

// patience is how long Open may take.
func (s settings) patience() time.Duration {
	t := limit(s.time.connect) + s.reconnect
	t += t / 10 // so that what ended in time can say why
	if s.kind == viaSentinel {
		t += limit(s.watchTime.connect) + limit(s.watchTime.read) + limit(s.watchTime.write)
	}
	return t
}

// limit answers a time-out for what takes 0 for a default.
func limit(t time.Duration) time.Duration {
	if t == 0 {
		return mostTime
	}
	return t
}

// socketTime answers a time-out of reading or writing as go-redis takes it.
func socketTime(t time.Duration) time.Duration {
	if t == 0 {
		return -1
	}
	return t
}

func noNotifications() *maintnotifications.Config {
	return &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
}

// dialers answers what connects to servers, and to Sentinels.
func (s settings) dialers() (d, watch dialer, err error) {
	var config *tls.Config
	if s.tls || s.watchTLS {
		if config, err = s.files.Config(); err != nil {
			return d, watch, err
		}
	}
	d.connect, watch.connect, d.route = s.time.connect, s.watchTime.connect, s.route
	if s.tls {
		d.tls = config
	}
	if s.watchTLS {
		watch.tls = config
	}
	return d, watch, nil
}

// serverOptions answers the options of a client of one server.
func (s settings) serverOptions(d dialer, p *primary) *goredis.Options {
	o := &goredis.Options{
		ClientName:               s.name,
		Username:                 s.login.username,
		Password:                 s.login.password,
		DB:                       s.database,
		Protocol:                 2,
		DialTimeout:              limit(s.time.connect) + s.reconnect + s.watching(),
		DialerRetries:            1,
		ReadTimeout:              socketTime(s.time.read),
		WriteTimeout:             socketTime(s.time.write),
		ContextTimeoutEnabled:    true,
		MaxRetries:               -1, // the store repeats what may be repeated
		PoolSize:                 s.poolSize,
		PoolTimeout:              limit(s.time.read),
		DisableIdentity:          true,
		MaintNotificationsConfig: noNotifications(),
	}
	network := "tcp"
	if s.sock != "" {
		network, o.Addr = "unix", s.sock
	} else if len(s.servers) > 0 {
		o.Addr = s.servers[0]
	}
	o.Network = network
	addr := o.Addr
	o.Dialer = func(ctx context.Context, _, _ string) (net.Conn, error) {
		return again(ctx, s.reconnect, s.every, func() (net.Conn, error) { return d.dial(ctx, network, addr) })
	}
	if p != nil {
		o.OnConnect = p.onConnect
	}
	return o
}

// watching is how long asking the Sentinels may take.
func (s settings) watching() time.Duration {
	if s.kind != viaSentinel {
		return 0
	}
	return limit(s.watchTime.connect) + limit(s.watchTime.read) + limit(s.watchTime.write)
}

// sentinelClient answers a client of the master that the Sentinels name.
func (s settings) sentinelClient(d, watch dialer, p *primary) (*goredis.Client, *resolver) {
	r := newResolver(s, watch, func(ctx context.Context, addr string) error { return s.checkMaster(ctx, d, addr) })
	o := s.serverOptions(d, p)
	o.Addr = s.service
	o.Dialer = func(ctx context.Context, _, _ string) (net.Conn, error) {
		return again(ctx, s.reconnect, s.every, func() (net.Conn, error) { return r.dial(ctx, d) })
	}
	o.OnConnect = func(ctx context.Context, c *goredis.Conn) error {
		err := p.onConnect(ctx, c)
		if err != nil {
			r.doubt()
		}
		return err
	}
	return goredis.NewClient(o), r
}

// checkMaster asks the server at an address for its role, on a connection of its
// own.
func (s settings) checkMaster(ctx context.Context, d dialer, addr string) error {
	if s.time.connect > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, s.time.connect)
		defer cancel()
	}
	one := s
	one.kind, one.sock, one.servers, one.reconnect = oneServer, "", []string{addr}, 0
	one.poolSize = 1
	c := goredis.NewClient(one.serverOptions(d, nil))
	defer c.Close()
	id, err := identify(asking(ctx, lone{c}))
	switch {
	case err != nil:
		return fmt.Errorf("master %s: %w", addr, err)
	case id.role != "" && id.role != "master":
		return errRole{addr, id.role}
	}
	return nil
}

// clusterClient answers a client of a cluster.
func (s settings) clusterClient(d dialer) *goredis.ClusterClient {
	return goredis.NewClusterClient(&goredis.ClusterOptions{
		Addrs:                      s.servers,
		ClientName:                 s.name,
		Username:                   s.login.username,
		Password:                   s.login.password,
		Protocol:                   2,
		MaxRedirects:               redirects,
		DialTimeout:                limit(s.time.connect) + s.reconnect,
		DialerRetries:              1,
		ReadTimeout:                socketTime(s.time.read),
		WriteTimeout:               socketTime(s.time.write),
		ContextTimeoutEnabled:      true,
		MaxRetries:                 -1,
		PoolSize:                   s.poolSize,
		PoolTimeout:                limit(s.time.read),
		DisableIdentity:            true,
		DisableRoutingPolicies:     true,
		FailingTimeoutSeconds:      1,
		ClusterStateReloadInterval: 10 * time.Second,
		MaintNotificationsConfig:   noNotifications(),
		Dialer: func(ctx context.Context, network, addr string) (net.Conn, error) {
			return again(ctx, s.reconnect, s.every, func() (net.Conn, error) { return d.dial(ctx, network, addr) })
		},
	})
}

// attach answers a store that uses a client of the application.
func attach(ctx context.Context, client goredis.UniversalClient, o Options) (driver.Store, error) {
	store, err := newStore(ctx, client, false, o)
	if err != nil {
		return nil, fmt.Errorf("redis: new: %w", explainReply(err))
	}
	return store.asDriver(), nil
}

// newStore answers a store on a client that connects to what can keep sessions.
// It does not close the client when it fails.
func newStore(ctx context.Context, client goredis.UniversalClient, owned bool, o Options) (*Store, error) {
	t := defaultThreshold
	if o.NoPipelining {
		t = threshold{}
	}
	a, err := newAdapter(client, owned, t)
	if err != nil {
		return nil, err
	}
	s := &Store{server: a, prefix: o.Prefix, done: make(chan struct{})}
	if o.WaitReplicas > 0 {
		s.wait = wait{o.WaitReplicas, o.WaitTimeout.Milliseconds()}
	}
	if err := s.examine(ctx, a, o); err != nil {
		return nil, err
	}
	if owned && a.cluster == nil {
		return s, nil // see primary.onConnect
	}
	s.watch = newWatch(a, o.PrimaryChanged)
	a.noted = s.watch.nudge
	if err := s.watch.hookInto(ctx); err != nil {
		s.watch.close()
		return nil, err
	}
	// Now, and not in the background: whoever takes over in the next moment is
	// noticed, too.
	if !s.watch.look() {
		s.watch.nudge()
	}
	return s, nil
}

// explain says what was tried.
func (s settings) explain(err error) error {
	what := "server " + strings.Join(s.servers, ", ")
	switch {
	case s.sock != "":
		what = "socket " + s.sock
	case s.kind == viaSentinel:
		what = fmt.Sprintf("service %q", s.service)
	case s.kind == inCluster:
		what = "cluster " + strings.Join(s.servers, ", ")
	}
	return fmt.Errorf("%s: %w", what, explainReply(err))
}

// explainReply adds what to change.
func explainReply(err error) error {
	switch {
	case hintOf(err) != "":
		return fmt.Errorf("%w: %s", err, hintOf(err))
	case errors.As(err, new(errDial)), errors.As(err, new(*errSentinels)), isRole(err), isReply(err):
	case errors.Is(err, context.DeadlineExceeded), isTimeout(err):
		return fmt.Errorf("%w: the server does not answer: check that it is a Redis, and its port, or raise cnx_timeout", err)
	case isBroken(err), strings.Contains(err.Error(), "can't parse"), strings.Contains(err.Error(), "invalid reply"):
		return fmt.Errorf("%w: the server is no Redis, or wants TLS: check the port and ssl", err)
	}
	return err
}

func isTimeout(err error) bool {
	var t net.Error
	return errors.As(err, &t) && t.Timeout()
}
