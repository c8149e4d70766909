package demo

import (
	"log/slog"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
)

// newFront answers the front end: each request goes to the next server. Static
// files take turns of their own, so that the next page always comes from
// another server. It keeps Host, by which the servers tell their own forms from
// those of others, and is the only one that says where a request comes from.
func newFront(backends []*url.URL, t *http.Transport, log *slog.Logger) http.Handler {
	var pages, files atomic.Uint64
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			next := &pages
			if strings.HasPrefix(r.In.URL.Path, staticPrefix) {
				next = &files
			}
			n := next.Add(1) - 1
			r.SetURL(backends[n%uint64(len(backends))])
			r.Out.Host = r.In.Host
			r.SetXForwarded()
		},
		Transport: t,
		ErrorLog:  slog.NewLogLogger(log.Handler(), slog.LevelError),
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			if r.Context().Err() != nil {
				return // the client has gone
			}
			log.Error("no answer of a server", "error", err.Error())
			writeProblem(w, r, http.StatusBadGateway, "The server behind this address did not answer.")
		},
	}
}

// newTransport answers the connections from the front end to the servers. It
// gives up idle ones before the servers do, so that no POST meets a closed one.
func newTransport() *http.Transport {
	return &http.Transport{
		MaxIdleConnsPerHost:   64,
		IdleConnTimeout:       30 * time.Second,
		ResponseHeaderTimeout: 30 * time.Second,
		DisableCompression:    true,
	}
}
