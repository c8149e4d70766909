package redis

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// resolver knows which server is the master of a service. It asks the Sentinels
// when it does not, and believes an answer only after the server itself has said
// that it is a master. One goroutine listens to a Sentinel for failovers.
type resolver struct {
	service string
	ask     []*goredis.SentinelClient
	names   []string // of ask
	check   func(ctx context.Context, addr string) error
	conns   connections

	mu    sync.Mutex
	addr  string // "": unknown
	epoch int64  // of the configuration that named it

	talks connections     // with Sentinels
	ctx   context.Context // of stop
	stop  context.CancelFunc
	begin sync.Once // the watch begins when a master is known
	ended sync.WaitGroup
}

// newResolver answers a resolver; check asks a server for its role.
func newResolver(s settings, d dialer, check func(ctx context.Context, addr string) error) *resolver {
	r := &resolver{service: s.service, names: s.sentinels, check: check}
	r.ctx, r.stop = context.WithCancel(context.Background())
	// It may have died, and have come back empty while another one took over.
	r.conns.closed = r.distrust
	dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := d.dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return r.talks.track(conn, addr), nil
	}
	for _, addr := range s.sentinels {
		r.ask = append(r.ask, goredis.NewSentinelClient(&goredis.Options{
			Addr:                     addr,
			Username:                 s.watcher.username,
			Password:                 s.watcher.password,
			Protocol:                 2,
			Dialer:                   dial,
			DialTimeout:              limit(s.watchTime.connect),
			DialerRetries:            1,
			ReadTimeout:              socketTime(s.watchTime.read),
			WriteTimeout:             socketTime(s.watchTime.write),
			ContextTimeoutEnabled:    true,
			MaxRetries:               -1,
			PoolSize:                 2,
			PipelinePoolSize:         -1,
			DisableIdentity:          true,
			MaintNotificationsConfig: noNotifications(),
		}))
	}
	return r
}

func (r *resolver) close() {
	r.begin.Do(func() {}) // not any more
	r.stop()
	r.talks.closeBut("")
	r.ended.Wait()
	for _, c := range r.ask {
		c.Close()
	}
}

// known answers the address of the master, "" if it is not known.
func (r *resolver) known() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.addr
}

// state answers the Sentinels, and which of them answer.
func (r *resolver) state() []string {
	ctx, cancel := context.WithTimeout(context.Background(), silence)
	defer cancel()
	all := make([]string, len(r.ask))
	var asked sync.WaitGroup
	for i, name := range r.names {
		asked.Go(func() {
			all[i] = name
			if c := r.askOne(ctx, i); c.err != nil {
				all[i] += " (does not answer)"
			}
		})
	}
	asked.Wait()
	return all
}

// errSentinels says why no master is known.
type errSentinels struct {
	service string
	why     []string
}

func (e *errSentinels) Error() string {
	return fmt.Sprintf("no Sentinel names a master of the service %q: %s", e.service, strings.Join(e.why, "; "))
}

// master answers the address of the master.
func (r *resolver) master(ctx context.Context) (string, error) {
	if addr := r.known(); addr != "" {
		return addr, nil
	}
	return r.find(ctx)
}

// claim is what a Sentinel says.
type claim struct {
	addr  string
	epoch int64 // of its configuration: a failover raises it
	err   error
}

// find asks all Sentinels at once, and takes what most of them agree on, if it is
// true and not older than what is known; a Sentinel alone may not have heard of a
// failover yet. If most do not agree, the newest answer counts.
func (r *resolver) find(ctx context.Context) (string, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	answers := make(chan claim, len(r.ask))
	for i := range r.ask {
		go func() { answers <- r.askOne(ctx, i) }()
	}
	r.mu.Lock()
	epoch := r.epoch
	r.mu.Unlock()
	tried := make(map[string]bool)
	var why []string
	try := func(c claim) bool {
		if c.err == nil && !tried[c.addr] {
			tried[c.addr] = true
			if c.err = r.check(ctx, c.addr); c.err == nil {
				r.set(c)
				return true
			}
		}
		if c.err != nil {
			why = append(why, c.err.Error())
		}
		return false
	}
	var claims []claim
	agree := make(map[claim]int)
	for range r.ask {
		select {
		case c := <-answers:
			claims = append(claims, c)
			if c.err != nil || c.epoch < epoch {
				continue
			}
			if agree[c]++; agree[c] > len(r.ask)/2 && try(c) {
				return c.addr, nil
			}
		case <-ctx.Done():
			return "", notSent{&errSentinels{r.service, append(why, ctx.Err().Error())}}
		}
	}
	slices.SortStableFunc(claims, func(a, b claim) int { return cmp.Compare(b.epoch, a.epoch) })
	for _, c := range claims {
		if try(c) {
			return c.addr, nil
		}
	}
	return "", notSent{&errSentinels{r.service, why}}
}

