package redis

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/websession/websession/internal/deadline"
)

// adapter is a server by way of go-redis: the only place that uses its clients.
type adapter struct {
	client  goredis.UniversalClient
	cluster *goredis.ClusterClient // nil: one server
	owned   bool                   // close closes the client
	prompt  bool                   // the client keeps to the deadlines of contexts
	traffic traffic
	alarms  deadline.Alarms
	lane    lane   // nil: every call has a connection of its own
	noted   func() // told when a call had no answer
}

// lane sends calls that are under way at the same time together. A call ends within
// deadline.Tick after its context, or after the deadline of that.
type lane interface {
	send(ctx context.Context, c command) (any, error)
	close()
}

// once is a command that go-redis sends once: with NoRetry it is not repeated,
// neither after a time-out nor after a connection that broke.
type once struct{ *goredis.Cmd }

// NoRetry is asked by go-redis.
func (once) NoRetry() bool { return true }

var _ goredis.Cmder = once{}

// queueSize bounds how many commands of a lane wait.
const queueSize = 10000

// newAdapter answers a server that uses a *goredis.Client or a
// *goredis.ClusterClient.
func newAdapter(client goredis.UniversalClient, owned bool, t threshold) (*adapter, error) {
	a := &adapter{client: client, owned: owned, traffic: traffic{threshold: t}, noted: func() {}}
	switch c := client.(type) {
	case *goredis.Client:
		if c.Options().ClientSideCacheConfig != nil {
			return nil, errors.New("a client with a cache of its own cannot keep sessions: it goes on answering those that have ended; leave ClientSideCacheConfig out")
		}
		a.prompt = c.Options().ContextTimeoutEnabled
		if t.most > 0 {
			a.lane = &batcher{client: c}
		}
	case *goredis.ClusterClient:
		a.cluster, a.prompt = c, c.Options().ContextTimeoutEnabled
		if t.most > 0 {
			l, err := newAutoLane(c)
			if err != nil {
				return nil, err
			}
			a.lane = l
		}
	default:
		return nil, fmt.Errorf("a %T cannot keep sessions: use a *redis.Client or a *redis.ClusterClient", client)
	}
	return a, nil
}

func (a *adapter) separate() bool { return a.cluster != nil }

func (a *adapter) close() error {
	if !a.owned {
		return nil
	}
	if a.lane != nil {
		a.lane.close()
	}
	return a.client.Close()
}

func newOnce(ctx context.Context, c command) once { return once{goredis.NewCmd(ctx, c.args...)} }

func result(c once) (any, error) {
	v, err := c.Result()
	if errors.Is(err, goredis.Nil) {
		return nil, nil
	}
	return v, err
}

func (a *adapter) do(ctx context.Context, c command) (any, error) {
	shared := a.traffic.enter()
	defer a.traffic.leave()
	if shared && a.lane != nil {
		return a.note(a.lane.send(ctx, c))
	}
	if end, ok := ctx.Deadline(); ok && a.prompt {
		ctx = a.alarms.Before(ctx, end)
	}
	return a.note(alone(ctx, a.client, c))
}

// note tells of an error that is no answer.
func (a *adapter) note(v any, err error) (any, error) {
	if err != nil && !isReply(err) {
		a.troubled(err)
	}
	return v, err
}

// troubled has the cluster looked at again: go-redis does so by itself only for
// commands that it repeats.
func (a *adapter) troubled(err error) {
	if a.cluster != nil && !errors.Is(err, context.Canceled) {
		a.cluster.ReloadState(context.Background())
	}
	a.noted()
}

// processor is what sends a command: a client or a node of a cluster.
type processor interface {
	Process(ctx context.Context, cmd goredis.Cmder) error
}

