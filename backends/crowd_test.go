package backends_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/internal/workload"
	"github.com/websession/websession/session"
)

// payloadSize is what a session of a crowd has beside its user, in bytes.
const payloadSize = 300

var user = session.NewKey[string]("user")

// crowd is a place with many sessions, one for each user.
type crowd struct {
	place
	properties map[string]any
	m          *session.Manager
	ids        []packedID
}

// packedID is a session.ID without a pointer: a million of those would keep the
// garbage collector busy, and reads waiting, which no server has to do.
type packedID [43]byte

func (id packedID) unpack() session.ID { return session.ID(string(id[:])) }

func newCrowd(t *testing.T, p place, n int, rng *rand.Rand) *crowd {
	c := &crowd{place: p, properties: p.props(t)}
	c.ids = c.fill(t, n, rng, time.Now)
	c.m = c.open(t, &session.Options{PurgeEvery: session.NoLimit})
	return c
}

func (c *crowd) open(t *testing.T, o *session.Options) *session.Manager {
	m, err := session.Open(t.Context(), c.class, c.properties, o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	return m
}

// fill stores n sessions, as if at the time that a clock shows. It writes without
// waiting for the disk, which is many times faster, and waits at the end.
func (c *crowd) fill(t *testing.T, n int, rng *rand.Rand, now func() time.Time) []packedID {
	hasty := maps.Clone(c.properties)
	maps.Copy(hasty, c.hasty)
	m, err := session.Open(t.Context(), c.class, hasty, &session.Options{
		Now: now, PurgeEvery: session.NoLimit,
		StoreTimeout: session.NoLimit, // a disk that is to take so much at once stops taking it for seconds
	})
	require.NoError(t, err)
	began := time.Now()
	ids := make([]packedID, n)
	const workers = 16
	errs := make([]error, workers)
	var all sync.WaitGroup
	for w := range workers {
		mine := rand.New(rand.NewPCG(rng.Uint64(), 0))
		all.Go(func() {
			for i := w; i < n && errs[w] == nil; i += workers {
				s := m.NewSession()
				text := fmt.Sprintf("%x", mine.Uint64())
				if errs[w] = left.Set(s, text+strings.Repeat("x", payloadSize-len(text))); errs[w] == nil {
					errs[w] = user.Set(s, fmt.Sprint("user-", i))
				}
				if errs[w] == nil {
					errs[w] = s.Save(t.Context())
				}
				if errs[w] == nil && copy(ids[i][:], s.ID().Reveal()) != len(ids[i]) {
					errs[w] = errors.New("an id has another length")
				}
			}
		})
	}
	all.Wait()
	for _, err := range errs {
		require.NoError(t, err)
	}
	require.NoError(t, m.Close())
	if full {
		syncDisks()
	}
	t.Logf("%d sessions were stored in %v", n, time.Since(began).Round(time.Millisecond))
	return ids
}

// read loads a session, as a request does.
func (c *crowd) read(i int) error {
	s, err := c.m.Load(context.Background(), c.ids[i].unpack())
	if err == nil {
		_, err = left.Get(s)
	}
	return err
}

// modify loads a session, changes it and saves.
func (c *crowd) modify(i int) error {
	s, err := c.m.Load(context.Background(), c.ids[i].unpack())
	if err == nil {
		err = workload.Count.Set(s, workload.Count.GetOr(s, 0)+1)
	}
	if err == nil {
		err = s.Save(context.Background())
	}
	return err
}

// warm reads every session once, so that the system has what it can keep of all
// of them in memory.
func (c *crowd) warm(t *testing.T) {
	errs := make([]error, 4)
	var all sync.WaitGroup
	for w := range errs {
		all.Go(func() {
			for i := w; i < len(c.ids) && errs[w] == nil; i += len(errs) {
				errs[w] = c.read(i)
			}
		})
	}
	all.Wait()
	for _, err := range errs {
		require.NoError(t, err)
	}
}

// purgeByItself waits until a Manager has purged n sessions, without being asked.
func (c *crowd) purgeByItself(t *testing.T, n int) {
	events := make(chan session.Event, 1)
	m := c.open(t, &session.Options{PurgeEvery: time.Millisecond, Observe: func(_ context.Context, e session.Event) {
		if e.Kind == session.EventPurged || e.Kind == session.EventPurgeFailed {
			select {
			case events <- e:
			default:
			}
		}
	}})
	e := <-events
	require.NoError(t, m.Close())
	require.NoError(t, e.Err)
	require.Equal(t, n, e.Count)
}

// traffic is reads of random sessions by several goroutines, each at a steady
// pace, until stop is closed.
type traffic struct {
	stop  chan struct{}
	ended sync.WaitGroup
	took  [4][]time.Duration
	errs  [4]error
}

// startTraffic starts 100 reads a second from each of four goroutines. A read
// that comes late because the one before it took long has waited since it was
// due; the time in which a timer is late does not count.
func (c *crowd) startTraffic(rng *rand.Rand) *traffic {
	const every = 10 * time.Millisecond
	f := &traffic{stop: make(chan struct{})}
	for g := range f.took {
		mine := rand.New(rand.NewPCG(rng.Uint64(), 0))
		f.ended.Go(func() {
			due := time.Now()
			for f.errs[g] == nil {
				due = due.Add(every)
				began := due
				if wait := time.Until(due); wait > 0 {
					select {
					case <-f.stop:
						return
					case <-time.After(wait):
					}
					began = time.Now()
				}
				f.errs[g] = c.read(mine.IntN(len(c.ids)))
				f.took[g] = append(f.took[g], time.Since(began))
				select {
				case <-f.stop:
					return
				default:
				}
			}
		})
	}
	return f
}

// end answers how long each read took.
func (f *traffic) end(t *testing.T) []time.Duration {
	close(f.stop)
	f.ended.Wait()
	for _, err := range f.errs {
		require.NoError(t, err)
	}
	return slices.Concat(f.took[:]...)
}

func median[T cmp.Ordered](list []T) T { return slices.Sorted(slices.Values(list))[len(list)/2] }

// percentile answers what p of 100 durations are at most.
func percentile(list []time.Duration, p int) time.Duration {
	slices.Sort(list)
	return list[(len(list)-1)*p/100]
}
