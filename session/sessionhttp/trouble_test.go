package sessionhttp_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/session"
	"github.com/websession/websession/session/sessionhttp"
)

func TestStoreDownAtGet(t *testing.T) {
	newDown := func(t *testing.T) (*world, session.ID) {
		w := newWorld(t, nil)
		id := w.login(t)
		w.store.down("load", "create", "replace", "delete")
		return w, id
	}
	t.Run("a handler that returns leaves 503", func(t *testing.T) {
		w, id := newDown(t)
		rec := w.serve(nil, id, func(rw http.ResponseWriter, r *http.Request) {
			rw.Header().Set("Content-Type", "image/png")
			rw.Header().Set("Content-Length", "12345")
			s, err := sessionhttp.Get(r)
			require.Nil(t, s, "never a stale identity")
			require.ErrorIs(t, err, errDown)
			noSecret(t, id, err)
		})
		require.Equal(t, 503, rec.Code)
		require.Equal(t, "Service Unavailable\n", rec.Body.String())
		require.Equal(t, "text/plain; charset=utf-8", rec.Header().Get("Content-Type"))
		require.Equal(t, "20", rec.Header().Get("Content-Length"))
		require.Equal(t, "no-store", rec.Header().Get("Cache-Control"))
		require.Equal(t, "Cookie", rec.Header().Get("Vary"))
		require.NotContains(t, rec.Header(), "Retry-After")
		require.Empty(t, cookies(rec))
	})
	t.Run("a handler that answers is left alone", func(t *testing.T) {
		w, id := newDown(t)
		rec := w.serve(nil, id, func(rw http.ResponseWriter, r *http.Request) {
			_, err := sessionhttp.Get(r)
			require.Error(t, err)
			http.Error(rw, "come back later", http.StatusBadGateway)
		})
		require.Equal(t, http.StatusBadGateway, rec.Code)
		require.Equal(t, "come back later\n", rec.Body.String())
		require.Equal(t, "no-store", rec.Header().Get("Cache-Control"))
	})
	t.Run("the error holds for the request, with one try", func(t *testing.T) {
		w, id := newDown(t)
		w.serve(nil, id, func(rw http.ResponseWriter, r *http.Request) {
			_, err := sessionhttp.Get(r)
			require.Error(t, err)
			w.store.on(nil)
			_, again := sessionhttp.Get(r)
			require.Equal(t, err, again)
		})
		require.Equal(t, []string{"load"}, w.store.made())
	})
	t.Run("without a cookie nothing fails", func(t *testing.T) {
		w, _ := newDown(t)
		rec := w.serve(nil, "", func(rw http.ResponseWriter, r *http.Request) { fmt.Fprint(rw, get(t, r).Stored()) })
		require.Equal(t, 200, rec.Code)
	})
	t.Run("the application may answer by Error", func(t *testing.T) {
		w, id := newDown(t)
		o := &sessionhttp.Options{Error: func(rw http.ResponseWriter, r *http.Request, status int, err error) {
			_, e := sessionhttp.Get(r)
			require.ErrorIs(t, e, sessionhttp.ErrNoMiddleware)
			require.ErrorIs(t, err, errDown)
			rw.Header().Set("Retry-After", "7")
			fmt.Fprintf(rw, "sorry: %d", status)
		}}
		rec := w.serve(o, id, func(rw http.ResponseWriter, r *http.Request) { sessionhttp.Get(r) })
		require.Equal(t, 503, rec.Code)
		require.Equal(t, "sorry: 503", rec.Body.String())
		require.Equal(t, "7", rec.Header().Get("Retry-After"))
	})
	t.Run("an Error that sends nothing sends the status", func(t *testing.T) {
		w, id := newDown(t)
		o := &sessionhttp.Options{Error: func(http.ResponseWriter, *http.Request, int, error) {}}
		rec := w.serve(o, id, func(rw http.ResponseWriter, r *http.Request) { sessionhttp.Get(r) })
		require.Equal(t, 503, rec.Code)
	})
}

