// Package demo is the web page of websession demo: application servers that
// share one store of sessions, and a front end that spreads requests over them.
package demo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/websession/websession/session"
)

// Defaults and limits of Options.
const (
	DefaultServers = 2
	MaxServers     = 16
	DefaultListen  = "127.0.0.1:8080"
)

// closeTime bounds the end of requests that are under way when the demo ends.
const closeTime = 5 * time.Second

// Options are the choices of a Demo.
type Options struct {
	Store   session.Config // one that handles can share: see NewPlace
	Servers int
	Listen  string       // of the front end; "": DefaultListen, or a free port if that is taken
	Log     *slog.Logger // not nil
}

// Check reports what is wrong with Servers and Listen.
func (o *Options) Check() error {
	if o.Servers < 1 || o.Servers > MaxServers {
		return fmt.Errorf("%d servers: choose 1 to %d", o.Servers, MaxServers)
	}
	if o.Listen == "" {
		return nil
	}
	host, _, err := net.SplitHostPort(o.Listen)
	if err != nil {
		return fmt.Errorf("the address to listen on is malformed: it should look like %s", DefaultListen)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("the demo has no TLS and listens on loopback only: choose an address like %s", DefaultListen)
	}
	return nil
}

// Demo is a running demo.
type Demo struct {
	log      *slog.Logger
	class    string
	url      string
	backends []*url.URL
	managers []*session.Manager
	front    *http.Transport
	stopping chan struct{}

	servers []*server      // the front end is the last one
	running sync.WaitGroup // a goroutine for each of servers
	failed  chan error
}

// Start opens a store handle for each application server and serves until
// Close. It does not block.
func Start(ctx context.Context, o Options) (*Demo, error) {
	d := &Demo{log: o.Log, stopping: make(chan struct{}), failed: make(chan error, 1)}
	if err := d.start(ctx, o); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

func (d *Demo) start(ctx context.Context, o Options) error {
	front, err := listen(ctx, o.Listen)
	if err != nil {
		return err
	}
	d.url = "http://" + front.Addr().String()
	for n := 1; n <= o.Servers; n++ {
		err := d.startApp(ctx, o, n)
		if err != nil {
			return errors.Join(err, front.Close())
		}
	}
	d.front = newTransport()
	d.serve(front, newFront(d.backends, d.front, d.log), maxHeader)
	return nil
}

// startApp starts the application server of a number.
func (d *Demo) startApp(ctx context.Context, o Options, number int) error {
	a := &app{number: number, of: o.Servers, stopping: d.stopping}
	a.log = o.Log.With("server", a.name())
	m, err := o.Store.Open(ctx, &session.Options{
		TouchEvery: time.Minute, // so that the last use is right to a minute
		Observe:    session.LogEvents(a.log),
	})
	if err != nil {
		return err
	}
	d.managers = append(d.managers, m)
	d.class = m.Class()
	a.sessions = m
	l, err := listen(ctx, "127.0.0.1:0")
	if err != nil {
		return err
	}
	d.backends = append(d.backends, &url.URL{Scheme: "http", Host: l.Addr().String()})
	d.serve(l, a.handler(), 2*maxHeader) // the front end adds to the header
	return nil
}

func (d *Demo) serve(l net.Listener, h http.Handler, header int) {
	s := newServer(h, header, d.log)
	d.servers = append(d.servers, s)
	d.running.Go(func() {
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			select {
			case d.failed <- fmt.Errorf("serving on %s: %w", l.Addr(), err):
			default:
			}
		}
	})
}

// URL answers the address to open.
func (d *Demo) URL() string { return d.url }

// Class answers the class of the store.
func (d *Demo) Class() string { return d.class }

// Servers answers the addresses of the application servers.
func (d *Demo) Servers() []string {
	var list []string
	for _, u := range d.backends {
		list = append(list, u.String())
	}
	return list
}

// Wait waits until ctx ends, or a server fails.
func (d *Demo) Wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case err := <-d.failed:
		return err
	}
}

// Close ends the demo: it lets requests under way end, for up to five seconds,
// and leaves nothing behind but the store. It must be called once.
func (d *Demo) Close() error {
	close(d.stopping)
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	var errs []error
	for i := len(d.servers) - 1; i >= 0; i-- { // no request reaches a server that has gone
		errs = append(errs, d.servers[i].end(ctx))
	}
	d.running.Wait()
	if d.front != nil {
		d.front.CloseIdleConnections()
	}
	for _, m := range d.managers {
		errs = append(errs, m.Close())
	}
	return errors.Join(errs...)
}
