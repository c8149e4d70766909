package benchpeers

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2/memstore"

	"github.com/websession/websession/session"
	"github.com/websession/websession/session/memory"
)

// inMemory answers the same application twice, each with its own store.
func inMemory(tb testing.TB) (us, them peer) {
	m, err := session.New(memory.New(), nil)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { m.Close() })
	return ours(m), theirs(memstore.NewWithCleanupInterval(0))
}

func BenchmarkMemoryRead(b *testing.B) {
	inMemoryOfEachSize(b, func(p peer) http.Handler { return p.wrap(p.read) }, false)
}

func BenchmarkMemoryModify(b *testing.B) {
	inMemoryOfEachSize(b, func(p peer) http.Handler { return p.wrap(p.modify) }, true)
}

func inMemoryOfEachSize(b *testing.B, handler func(peer) http.Handler, counts bool) {
	for _, attributes := range []int{3, 20} {
		b.Run(fmt.Sprintf("%dAttributes", attributes), func(b *testing.B) {
			us, them := inMemory(b)
			one := newLoop(handler(us), us.visit(b, attributes, someValue))
			other := newLoop(handler(them), them.visit(b, attributes, someValue))
			compare(b, 25*time.Millisecond, one.serve, other.serve)
			one.check(b, counts)
			other.check(b, counts)
		})
	}
}

// loop is a visitor that sends one request after the other.
type loop struct {
	handler      http.Handler
	visitor      visitor
	sent, failed int
}

func newLoop(h http.Handler, v visitor) *loop { return &loop{handler: h, visitor: v} }

// serve looks at the clock every 16 requests only, since that takes time.
func (l *loop) serve(until time.Time) (requests int) {
	for time.Now().Before(until) {
		requests += l.send(16)
	}
	return requests
}

func (l *loop) send(requests int) int {
	for range requests {
		if w := l.visitor.send(l.handler); w.code != http.StatusOK {
			l.failed++
		}
	}
	l.sent += requests
	return requests
}

// check reports unless every request did what it is for.
func (l *loop) check(tb testing.TB, counts bool) {
	tb.Helper()
	want := 0
	if counts {
		want = l.sent
	}
	if n := l.visitor.counter(tb); l.failed > 0 || n != want {
		tb.Errorf("of %d requests %d failed; the counter is %d", l.sent, l.failed, n)
	}
}

func TestApplicationsDoTheSame(t *testing.T) {
	us, them := inMemory(t)
	for name, p := range map[string]peer{"ours": us, "theirs": them} {
		v := p.visit(t, 20, someValue)
		modify, read := newLoop(p.wrap(p.modify), v), newLoop(p.wrap(p.read), v)
		modify.send(3)
		read.send(3)
		if n := v.counter(t); n != 3 || modify.failed+read.failed > 0 {
			t.Errorf("%s: the counter is %d after 3 modifications; %d of them and %d reads failed", name, n, modify.failed, read.failed)
		}
	}
}

func TestMedian(t *testing.T) {
	if m := median([]float64{5, 1, 4, 2, 3}); m != 3 {
		t.Errorf("the median is %v", m)
	}
	if m := median([]float64{4, 1}); m != 2.5 {
		t.Errorf("the median of two is %v", m)
	}
}
