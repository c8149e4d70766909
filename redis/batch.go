package redis

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/websession/websession/internal/deadline"
)

const (
	batchCalls = 300     // at most this many calls go out together,
	batchBytes = 1 << 20 // or as many as take about so many bytes
	senders    = 3       // so many batches are under way at a time, at most: another
	another    = 32      // one when so many calls wait
)

// batcher sends calls together: those that come while others are under way are
// the next batch. It has goroutines only while there are calls.
//
// Of the calls in a batch those that read are one command, MGET, which says of a
// value of another type that there is none: what seems to be absent is asked for
// again by itself, and all are where the server refuses MGET.
type batcher struct {
	client *goredis.Client

	mu      sync.Mutex
	queue   []*call
	flights [senders][]*call // under way, without those that were told; nil: that sender has nothing to do
	sending int              // how many senders there are
	looking bool             // somebody looks from time to time whose context has ended
	refused atomic.Bool      // the server knows no MGET, or not for us
}

// call is a command of somebody who waits for done. The batcher's mu guards it,
// until done; a sender alone has the rest while it flies.
type call struct {
	command
	single bool // to be asked by itself
	bytes  int  // of a change
	ctx    context.Context
	state  state
	late   error         // of one that was given up
	done   chan struct{} // holds a value once the call is over

	answer
	again bool // it has no answer yet
}

type state int

const (
	queued  state = iota
	flying        // it may be executed
	landed        // go-redis is done with it
	dropped       // given up before it was sent, which it never will be
	left          // given up while it was under way
)

var errQueueFull = errors.New("too many calls wait for the server")

var calls = sync.Pool{New: func() any { return &call{done: make(chan struct{}, 1)} }}

// send sends a command, and waits for the answer or for the end of its context.
func (b *batcher) send(ctx context.Context, c command) (any, error) {
	w := calls.Get().(*call)
	w.command, w.ctx = c, ctx
	if c.change {
		w.bytes = length(c.args)
	}
	if !b.add(w) {
		return nil, notSent{errQueueFull}
	}
	<-w.done
	if w.state == left {
		return nil, w.late // a sender still has w
	}
	got := w.answer
	if w.state == dropped {
		got = answer{err: notSent{w.late}}
	}
	*w = call{done: w.done}
	calls.Put(w)
	return got.value, got.err
}

// close has nothing to do once all calls are over.
func (b *batcher) close() {}

func (b *batcher) add(w *call) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.queue) >= queueSize {
		return false
	}
	b.queue = append(b.queue, w)
	if b.sending == 0 || b.sending < senders && len(b.queue) >= another {
		i := slices.IndexFunc(b.flights[:], func(f []*call) bool { return f == nil })
		b.flights[i] = b.take(nil)
		b.sending++
		go b.work(i, b.flights[i])
	}
	if !b.looking {
		b.looking = true
		time.AfterFunc(deadline.Tick, b.look)
	}
	return true
}

// take moves calls from the queue to an empty batch.
func (b *batcher) take(batch []*call) []*call {
	n, bytes := 0, 0
	for ; n < len(b.queue) && n < batchCalls; n++ {
		if bytes += b.queue[n].bytes; n > 0 && bytes > batchBytes {
			break
		}
		b.queue[n].state = flying
	}
	batch = append(batch, b.queue[:n]...)
	rest := copy(b.queue, b.queue[n:])
	clear(b.queue[rest:])
	b.queue = b.queue[:rest]
	return batch
}

// work is a sender: it sends batches until there are no calls left.
func (b *batcher) work(i int, batch []*call) {
	var o outgoing
	for len(batch) > 0 {
		o.send(b, batch)
		batch = b.land(i, &o, batch)
		for _, w := range o.over {
			w.done <- struct{}{}
		}
	}
}

// land ends a batch: o.over are then the calls to be told. It answers the next
// batch. Without any the sender ends.
func (b *batcher) land(i int, o *outgoing, batch []*call) []*call {
	b.mu.Lock()
	defer b.mu.Unlock()
	o.over = o.over[:0]
	for _, w := range batch {
		switch {
		case w == nil: // told already
		case w.state != flying:
		case w.again:
			w.state, w.again, w.single = queued, false, true
			b.queue = append(b.queue, w)
		default:
			w.state = landed
			o.over = append(o.over, w)
		}
	}
	clear(batch)
	batch = b.take(batch[:0])
	b.flights[i] = batch
	if len(batch) == 0 {
		b.flights[i] = nil
		b.sending--
	}
	return batch
}

