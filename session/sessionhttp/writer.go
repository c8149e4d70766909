package sessionhttp

import (
	"bufio"
	"io"
	"net"
	"net/http"
)

// The http.ResponseWriter of the handler. When its answer was replaced, what it
// goes on to send is dropped: methods that answer an error answer why, so that
// a handler in a loop ends; Header answers a header that nobody sends.

var (
	_ http.Flusher    = (*exchange)(nil)
	_ http.Hijacker   = (*exchange)(nil)
	_ http.Pusher     = (*exchange)(nil)
	_ io.ReaderFrom   = (*exchange)(nil)
	_ io.StringWriter = (*exchange)(nil)
)

// Unwrap is for http.ResponseController.
func (x *exchange) Unwrap() http.ResponseWriter { return x.w }

func (x *exchange) Header() http.Header {
	if x.failure != nil && !x.replying {
		if x.void == nil {
			x.void = make(http.Header)
		}
		return x.void
	}
	h := x.w.Header()
	if !x.looked && !x.committed {
		x.looked = true
		if len(h) > 0 {
			x.before = make([]field, 0, len(h))
			for name, values := range h {
				x.before = append(x.before, field{name, values})
			}
		}
	}
	return h
}

// WriteHeader commits, unless status is informational or no status at all,
// which net/http judges.
func (x *exchange) WriteHeader(status int) {
	final := status >= 200 && status <= 999 || status == http.StatusSwitchingProtocols
	switch {
	case x.replying:
		x.replied = x.replied || final
	case x.failure != nil:
		return
	case final && !x.committed:
		if x.commit() != nil {
			return
		}
	}
	x.w.WriteHeader(status)
}

// begin is called before the header leaves without WriteHeader.
func (x *exchange) begin() error {
	switch {
	case x.replying:
		if !x.replied {
			x.WriteHeader(x.status)
		}
	case x.failure != nil:
		return x.failure
	case !x.committed:
		return x.commit()
	}
	return nil
}

func (x *exchange) Write(p []byte) (int, error) {
	if err := x.begin(); err != nil {
		return 0, err
	}
	return x.w.Write(p)
}

func (x *exchange) WriteString(s string) (int, error) {
	if err := x.begin(); err != nil {
		return 0, err
	}
	return io.WriteString(x.w, s)
}

// ReadFrom keeps the server's way of sending a file.
func (x *exchange) ReadFrom(src io.Reader) (int64, error) {
	if err := x.begin(); err != nil {
		return 0, err
	}
	if to, ok := x.w.(io.ReaderFrom); ok {
		return to.ReadFrom(src)
	}
	return io.Copy(writerOnly{x.w}, src)
}

type writerOnly struct{ io.Writer }

func (x *exchange) Flush() { x.FlushError() }

// FlushError does nothing, and does not commit, where the server cannot flush.
func (x *exchange) FlushError() error {
	if !x.committed && !canFlush(x.w) {
		return http.ErrNotSupported
	}
	if err := x.begin(); err != nil {
		return err
	}
	return http.NewResponseController(x.w).Flush()
}

// Hijack does nothing, and does not commit, where the server cannot hijack.
func (x *exchange) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if !x.committed && !canHijack(x.w) {
		return nil, nil, http.ErrNotSupported
	}
	if err := x.begin(); err != nil {
		return nil, nil, err
	}
	return http.NewResponseController(x.w).Hijack()
}

// Push sends no part of the answer, so it commits nothing.
func (x *exchange) Push(target string, opts *http.PushOptions) error {
	for w := x.w; w != nil; w = unwrap(w) {
		if p, ok := w.(http.Pusher); ok {
			return p.Push(target, opts)
		}
	}
	return http.ErrNotSupported
}

// canFlush and canHijack look through exchanges, which have the methods and may
// stand before a server that has not.

func canFlush(w http.ResponseWriter) bool {
	for ; w != nil; w = unwrap(w) {
		switch w.(type) {
		case *exchange:
		case interface{ FlushError() error }, http.Flusher:
			return true
		}
	}
	return false
}

func canHijack(w http.ResponseWriter) bool {
	for ; w != nil; w = unwrap(w) {
		switch w.(type) {
		case *exchange:
		case http.Hijacker:
			return true
		}
	}
	return false
}

// unwrap answers what w wraps, nil if that is nothing.
func unwrap(w http.ResponseWriter) http.ResponseWriter {
	if u, ok := w.(interface{ Unwrap() http.ResponseWriter }); ok {
		return u.Unwrap()
	}
	return nil
}