// alone sends a command on a connection of its own. A call that has a deadline
// which the client keeps to waits for that: a goroutine that would watch for an
// earlier end doubles the time of a command (measured: 25 and 46 us), since it
// wakes another thread. Otherwise neither a context that is cancelled nor a
// deadline interrupts go-redis: the caller leaves it alone with the command,
// which is not sent any more unless that has begun.
func alone(ctx context.Context, p processor, c command) (any, error) {
	var m *mark
	if c.change {
		m = newMark(c.args)
	}
	v, err := aloneWith(ctx, p, newOnce(ctx, c))
	if err != nil && m != nil && m.withdraw() {
		err = notSent{err}
	}
	return v, err
}

func aloneWith(ctx context.Context, p processor, o once) (any, error) {
	if c, ok := ctx.(*deadline.Context); ok {
		p.Process(ctx, o)
		v, err := result(o)
		if err != nil && !isReply(err) && !time.Now().Before(c.End()) {
			err = errLate{err}
		}
		return v, err
	}
	if ctx.Done() == nil {
		p.Process(ctx, o)
		return result(o)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.Process(ctx, o)
	}()
	select {
	case <-done:
		return result(o)
	case <-ctx.Done():
		select {
		case <-done:
			return result(o)
		default:
			return nil, ctx.Err()
		}
	}
}

func (a *adapter) pipe(ctx context.Context, cs []command) []answer {
	return a.pipeOn(ctx, a.client.Pipeline(), cs)
}

func (a *adapter) pipeOn(ctx context.Context, p goredis.Pipeliner, cs []command) []answer {
	sent := make([]once, len(cs))
	for i, c := range cs {
		sent[i] = newOnce(ctx, c)
		p.Process(ctx, sent[i])
	}
	answers := make([]answer, len(cs))
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.Exec(ctx)
	}()
	select {
	case <-done:
	case <-ctx.Done():
		for i := range answers {
			answers[i].err = ctx.Err()
		}
		return answers
	}
	var troubled error
	for i, o := range sent {
		answers[i].value, answers[i].err = result(o)
		if err := answers[i].err; err != nil && !isReply(err) {
			troubled = err
		}
	}
	if troubled != nil {
		a.troubled(troubled)
	}
	return answers
}

// lone is a server of its own, or one of a cluster.
type lone struct{ *goredis.Client }

func (s lone) address() string { return s.Options().Addr }

func (s lone) do(ctx context.Context, c command) (any, error) { return alone(ctx, s.Client, c) }

func (a *adapter) masters(ctx context.Context) ([]node, error) {
	if a.cluster == nil {
		return []node{lone{a.client.(*goredis.Client)}}, nil
	}
	found := make(chan node)
	var err error
	go func() {
		defer close(found)
		err = a.cluster.ForEachMaster(ctx, func(_ context.Context, c *goredis.Client) error {
			found <- lone{c}
			return nil
		})
	}()
	var nodes []node
	for n := range found {
		nodes = append(nodes, n)
	}
	slices.SortFunc(nodes, func(a, b node) int { return strings.Compare(a.address(), b.address()) })
	return nodes, err
}

// errLate is the error of a command that had no answer at its deadline.
type errLate struct{ error }

func (e errLate) Unwrap() []error { return []error{context.DeadlineExceeded, e.error} }

// notSent is the error of a command that never left.
type notSent struct{ error }

func (e notSent) Unwrap() error { return e.error }

// isReply reports whether err is the answer of a server.
func isReply(err error) bool {
	var reply goredis.Error
	return errors.As(err, &reply)
}

// neverSent reports whether err says that a command has not left.
func neverSent(err error) bool {
	var dial *net.OpError
	return errors.As(err, new(notSent)) || errors.As(err, new(errDial)) || isRole(err) ||
		errors.As(err, &dial) && dial.Op == "dial" ||
		errors.Is(err, goredis.ErrPoolTimeout) ||
		errors.Is(err, goredis.ErrPoolExhausted) ||
		errors.Is(err, goredis.ErrClosed) ||
		errors.Is(err, goredis.ErrAutoPipelineQueueFull)
}

// pause waits, or answers the error of the context.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