// outgoing is what a sender needs for one batch, and uses again for the next.
type outgoing struct {
	reads  []*call  // that are one MGET
	single []**call // that are a command each: where they stand in the batch
	cmds   []goredis.Cmder
	over   []*call
}

// send sends a batch, and notes the answers. Calls that are a command each are
// told as soon as theirs was read.
func (o *outgoing) send(b *batcher, batch []*call) {
	o.reads, o.single, o.cmds = o.reads[:0], o.single[:0], o.cmds[:0]
	read := -1
	for i, w := range batch {
		if w.isGet() && !w.single && !b.refused.Load() {
			o.reads, read = append(o.reads, w), i
		} else {
			o.single = append(o.single, &batch[i])
		}
	}
	if len(o.reads) == 1 {
		o.single, o.reads = append(o.single, &batch[read]), o.reads[:0]
	}
	ctx := context.Background()
	prompts := make([]prompt, len(o.single))
	for i, at := range o.single {
		prompts[i] = prompt{newOnce(ctx, (*at).command), b, at}
		o.cmds = append(o.cmds, &prompts[i])
	}
	if len(o.reads) > 0 {
		args := make([]any, 1, 1+len(o.reads))
		args[0] = "mget"
		for _, w := range o.reads {
			args = append(args, w.args[1])
		}
		o.cmds = append(o.cmds, newOnce(ctx, command{args: args}))
	}
	p := b.client.Pipeline()
	p.BatchProcess(ctx, o.cmds...)
	p.Exec(ctx)
	for i := range prompts {
		prompts[i].note()
	}
	if len(o.reads) > 0 {
		o.spread(b, o.cmds[len(o.single)].(once))
	}
	clear(o.cmds)
}

// prompt is the command of a call, which is told the answer as soon as it was
// read, while those of others are awaited.
type prompt struct {
	once
	b  *batcher
	at **call // in its batch; holds nil once it was told
}

// SetErr is called by go-redis when it has read the answer, or when there will be
// none: then the call waits until go-redis is done with the batch.
func (p *prompt) SetErr(err error) {
	p.once.SetErr(err)
	if err == nil || isReply(err) {
		p.note()
		p.b.tell(p.at)
	}
}

// note notes the answer for the call, if it was not told yet.
func (p *prompt) note() {
	if w := *p.at; w != nil {
		w.value, w.err = result(p.once)
	}
}

// tell ends a call of a batch. Who waited has it then.
func (b *batcher) tell(at **call) {
	b.mu.Lock()
	w := *at
	*at = nil
	waits := w != nil && w.state == flying
	if waits {
		w.state = landed
	}
	b.mu.Unlock()
	if waits {
		w.done <- struct{}{}
	}
}

// spread gives each of those that read its own answer.
func (o *outgoing) spread(b *batcher, c once) {
	value, err := result(c)
	values, ok := value.([]any)
	if err == nil && (!ok || len(values) != len(o.reads)) {
		err = errStrange
	}
	refused := err != nil && isReply(err)
	if refused && isDenied(err) {
		b.refused.Store(true)
	}
	for i, w := range o.reads {
		if err != nil {
			w.err, w.again = err, refused
		} else {
			w.value, w.again = values[i], values[i] == nil
		}
	}
	clear(o.reads)
}

// isGet reports whether c is GET.
func (c command) isGet() bool { return len(c.args) == 2 && c.args[0] == "get" }

// look gives up the calls whose contexts have ended.
func (b *batcher) look() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.looking = false
	for _, f := range b.flights {
		for _, w := range f {
			if w != nil && w.state == flying && !w.giveUp(left) {
				b.looking = true
			}
		}
	}
	stay := b.queue[:0]
	for _, w := range b.queue {
		if !w.giveUp(dropped) {
			stay = append(stay, w)
		}
	}
	clear(b.queue[len(stay):])
	b.queue = stay
	if b.looking = b.looking || len(stay) > 0; b.looking {
		time.AfterFunc(deadline.Tick, b.look)
	}
}

// giveUp ends a call if its context has ended. Who waited has it then.
func (w *call) giveUp(as state) bool {
	err := w.ctx.Err()
	if err == nil {
		return false
	}
	w.state, w.late = as, err
	w.done <- struct{}{}
	return true
}

// length answers about how many bytes arguments take.
func length(args []any) (n int) {
	for _, a := range args {
		switch a := a.(type) {
		case string:
			n += len(a)
		case []byte:
			n += len(a)
		case *lent:
			n += len(a.bytes)
		}
	}
	return n
}
