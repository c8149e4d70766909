package servertest

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/internal/workload"
	"github.com/websession/websession/session"
)

const (
	scalePayload = 300 // bytes that a session has beside its user
	scaleRatio   = 1.5 // of the medians, in a full run
)

// used is how many sessions there are that are used: all of the smaller database.
var used = workload.Pick(10_000, 1000)

var user = session.NewKey[string]("user")

// crowd is a database with many sessions, one for each user, of which some are
// used.
type crowd struct {
	m     *session.Manager
	db    *sql.DB
	clone func(name string, times int, expires int64) string
	ids   []session.ID
}

// Scale measures reading and modifying a session among a million, while a purge
// deletes expired ones, against the same among 10,000 in another database of the
// server, call by call in turns. In full runs the median takes at most 1.5 times
// as long. clone answers a statement that stores each row of the table originals
// so many times, under keys that are made of its own and a name, with these
// milliseconds in expires.
func (c Class) Scale(t *testing.T, few, many Place, clone func(name string, times int, expires int64) string) {
	rng := workload.Seeded(t)
	n, calls := workload.Scaled(1_000_000), workload.Scaled(20_000)
	crowds := []*crowd{c.crowd(t, few, clone, rng), c.crowd(t, many, clone, rng)}
	Exec(t, crowds[1].db, clone("alive", n/used-1, 4e12))
	took := map[string]*[2][]time.Duration{"read": {}, "modify": {}}
	purged := crowds[1].purging(t, func() {
		for range calls {
			for i, c := range crowds {
				for name, do := range map[string]func(session.ID) error{"read": c.read, "modify": c.modify} {
					id := c.ids[rng.IntN(len(c.ids))]
					began := time.Now()
					err := do(id)
					took[name][i] = append(took[name][i], time.Since(began))
					require.NoError(t, err)
				}
			}
		}
	})
	require.Positive(t, purged)
	for name, d := range took {
		small, large := median(d[0]), median(d[1])
		ratio := float64(large) / float64(small)
		t.Logf("figure: %s: the median of a %s among %d sessions, while %d others were purged, is %.2f times that among %d (%v and %v, %d calls each)",
			c.Driver.Class().Name, name, n, purged, ratio, used, large, small, calls)
		if workload.Full {
			require.LessOrEqual(t, ratio, scaleRatio, name)
		}
	}
}

// crowd stores the sessions that are used.
func (c Class) crowd(t *testing.T, p Place, clone func(string, int, int64) string, rng *rand.Rand) *crowd {
	made := &crowd{db: c.Bare(t, p.DSN), clone: clone, ids: make([]session.ID, used)}
	made.m = workload.Manager(t, c.Driver.Class().Name, p.Properties, &session.Options{PurgeEvery: session.NoLimit})
	const workers = 16
	errs := make([]error, workers)
	var all sync.WaitGroup
	for w := range workers {
		own := rand.New(rand.NewPCG(rng.Uint64(), 0))
		all.Go(func() {
			for i := w; i < used && errs[w] == nil; i += workers {
				made.ids[i], errs[w] = made.create(i, fmt.Sprintf("%x", own.Uint64()))
			}
		})
	}
	all.Wait()
	for _, err := range errs {
		require.NoError(t, err)
	}
	Exec(t, made.db, "CREATE TABLE originals AS SELECT * FROM websession_sessions")
	return made
}

func (c *crowd) create(i int, payload string) (session.ID, error) {
	s := c.m.NewSession()
	err := workload.Left.Set(s, payload+strings.Repeat("x", scalePayload-len(payload)))
	if err == nil {
		err = user.Set(s, fmt.Sprint("user-", i))
	}
	if err == nil {
		err = s.Save(background)
	}
	return s.ID(), err
}

// read loads a session, as a request does.
func (c *crowd) read(id session.ID) error {
	s, err := c.m.Load(background, id)
	if err == nil {
		_, err = workload.Left.Get(s)
	}
	return err
}

// modify loads a session, changes it and saves.
func (c *crowd) modify(id session.ID) error {
	s, err := c.m.Load(background, id)
	if err == nil {
		err = workload.Count.Set(s, workload.Count.GetOr(s, 0)+1)
	}
	if err == nil {
		err = s.Save(background)
	}
	return err
}

// purging calls do while expired sessions are purged, and answers how many were.
func (c *crowd) purging(t *testing.T, do func()) (purged int) {
	ctx, stop := context.WithCancel(background)
	var purger sync.WaitGroup
	purger.Go(func() {
		for round := 0; ctx.Err() == nil; round++ {
			Exec(t, c.db, c.clone(fmt.Sprint("expired", round), 1, 1))
			n, err := c.m.Purge(background)
			purged += n
			if err != nil {
				t.Error(err)
				return
			}
		}
	})
	defer func() { stop(); purger.Wait() }()
	do()
	stop()
	purger.Wait()
	return purged
}