// askOne asks a Sentinel for the master: first for the epoch of its
// configuration, then for the address. The other way round, and in the answer to
// SENTINEL MASTER, a Sentinel that leads a failover names the old address with
// the new epoch.
func (r *resolver) askOne(ctx context.Context, i int) claim {
	m, err := r.ask[i].Master(ctx, r.service).Result()
	var addr []string
	if err == nil {
		addr, err = r.ask[i].GetMasterAddrByName(ctx, r.service).Result()
	}
	switch text := reply(err); {
	case strings.HasPrefix(text, "ERR No such master"):
		err = errors.New("it does not know the service: check service")
	case strings.HasPrefix(text, "ERR unknown command"):
		err = errors.New("it is no Sentinel: check sentinels, or use server")
	case hintOf(err) != "":
		err = errors.New(text + ": check sentinels_username and sentinels_password")
	case err == nil && (len(addr) != 2 || addr[0] == "" || addr[1] == ""):
		err = errStrange
	}
	if err != nil {
		return claim{err: fmt.Errorf("at the Sentinel %s: %w", r.names[i], err)}
	}
	epoch, _ := strconv.ParseInt(m["config-epoch"], 10, 64)
	return claim{addr: net.JoinHostPort(addr[0], addr[1]), epoch: epoch}
}

// set takes note of the master, and closes connections to the one of before.
func (r *resolver) set(c claim) {
	r.mu.Lock()
	r.addr, r.epoch = c.addr, c.epoch
	r.mu.Unlock()
	r.conns.closeBut(c.addr)
	r.begin.Do(func() { r.ended.Go(r.watch) })
}

// distrust forgets a master that could not be reached, or is none.
func (r *resolver) distrust(addr string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.addr == addr {
		r.addr = ""
	}
}

// doubt is distrust of whichever master is known.
func (r *resolver) doubt() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.addr = ""
}

// dial connects to the master.
func (r *resolver) dial(ctx context.Context, d dialer) (net.Conn, error) {
	addr, err := r.master(ctx)
	if err != nil {
		return nil, err
	}
	conn, err := d.dial(ctx, "tcp", addr)
	if err != nil {
		r.distrust(addr)
		return nil, err
	}
	return r.conns.track(conn, addr), nil
}

// watch listens for failovers at one Sentinel after the other.
func (r *resolver) watch() {
	for i := 0; r.ctx.Err() == nil; i++ {
		began := time.Now()
		r.listen(r.ctx, i%len(r.ask))
		if time.Since(began) < time.Second {
			_ = pause(r.ctx, 200*time.Millisecond)
		}
	}
}

// silence is how long a Sentinel is believed to be there without a word.
const silence = 5 * time.Second

// listen takes note of failovers until the Sentinel is silent.
func (r *resolver) listen(ctx context.Context, i int) {
	sub := r.ask[i].Subscribe(ctx, "+switch-master")
	defer sub.Close()
	defer context.AfterFunc(ctx, func() { sub.Close() })()
	pinged := false
	for ctx.Err() == nil {
		m, err := sub.ReceiveTimeout(ctx, silence)
		var slow net.Error
		switch {
		case err != nil && errors.As(err, &slow) && slow.Timeout() && !pinged:
			if pinged = true; sub.Ping(ctx) != nil {
				return
			}
			continue
		case err != nil:
			return
		}
		pinged = false
		switch m := m.(type) {
		case *goredis.Subscription: // what happened before was missed
			r.look(ctx, i)
		case *goredis.Message: // service, old host and port, new host and port
			if service, _, _ := strings.Cut(m.Payload, " "); service == r.service {
				r.look(ctx, i)
			}
		}
	}
}

// look asks a Sentinel that may know of a failover.
func (r *resolver) look(ctx context.Context, i int) {
	ctx, cancel := context.WithTimeout(ctx, silence)
	defer cancel()
	c := r.askOne(ctx, i)
	r.mu.Lock()
	news := c.err == nil && r.addr != "" && c.addr != r.addr && c.epoch > r.epoch
	r.mu.Unlock()
	if news && r.check(ctx, c.addr) == nil {
		r.set(c)
	}
}
