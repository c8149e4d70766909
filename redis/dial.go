package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"syscall"
	"time"
)

// dialer makes connections.
type dialer struct {
	connect time.Duration // bound of each try; 0 means none
	tls     *tls.Config   // nil: plain
	route   func(addr string) string
}

// errDial is the error of a connection that was not made.
type errDial struct {
	addr string
	tls  bool // the handshake failed
	err  error
}

func (e errDial) Error() string {
	if e.tls {
		return "connecting to " + e.addr + ": TLS: " + secureText(e.err)
	}
	return "connecting to " + e.addr + ": " + text(e.err)
}

func (e errDial) Unwrap() error { return e.err }

// text answers the reason alone, without the address that it repeats.
func text(err error) string {
	var op *net.OpError
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, syscall.ETIMEDOUT):
		return "no answer within the time-out: check the address and the network, or raise cnx_timeout"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused: nothing listens there; check host and port"
	case errors.As(err, &op) && op.Err != nil:
		return op.Err.Error()
	}
	return err.Error()
}

// secureText answers why a TLS handshake failed.
func secureText(err error) string {
	var cert *tls.CertificateVerificationError
	switch {
	case errors.As(err, &cert):
		return cert.Err.Error() + ": check tls_ca and tls_server_name"
	case errors.As(err, new(tls.RecordHeaderError)), errors.Is(err, context.DeadlineExceeded), isBroken(err):
		return "the server does not seem to speak it: check the port, or set ssl to 0"
	}
	return text(err) + ": check tls_ca, tls_cert and tls_key"
}

func (d dialer) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if d.connect > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d.connect)
		defer cancel()
	}
	to := addr
	if d.route != nil {
		to = d.route(addr)
	}
	nd := net.Dialer{KeepAlive: 5 * time.Minute}
	conn, err := nd.DialContext(ctx, network, to)
	if err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return nil, errDial{addr, false, err}
	}
	if d.tls == nil {
		return conn, nil
	}
	config := d.tls.Clone()
	if config.ServerName == "" && network != "unix" {
		config.ServerName, _, _ = net.SplitHostPort(addr)
	}
	secure := tls.Client(conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		conn.Close()
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return nil, errDial{addr, true, err}
	}
	return secure, nil
}

// again tries until it succeeds, the context ends, or a time has passed.
func again(ctx context.Context, total, every time.Duration, try func() (net.Conn, error)) (net.Conn, error) {
	began := time.Now()
	for {
		conn, err := try()
		if err == nil || time.Since(began)+every > total || pause(ctx, every) != nil {
			return conn, err
		}
	}
}

// connections are those that are open, by address.
type connections struct {
	closed func(addr string) // told of each that ends; nil: nobody

	mu  sync.Mutex
	all map[*tracked]struct{}
}

// tracked is a connection that can be closed by address.
type tracked struct {
	net.Conn
	addr  string
	owner *connections
}

// Close closes the connection.
func (t *tracked) Close() error {
	t.owner.mu.Lock()
	delete(t.owner.all, t)
	t.owner.mu.Unlock()
	if t.owner.closed != nil {
		t.owner.closed(t.addr)
	}
	return t.Conn.Close()
}

// trackedSocket shows go-redis the socket, where it looks whether an idle
// connection is still alive.
type trackedSocket struct {
	*tracked
	syscall.Conn
}

func (c *connections) track(conn net.Conn, addr string) net.Conn {
	t := &tracked{conn, addr, c}
	c.mu.Lock()
	if c.all == nil {
		c.all = make(map[*tracked]struct{})
	}
	c.all[t] = struct{}{}
	c.mu.Unlock()
	if socket, ok := conn.(syscall.Conn); ok {
		return trackedSocket{t, socket}
	}
	return t
}

// closeBut closes all connections but those to an address.
func (c *connections) closeBut(addr string) {
	c.mu.Lock()
	var old []*tracked
	for t := range c.all {
		if t.addr != addr {
			old = append(old, t)
		}
	}
	c.mu.Unlock()
	for _, t := range old {
		t.Close()
	}
}
