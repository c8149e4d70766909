package cassandra_test

import (
	"context"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gocql/gocql"
	"github.com/stretchr/testify/require"

	"github.com/websession/websession/cassandra"
	"github.com/websession/websession/internal/testenv"
	"github.com/websession/websession/session/driver"
)

// watched is a client of an application that sees what is sent. It would repeat
// what fails, if it were asked to.
type watched struct {
	*gocql.Session
	mu   sync.Mutex
	seen []string
}

func watch(tb testing.TB, p *testenv.Place) *watched {
	tb.Helper()
	host, port, err := net.SplitHostPort(p.Addrs[0])
	require.NoError(tb, err)
	w := &watched{}
	conf := gocql.NewCluster(host)
	conf.Port, err = strconv.Atoi(port)
	require.NoError(tb, err)
	conf.ProtoVersion = 4
	conf.QueryObserver = w
	conf.RetryPolicy = &gocql.SimpleRetryPolicy{NumRetries: 3}
	conf.Logger = quiet{}
	w.Session, err = conf.CreateSession()
	require.NoError(tb, err)
	tb.Cleanup(w.Session.Close)
	return w
}

type quiet struct{}

func (quiet) Print(...any)          {}
func (quiet) Printf(string, ...any) {}
func (quiet) Println(...any)        {}

// ObserveQuery implements gocql.QueryObserver. It notes the verb, what is the
// table of, and the condition.
func (w *watched) ObserveQuery(_ context.Context, q gocql.ObservedQuery) {
	what, _, _ := strings.Cut(q.Statement, " ")
	if strings.Contains(q.Statement, "_index") {
		what += " index"
	}
	if _, condition, ok := strings.Cut(q.Statement, " IF "); ok {
		what += " IF " + condition
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen = append(w.seen, what)
}

func (w *watched) take() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	seen := w.seen
	w.seen = nil
	return seen
}

func (w *watched) store(tb testing.TB, p *testenv.Place, o cassandra.Options) driver.Store {
	tb.Helper()
	o.Keyspace, o.Table = p.Keyspace, p.Properties["table"].(string)
	s, err := cassandra.New(w.Session, &o)
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, s.Close()) })
	w.take()
	return s
}

// Every call is one statement. Create and Delete of a session that has a user are
// two, and a change of the user is three. Mutations of a session are transactions.
func TestStatementsPerCall(t *testing.T) {
	p := testenv.Cassandra(t)
	w := watch(t, p)
	s := w.store(t, p, cassandra.Options{})
	rec := record("k", "data")
	var v driver.Version
	call := func(what string, do func() error, want ...string) {
		t.Helper()
		require.NoError(t, do(), what)
		require.Equal(t, want, w.take(), what)
	}
	const create, replace, remove, enter, leave = "UPDATE IF version = null", "UPDATE IF version = ?", "DELETE IF version = ?", "UPDATE index", "DELETE index"
	call("Create", func() (err error) { v, err = s.Create(ctx, rec); return err }, enter, create)
	call("Load", func() error { _, _, err := s.Load(ctx, "k"); return err }, "SELECT")
	rec.Was = rec.Index
	call("Replace", func() (err error) { v, err = s.Replace(ctx, rec, v); return err }, replace)
	rec.Expires = rec.Expires.Add(time.Minute)
	call("Replace that moves the deadline", func() (err error) { v, err = s.Replace(ctx, rec, v); return err }, replace)
	rec.Expires = rec.Expires.Add(24 * time.Hour)
	call("Replace that moves the deadline far", func() (err error) { v, err = s.Replace(ctx, rec, v); return err }, enter, replace)
	rec.Index = map[string]string{"user": "another"}
	call("Replace of the user", func() (err error) { v, err = s.Replace(ctx, rec, v); return err }, enter, replace, leave)
	rec.Was = rec.Index
	call("Delete", func() error { return s.Delete(ctx, rec, v) }, remove, leave)
	call("Delete of any version", func() error { return s.Delete(ctx, rec, "") }, "DELETE IF EXISTS", leave)
	anonymous := driver.Record{Key: "anonymous", Expires: rec.Expires}
	call("Create without user", func() (err error) { v, err = s.Create(ctx, anonymous); return err }, create)
	call("Delete without user", func() error { return s.Delete(ctx, anonymous, v) }, remove)
}

// An answer that is lost is an unknown outcome, and the statement was sent once.
// A load is tried again.
func TestMutationsAreSentOnce(t *testing.T) {
	p := testenv.Cassandra(t)
	proxy := testenv.DropProxy(t, p.Addrs[0])
	c, err := configure(p.Properties)
	require.NoError(t, err)
	own, err := cassandra.OpenRouted(ctx, c, func(string) string { return proxy.Addr() })
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, own.Close()) })
	other := open(t, p.Properties)

	// sends answers how often a request that names a key is seen while the answer
	// to the first one is lost.
	sends := func(key string, do func()) int64 {
		var n atomic.Int64
		proxy.Drop(1<<20, func(request []byte) bool { return strings.Contains(string(request), key) && n.Add(1) == 1 })
		before := proxy.Dropped()
		do()
		proxy.Drop(0, nil)
		require.Equal(t, before+1, proxy.Dropped())
		return n.Load()
	}
	rec := driver.Record{Key: "lost-answer", Data: []byte("a")}
	_, err = own.Create(ctx, driver.Record{Key: "first"}) // which prepares the statements
	require.NoError(t, err)
	require.EqualValues(t, 1, sends(rec.Key, func() {
		_, err := own.Create(ctx, rec)
		require.ErrorIs(t, err, driver.ErrUnknownOutcome)
		require.False(t, driver.WasNotApplied(err))
	}))
	_, v, err := other.Load(ctx, rec.Key)
	require.NoError(t, err, "it was applied")
	until(t, "another connection", func() bool { _, _, err := own.Load(ctx, rec.Key); return err == nil })

	require.EqualValues(t, 1, sends(rec.Key, func() {
		_, err := own.Replace(ctx, rec, v)
		require.ErrorIs(t, err, driver.ErrUnknownOutcome)
	}))
	until(t, "another connection", func() bool { _, _, err := own.Load(ctx, rec.Key); return err == nil })
	require.EqualValues(t, 1, sends(rec.Key, func() {
		require.ErrorIs(t, own.Delete(ctx, rec, ""), driver.ErrUnknownOutcome)
	}))
	_, _, err = other.Load(ctx, rec.Key)
	require.ErrorIs(t, err, driver.ErrNotFound)
	until(t, "another connection", func() bool { _, _, err := own.Load(ctx, rec.Key); return err != nil && driver.WasNotApplied(err) })

	require.EqualValues(t, 2, sends(rec.Key, func() {
		_, _, err := own.Load(ctx, rec.Key)
		require.ErrorIs(t, err, driver.ErrNotFound, "the second try")
	}))
}
