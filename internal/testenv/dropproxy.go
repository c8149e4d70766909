package testenv

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// DroppingProxy stands between clients and a server, and can lose the answer to
// a request that the server has executed, which toxiproxy cannot. Its methods
// are safe for concurrent use.
type DroppingProxy struct {
	listener net.Listener
	upstream string
	dropped  atomic.Int64

	mu    sync.Mutex
	left  int
	match func(request []byte) bool
	conns map[net.Conn]bool // nil when it is closed
	all   sync.WaitGroup
}

// DropProxy starts a proxy in front of a server, on a port of its own, until the
// end of the test. It forwards everything at first.
func DropProxy(tb testing.TB, upstream string) *DroppingProxy {
	tb.Helper()
	l, err := net.Listen("tcp", reserve(tb))
	if err != nil {
		tb.Fatalf("testenv: a proxy in front of %s: %v", upstream, err)
	}
	p := &DroppingProxy{listener: l, upstream: upstream, conns: make(map[net.Conn]bool)}
	p.all.Go(p.accept)
	tb.Cleanup(p.close)
	return p
}

// Addr answers where clients connect to, as host:port.
func (p *DroppingProxy) Addr() string { return p.listener.Addr().String() }

// Drop loses the answers to the next n requests that match, on whatever
// connection: each is forwarded, its answer is awaited and swallowed, and its
// connection is cut. It replaces an earlier Drop; n = 0 ends it. A nil match
// takes every request, those by which clients introduce themselves included.
//
// A request is what one read brought, up to 64 KiB: with a pipeline several
// commands, all of which lose their answers. Encrypted ones cannot be matched.
// match is called from several goroutines, one at a time.
func (p *DroppingProxy) Drop(n int, match func(request []byte) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.left, p.match = n, match
}

// Dropped answers how many answers were swallowed.
func (p *DroppingProxy) Dropped() int { return int(p.dropped.Load()) }

// drops says whether the answer to this request is lost.
func (p *DroppingProxy) drops(request []byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.left == 0 || p.match != nil && !p.match(request) {
		return false
	}
	p.left--
	return true
}

func (p *DroppingProxy) accept() {
	for {
		client, err := p.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		server, err := net.Dial("tcp", p.upstream)
		if err != nil {
			client.Close()
			continue
		}
		p.forward(client, server)
	}
}

func (p *DroppingProxy) forward(client, server net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	cut := func() { client.Close(); server.Close() }
	if p.conns == nil {
		cut()
		return
	}
	p.conns[client], p.conns[server] = true, true
	var swallow atomic.Bool
	p.all.Go(func() {
		defer cut()
		copyChunks(server, client, func(request []byte) bool {
			if p.drops(request) {
				swallow.Store(true)
			}
			return true
		})
	})
	p.all.Go(func() {
		defer p.forget(client, server)
		defer cut()
		copyChunks(client, server, func([]byte) bool {
			if swallow.Load() {
				p.dropped.Add(1)
				return false
			}
			return true
		})
	})
}

// copyChunks forwards what each read brings until one side ends or pass says no.
func copyChunks(to, from net.Conn, pass func([]byte) bool) {
	chunk := make([]byte, 64<<10)
	for {
		n, err := from.Read(chunk)
		if n > 0 && !pass(chunk[:n]) {
			return
		}
		if _, werr := to.Write(chunk[:n]); err != nil || werr != nil {
			return
		}
	}
}

func (p *DroppingProxy) forget(conns ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		delete(p.conns, c)
	}
}

// Cut closes all connections. New ones are accepted as before.
func (p *DroppingProxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		c.Close()
	}
}

func (p *DroppingProxy) close() {
	p.listener.Close()
	p.Cut()
	p.mu.Lock()
	p.conns = nil
	p.mu.Unlock()
	p.all.Wait()
}
