package testenv

import (
	"bytes"
	"context"
	"encoding/json"
	"testing"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"

	"github.com/websession/websession/internal/servers"
)

// ToxicProxy is a toxiproxy in this program, between clients and a server. Its
// methods are safe for concurrent use.
type ToxicProxy struct {
	addr  string
	proxy *toxiproxy.Proxy
}

// Toxic is a fault, as toxiproxy's documentation describes it.
type Toxic struct {
	Name       string         // by which it is removed; "" is Type_Stream
	Type       string         // latency, bandwidth, slow_close, timeout, reset_peer, slicer, limit_data
	Stream     string         // "upstream" is requests; "" and "downstream" are answers
	Toxicity   float32        // the share of the connections that it hits; 0 is all
	Attributes map[string]any // of its type, such as latency and jitter in milliseconds
}

// Proxy starts a toxiproxy in front of a server, on a port of its own, until the
// end of the test. It forwards everything at first.
func Proxy(tb testing.TB, upstream string) *ToxicProxy {
	tb.Helper()
	addr := reserve(tb)
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	p := &ToxicProxy{addr, toxiproxy.NewProxy(server, "test", addr, upstream)}
	if err := p.proxy.Start(); err != nil {
		tb.Fatalf("testenv: a proxy in front of %s: %v", upstream, err)
	}
	tb.Cleanup(p.proxy.Stop)
	return p
}

// reserve answers an address below the ports of clients, so that a proxy gets it
// again after a while without a listener.
func reserve(tb testing.TB) string {
	tb.Helper()
	addrs, release, err := servers.ReserveAddrs(1)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(release)
	return addrs[0]
}

// Addr answers where clients connect to, as host:port.
func (p *ToxicProxy) Addr() string { return p.addr }

// Add begins a fault, on the connections that are there as well. The type
// reset_peer cuts those in order and resets only new ones.
func (p *ToxicProxy) Add(t Toxic) error {
	if t.Toxicity == 0 {
		t.Toxicity = 1
	}
	fields := map[string]any{"type": t.Type, "toxicity": t.Toxicity, "name": t.Name}
	if t.Stream != "" {
		fields["stream"] = t.Stream
	}
	if t.Attributes != nil {
		fields["attributes"] = t.Attributes
	}
	text, err := json.Marshal(fields)
	if err != nil {
		return err
	}
	_, err = p.proxy.Toxics.AddToxicJson(bytes.NewReader(text))
	return err
}

// Remove ends a fault. Ending a timeout cuts the connections that it held up.
func (p *ToxicProxy) Remove(name string) error {
	return p.proxy.Toxics.RemoveToxic(context.Background(), name)
}

// Clear ends all faults.
func (p *ToxicProxy) Clear() { p.proxy.Toxics.ResetToxics(context.Background()) }

// Cut closes all connections. New ones are accepted as before.
func (p *ToxicProxy) Cut() error {
	p.Down()
	return p.Up()
}

// Down closes all connections and refuses new ones, until Up.
func (p *ToxicProxy) Down() { p.proxy.Stop() }

// Up ends Down.
func (p *ToxicProxy) Up() error { return p.proxy.Start() }
