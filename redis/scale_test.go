package redis_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/websession/websession/internal/servers"
	"github.com/websession/websession/internal/testenv"
	"github.com/websession/websession/session"
)

// What a session of TestManySessions has beside its user.
const payloadSize = 300

// crowd is a server with many sessions, one for each user.
type crowd struct {
	server *servers.Redis
	m      *session.Manager
	client *goredis.Client
	ids    []session.ID
	before int64 // memory that the server used without them
}

func newCrowd(tb testing.TB, n int, rng *rand.Rand) *crowd {
	tb.Helper()
	c := &crowd{server: testenv.NewRedis(tb, nil), ids: make([]session.ID, n)}
	c.client = goredis.NewClient(&goredis.Options{Addr: c.server.Addr(), ReadTimeout: time.Minute})
	tb.Cleanup(func() { require.NoError(tb, c.client.Close()) })
	c.m = manager(tb, "Redis", map[string]any{"server": c.server.Addr()}, nil)
	c.before = c.memory(tb)
	fill(tb, n, rng, func(ctx context.Context, i int, payload string) error {
		s := c.m.NewSession()
		if err := left.Set(s, payload); err != nil {
			return err
		}
		if err := user.Set(s, fmt.Sprint("user-", i)); err != nil {
			return err
		}
		err := s.Save(ctx)
		c.ids[i] = s.ID()
		return err
	})
	return c
}

// fill calls a function n times from many goroutines, with a payload at random.
func fill(tb testing.TB, n int, rng *rand.Rand, fn func(ctx context.Context, i int, payload string) error) {
	tb.Helper()
	const workers = 64
	errs := make([]error, workers)
	var all sync.WaitGroup
	for w := range workers {
		mine := rand.New(rand.NewPCG(rng.Uint64(), 0))
		all.Go(func() {
			for i := w; i < n && errs[w] == nil; i += workers {
				text := fmt.Sprintf("%x", mine.Uint64())
				errs[w] = fn(ctx, i, text+strings.Repeat("x", payloadSize-len(text)))
			}
		})
	}
	all.Wait()
	for _, err := range errs {
		require.NoError(tb, err)
	}
}

// memory answers how much the server uses, without what its clients do.
func (c *crowd) memory(tb testing.TB) int64 {
	tb.Helper()
	var used, clients int64
	info, err := c.client.Info(ctx, "memory").Result()
	require.NoError(tb, err)
	for line := range strings.Lines(info) {
		fmt.Sscanf(line, "used_memory:%d", &used)
		fmt.Sscanf(line, "mem_clients_normal:%d", &clients)
	}
	require.Positive(tb, used)
	return used - clients
}

// each answers the bytes that n entries take.
func (c *crowd) each(tb testing.TB, n int) int64 { return (c.memory(tb) - c.before) / int64(n) }

// read loads a session, as a request does.
func (c *crowd) read(i int) error {
	s, err := c.m.Load(ctx, c.ids[i])
	if err == nil {
		_, err = left.Get(s)
	}
	return err
}

// modify loads a session, changes it and saves.
func (c *crowd) modify(i int) error {
	s, err := c.m.Load(ctx, c.ids[i])
	if err == nil {
		err = count.Set(s, count.GetOr(s, 0)+1)
	}
	if err == nil {
		err = s.Save(ctx)
	}
	return err
}

// 1,000,000 sessions of 300 bytes with a user each: how much memory one takes
// beside the same bytes under the same keys, with the same time-to-live; and that
// reading and modifying one takes at the median at most 1.2 times as long as
// among 10,000, on another server of the same machine, call by call in turns. The
// sessions are chosen at random. Fewer than 1,000,000 are measured and not judged.
func TestManySessions(t *testing.T) {
	rng := seeded(t)
	n, calls := scaled(1_000_000), scaled(40_000)
	few, many := newCrowd(t, 10_000, rng), newCrowd(t, n, rng)
	each := many.each(t, n)
	var reads, modifies [2][]time.Duration
	for range calls {
		for i, c := range []*crowd{few, many} {
			for at, one := range map[*[]time.Duration]func(int) error{&reads[i]: c.read, &modifies[i]: c.modify} {
				which := rng.IntN(len(c.ids))
				began := time.Now()
				err := one(which)
				*at = append(*at, time.Since(began))
				require.NoError(t, err)
			}
		}
	}
	empty := newCrowd(t, 0, rng)
	fill(t, n, rng, func(ctx context.Context, i int, payload string) error {
		key := fmt.Sprintf("websession:%043d", i) // as long as that of a session
		return empty.client.Set(ctx, key, payload, 8*time.Hour).Err()
	})
	bare := empty.each(t, n)
	t.Logf("figure: Redis: %d sessions of %d bytes and a user take %d bytes each; the bare payload under such keys takes %d: %d more, the entry of the index included",
		n, payloadSize, each, bare, each-bare)
	for name, d := range map[string][2][]time.Duration{"read": reads, "modify": modifies} {
		small, large := median(d[0]), median(d[1])
		ratio := float64(large) / float64(small)
		t.Logf("figure: Redis: the median of a %s among %d sessions is %.2f times that among %d (%v and %v, %d calls each)",
			name, n, ratio, len(few.ids), large, small, calls)
		if full {
			require.LessOrEqual(t, ratio, 1.2, name)
		}
	}
}