func TestAnonymousPolicyServesARequestWithoutTheStore(t *testing.T) {
	w := newWorld(t, nil)
	id := w.login(t)
	w.store.down("load", "create", "replace", "delete")
	o := &sessionhttp.Options{Anonymous: func(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/public") }}

	r := newRequest(id)
	r.URL.Path = "/public/page"
	rec := w.serveRequest(o, r, func(rw http.ResponseWriter, r *http.Request) {
		s := get(t, r)
		require.False(t, s.Has("user"), "never a stale identity")
		require.Same(t, s, get(t, r))
		w.store.on(nil) // even if the store comes back
		must(t, color.Set(s, "red"))
		io.WriteString(rw, "page")
	})
	require.Equal(t, 200, rec.Code)
	require.Empty(t, cookies(rec), "the client keeps its cookie")
	require.Equal(t, "no-store", rec.Header().Get("Cache-Control"))
	require.Equal(t, 1, w.records(t), "nothing was stored")
	require.Equal(t, "ann", user.GetOr(w.load(t, id), ""))
	require.Len(t, w.of(session.EventAnonymous), 1)
	require.Len(t, w.of(session.EventLateSaveFailed), 1)
	noSecret(t, id, w.list())

	w.store.down("load")
	rec = w.serve(o, id, func(rw http.ResponseWriter, r *http.Request) {
		_, err := sessionhttp.Get(r)
		require.Error(t, err)
	})
	require.Equal(t, 503, rec.Code, "another route")
}

func TestAnonymousPolicyOfAHandlerThatSendsNothing(t *testing.T) {
	w := newWorld(t, nil)
	id := w.login(t)
	w.store.down("load")
	o := &sessionhttp.Options{Anonymous: func(r *http.Request) bool {
		_, err := sessionhttp.Get(r)
		require.ErrorIs(t, err, sessionhttp.ErrNoMiddleware, "no deadlock, no recursion")
		return true
	}}
	rec := w.serve(o, id, func(rw http.ResponseWriter, r *http.Request) { require.False(t, get(t, r).Stored()) })
	require.Equal(t, 200, rec.Code)
	require.Equal(t, "no-store", rec.Header().Get("Cache-Control"))
	require.Empty(t, w.of(session.EventLateSaveFailed), "nothing was changed")
}

func TestAnonymousPolicyAfterTheHeader(t *testing.T) {
	w := newWorld(t, nil)
	id := w.login(t)
	w.store.down("load")
	o := &sessionhttp.Options{Anonymous: func(r *http.Request) bool { return true }}
	w.serve(o, id, func(rw http.ResponseWriter, r *http.Request) {
		io.WriteString(rw, "x")
		require.ErrorIs(t, count.Set(get(t, r), 1), session.ErrHeadersSent)
	})
	require.Empty(t, w.of(session.EventLateSaveFailed))
}

func TestAnonymousPolicyThatOutlivesTheRequest(t *testing.T) {
	w := newWorld(t, nil)
	id := w.login(t)
	w.store.down("load")
	asked, over := newGate(), newGate()
	o := &sessionhttp.Options{Anonymous: func(r *http.Request) bool {
		asked.open()
		over.wait(t)
		return true
	}}
	var wg sync.WaitGroup
	w.serve(o, id, func(rw http.ResponseWriter, r *http.Request) {
		wg.Go(func() {
			_, err := sessionhttp.Get(r)
			require.ErrorIs(t, err, session.ErrFinished)
		})
		asked.wait(t)
	})
	over.open()
	wg.Wait()
}

func TestGetOfAnEndedContextCanBeRepeated(t *testing.T) {
	w := newWorld(t, nil)
	id := w.login(t)
	o := &sessionhttp.Options{Anonymous: func(*http.Request) bool { return true }} // that is for the store
	w.serve(o, id, func(rw http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithCancel(r.Context())
		cancel()
		_, err := sessionhttp.Get(r.WithContext(ctx))
		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, "ann", user.GetOr(get(t, r), ""))
	})
}
