package redis

import (
	"context"

	goredis "github.com/redis/go-redis/v9"

	"github.com/websession/websession/internal/deadline"
)

// autoLane is go-redis's AutoPipeline: in a cluster, where it knows which node a
// command belongs to, and follows the redirections of a slot that moves.
type autoLane struct {
	lane   *goredis.AutoPipeliner
	alarms deadline.Alarms
}

func newAutoLane(c *goredis.ClusterClient) (*autoLane, error) {
	o := goredis.DefaultAutoPipelineOptions()
	o.MaxBatchSize = batchCalls
	o.MaxQueuedCommands = queueSize
	p, err := c.AsyncAutoPipelineWithOptions(o)
	return &autoLane{lane: p}, err
}

func (l *autoLane) close() { l.lane.Close() }

// send waits with the context, to which AutoPipeline pays no heed: for its
// deadline alone if it has one.
func (l *autoLane) send(ctx context.Context, c command) (any, error) {
	lasting := context.WithoutCancel(ctx)
	if end, ok := ctx.Deadline(); ok {
		alarm := l.alarms.Before(ctx, end)
		ctx, lasting = alarm, alarm.Detached()
	}
	o := newOnce(lasting, c)
	err := l.lane.Submit(ctx, o).WaitContext(ctx)
	if err != nil && err == ctx.Err() { // which the command's own error may be, too: no matter
		return nil, err
	}
	return result(o)
}
