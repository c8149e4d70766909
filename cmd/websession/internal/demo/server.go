package demo

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"
)

// maxHeader is the size of the header of a request, in bytes.
const maxHeader = 64 << 10

// server is an http.Server that ends soon.
type server struct {
	http.Server

	mu     sync.Mutex
	unused map[net.Conn]bool // connections that nothing has come on yet
	ending bool
}

func newServer(h http.Handler, header int, log *slog.Logger) *server {
	s := &server{unused: make(map[net.Conn]bool)}
	s.Server = http.Server{
		Handler:           h,
		MaxHeaderBytes:    header,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      30 * time.Second, // above MaxDelay and a slow store
		IdleTimeout:       2 * time.Minute,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelError),
		ConnState: func(c net.Conn, state http.ConnState) {
			s.mu.Lock()
			defer s.mu.Unlock()
			switch {
			case state != http.StateNew:
				delete(s.unused, c)
			case s.ending:
				c.Close()
			default:
				s.unused[c] = true
			}
		},
	}
	return s
}

// end lets requests under way end, until ctx does. It closes the connections
// that browsers and proxies open ahead: Shutdown would wait for a request on
// them.
func (s *server) end(ctx context.Context) error {
	s.mu.Lock()
	s.ending = true
	for c := range s.unused {
		c.Close()
	}
	s.mu.Unlock()
	if s.Shutdown(ctx) != nil {
		return s.Close()
	}
	return nil
}

// listen opens an address. "" means DefaultListen, or a free port if that is
// taken.
func listen(ctx context.Context, addr string) (net.Listener, error) {
	var lc net.ListenConfig
	if addr != "" {
		return lc.Listen(ctx, "tcp", addr)
	}
	l, err := lc.Listen(ctx, "tcp", DefaultListen)
	if errors.Is(err, syscall.EADDRINUSE) {
		return lc.Listen(ctx, "tcp", "127.0.0.1:0")
	}
	return l, err
}
