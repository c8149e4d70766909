package redis

import (
	"context"
	"sync/atomic"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// redirects bounds how often a slot is looked for.
const redirects = 8

func (a *adapter) confirm(ctx context.Context, c command, w wait) (answer, int64, error) {
	cs := []command{c, cmd("", "WAIT", w.replicas, w.ms)}
	ask := false
	var target *goredis.Client
	for try := 1; ; try++ {
		p, skip := a.client.Pipeline(), 0
		if a.cluster != nil {
			if target == nil {
				var err error
				if target, err = a.cluster.MasterForKey(ctx, c.key); err != nil {
					return answer{err: notSent{err}}, -1, nil
				}
			}
			p = target.Pipeline()
		}
		sent := cs
		if ask {
			sent, skip = append([]command{cmd("", "ASKING")}, cs...), 1
		}
		answers := a.pipeOn(ctx, p, sent)[skip:]
		if err := answers[0].err; err != nil {
			addr, asked, redirected := redirection(err)
			if !redirected || try == redirects {
				return answers[0], -1, nil
			}
			a.cluster.ReloadState(ctx)
			ask = asked
			if target = a.at(ctx, addr); target == nil && pause(ctx, time.Duration(try)*10*time.Millisecond) != nil {
				return answers[0], -1, nil
			}
			continue
		}
		acked, _ := answers[1].value.(int64)
		return answers[0], acked, answers[1].err
	}
}

// at answers the node of a cluster at an address, nil if it is not known yet.
func (a *adapter) at(ctx context.Context, addr string) *goredis.Client {
	var found atomic.Pointer[goredis.Client]
	a.cluster.ForEachShard(ctx, func(_ context.Context, c *goredis.Client) error {
		if c.Options().Addr == addr {
			found.Store(c)
		}
		return nil
	})
	return found.Load()
}

// redirection reads a MOVED or ASK error.
func redirection(err error) (addr string, ask, ok bool) {
	if addr, ok = goredis.IsMovedError(err); ok {
		return addr, false, true
	}
	addr, ok = goredis.IsAskError(err)
	return addr, ok, ok
}
