package main

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// classes are the stores that the races run on.
var classes = map[string][]string{"File": nil, "Memory": {"--class", "Memory"}}

// share runs try n times, spread over demos of their own, in each of which one
// try comes after the other: so the front end, which takes turns, sends the two
// requests of a pair to different servers.
func share(t *testing.T, args []string, n int, try func(d *aDemo)) {
	t.Helper()
	const demos = 5
	var wg sync.WaitGroup
	for range demos {
		d := startDemo(t, args...)
		wg.Go(func() {
			for range n / demos {
				try(d)
			}
		})
	}
	wg.Wait()
}

// Two overlapping requests set different attributes: both stay.
func TestDemoKeepsBothOfTwoChanges(t *testing.T) {
	for class, args := range classes {
		t.Run(class, func(t *testing.T) {
			n := tries()
			var kept, apart, overlapped atomic.Int64
			share(t, args, n, func(d *aDemo) {
				v := d.login("Ada")
				var answers [2]answer
				var spans [2][2]time.Time
				var ready, done sync.WaitGroup
				ready.Add(2)
				for i := range answers {
					done.Go(func() {
						ready.Done()
						ready.Wait()
						spans[i][0] = time.Now()
						answers[i] = v.send("/set", "key", fmt.Sprint("key", i), "value", fmt.Sprint("value", i), "delay", "10ms")
						spans[i][1] = time.Now()
					})
				}
				done.Wait()
				for _, a := range answers {
					assert.Equal(t, http.StatusSeeOther, a.status, a.body)
				}
				if spans[0][0].Before(spans[1][1]) && spans[1][0].Before(spans[0][1]) {
					overlapped.Add(1)
				}
				if answers[0].server() != answers[1].server() {
					apart.Add(1)
				}
				s := v.session()
				if assert.Equal(t, map[string]any{"key0": "value0", "key1": "value1"}, s.Attributes) {
					kept.Add(1)
				}
			})
			assert.EqualValues(t, n, kept.Load())
			assert.EqualValues(t, n, apart.Load(), "pairs on different servers")
			// How many overlap depends on the machine. The delays make it nearly all.
			require.Positive(t, overlapped.Load(), "pairs that overlapped")
			t.Logf("figure: demo, class %s: both attributes survived in %d of %d pairs; %d overlapped, %d were on different servers",
				class, kept.Load(), n, overlapped.Load(), apart.Load())
		})
	}
}

// A slow request overlaps a logout: the session stays dead.
func TestDemoLogoutStaysALogout(t *testing.T) {
	for class, args := range classes {
		t.Run(class, func(t *testing.T) {
			n, delay := tries(), 30*time.Millisecond
			var dead, met atomic.Int64
			try := func(d *aDemo) {
				v := d.login("Ada")
				slow := make(chan answer, 1)
				go func() { slow <- v.send("/set", "key", "late", "value", "x", "delay", delay.String()) }()
				time.Sleep(delay / 4) // long enough for the slow request to load the session, nearly always
				assert.Equal(t, http.StatusSeeOther, v.send("/logout").status)
				a := <-slow
				if a.status == http.StatusConflict {
					met.Add(1)
					assert.Contains(t, a.body, "the session stays ended")
				}
				after := *v // the cookie that the slow request came with
				after.keep(a)
				if assert.Empty(t, v.session().User) && assert.Empty(t, after.session().User) {
					dead.Add(1)
				}
			}
			share(t, args, n, try)
			for range 4 { // a machine that is busy needs more time
				if met.Load() > 0 {
					break
				}
				delay *= 4
				share(t, args, 5, try)
				n += 5
			}
			assert.EqualValues(t, n, dead.Load())
			require.Positive(t, met.Load(), "slow requests that met the logout")
			t.Logf("figure: demo, class %s: the session stayed dead in %d of %d tries; %d slow requests saved after the logout and were told", class, dead.Load(), n, met.Load())
		})
	}
}
