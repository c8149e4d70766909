package cassandra

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
)

// dialer makes connections to nodes. While a store is opened it can cut all that
// it has made.
type dialer struct {
	settings settings
	tls      *tls.Config // nil: plain text

	mu      sync.Mutex
	made    []net.Conn
	ready   bool // nobody cuts any more
	aborted bool
}

var errAborted = errors.New("the store is not wanted any more")

// dial connects to an address. name is what the certificate is for.
func (d *dialer) dial(ctx context.Context, addr, name string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, d.settings.connect)
	defer cancel()
	if d.settings.route != nil {
		addr = d.settings.route(addr)
	}
	var n net.Dialer
	conn, err := n.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	if !d.keep(conn) {
		conn.Close()
		return nil, errAborted
	}
	if d.tls == nil {
		return conn, nil
	}
	conf := d.tls
	if conf.ServerName == "" && !conf.InsecureSkipVerify {
		conf = conf.Clone()
		if conf.ServerName, _, err = net.SplitHostPort(name); err != nil {
			conf.ServerName = name
		}
	}
	encrypted := tls.Client(conn, conf)
	if err := encrypted.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, err
	}
	return encrypted, nil
}

func (d *dialer) keep(conn net.Conn) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.ready && !d.aborted {
		d.made = append(d.made, conn)
	}
	return !d.aborted
}

// opened leaves the connections alone from now on.
func (d *dialer) opened() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.made, d.ready = nil, true
}

// abort cuts what was made, and makes no more.
func (d *dialer) abort() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.aborted = true
	for _, conn := range d.made {
		conn.Close()
	}
	d.made = nil
}
