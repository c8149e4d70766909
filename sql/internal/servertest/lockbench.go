package servertest

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/internal/workload"
	"github.com/websession/websession/session"
	"github.com/websession/websession/session/sessionhttp"
)

// What a request costs beside its session, and how many there are at a time.
const (
	lockWork    = 20 * time.Millisecond
	lockClients = 10
)

// leastRatio is what the rate of one session must be of that of ten, without
// locks, when everything is counted in full.
const leastRatio = 0.9

// lockCost is what the clients did with one value of the property locking.
type lockCost struct {
	locking       string
	one, ten      float64 // requests per second of one session and of ten: the median
	ratio         float64 // one by ten: the median of the ratios of the rounds
	updates, lost int     // of all rounds, one session and ten
}

// lockCosts lets ten clients use one session, and one session each, without locks
// and with them. Each request works for 20 ms and counts in an attribute of its
// client's own. All run in turns, several rounds of a time each.
func (c Class) lockCosts(tb testing.TB, props map[string]any, rounds int, slice time.Duration) []lockCost {
	tb.Helper()
	kinds := []string{"none", c.Locking}
	results := make([]lockCost, len(kinds))
	sides := make([][2]*clients, len(kinds))
	for i, kind := range kinds {
		results[i].locking = kind
		m, err := session.NewRegistry(c.Driver).Open(background, c.Driver.Class().Name, With(props, "locking", kind), &session.Options{Observe: func(_ context.Context, e session.Event) {
			if e.Err != nil {
				tb.Errorf("locking %s: %s: %v", kind, e.Kind, e.Err)
			}
		}})
		check(tb, err)
		tb.Cleanup(func() { check(tb, m.Close()) })
		sides[i] = [2]*clients{newClients(tb, m, 1), newClients(tb, m, lockClients)}
	}
	rates := make([][3][]float64, len(kinds)) // one session, ten, ratio
	for round := range rounds {
		for i := range kinds {
			var rate [2]float64
			for j := range 2 {
				j = (j + round) % 2 // each is first as often as the other
				rate[j] = sides[i][j].run(tb, slice)
			}
			for j, v := range []float64{rate[0], rate[1], rate[0] / rate[1]} {
				rates[i][j] = append(rates[i][j], v)
			}
		}
	}
	for i := range kinds {
		r := &results[i]
		r.one, r.ten, r.ratio = median(rates[i][0]), median(rates[i][1]), median(rates[i][2])
		for _, side := range sides[i] {
			made, kept := side.count(tb)
			r.updates += made
			r.lost += made - kept
		}
	}
	return results
}

func median[T cmp.Ordered](list []T) T {
	slices.Sort(list)
	return list[len(list)/2]
}

// clients use sessions, of which they have one each or one together.
type clients struct {
	m    *session.Manager
	ids  [lockClients]session.ID
	made [lockClients]int
}

func newClients(tb testing.TB, m *session.Manager, sessions int) *clients {
	tb.Helper()
	c := &clients{m: m}
	for i := range sessions {
		s := m.NewSession()
		for a := range 20 { // as sessions are
			check(tb, session.NewKey[string](fmt.Sprint("attribute", a)).Set(s, strings.Repeat("v", 50)))
		}
		check(tb, s.Save(background))
		for w := i; w < lockClients; w += sessions {
			c.ids[w] = s.ID()
		}
	}
	return c
}

// own is the attribute of a client.
func own(client int) session.Key[int64] { return session.NewKey[int64](fmt.Sprint("client", client)) }

type clientKey struct{}

// run has all clients make requests for a time, and answers how many there were
// in a second.
func (c *clients) run(tb testing.TB, d time.Duration) float64 {
	work := sessionhttp.Middleware(c.m, nil)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, err := sessionhttp.Get(r)
		if err != nil {
			return // 503
		}
		time.Sleep(lockWork) // stands for what the page costs; nobody waits for it to have ended
		k := own(r.Context().Value(clientKey{}).(int))
		if err := k.Set(s, k.GetOr(s, 0)+1); err != nil {
			panic(err)
		}
		w.WriteHeader(http.StatusNoContent)
	}))
	n := 0
	var mu sync.Mutex
	var wg sync.WaitGroup
	begin := time.Now()
	end := begin.Add(d)
	for client, id := range c.ids {
		wg.Go(func() {
			for time.Now().Before(end) {
				r := httptest.NewRequest("GET", "https://example.com/", nil)
				r.AddCookie(&http.Cookie{Name: sessionhttp.DefaultCookieName, Value: id.Reveal()})
				rec := httptest.NewRecorder()
				work.ServeHTTP(rec, r.WithContext(context.WithValue(r.Context(), clientKey{}, client)))
				if rec.Code != http.StatusNoContent {
					tb.Errorf("a request was answered by %d", rec.Code)
					return
				}
				c.made[client]++
				mu.Lock()
				n++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return float64(n) / time.Since(begin).Seconds()
}

// count answers how many updates were made, and how many are there. A client
// makes one after the other, so that each that was lost is missing.
func (c *clients) count(tb testing.TB) (made, kept int) {
	tb.Helper()
	for client, id := range c.ids {
		s, err := c.m.Load(background, id)
		check(tb, err)
		made += c.made[client]
		kept += int(own(client).GetOr(s, 0))
		s.Finish()
	}
	return made, kept
}

// Contention tests that ten clients of one session lose no update, without locks
// and with them, and prints what each costs.
func (c Class) Contention(t *testing.T, props map[string]any) {
	for _, r := range c.lockCosts(t, props, workload.Pick(5, 1), time.Duration(workload.Pick(1000, 500))*time.Millisecond) {
		require.Zero(t, r.lost, "locking %s: of %d updates", r.locking, r.updates)
		t.Logf("figure: %s, ten clients, requests of 20 ms, locking %s: %.0f a second of one session, %.0f of ten sessions, ratio %.2f; lost updates: %s",
			c.Driver.Class().Name, r.locking, r.one, r.ten, r.ratio, workload.Zero(r.updates))
	}
}

// BenchLocking reports what locks cost. Compare what one run printed only.
func (c Class) BenchLocking(b *testing.B, props map[string]any) {
	for _, r := range c.lockCosts(b, props, 5, time.Second) {
		b.Run("locking="+r.locking, func(b *testing.B) {
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(r.one, "one/s")
			b.ReportMetric(r.ten, "ten/s")
			b.ReportMetric(r.ratio, "ratio")
			b.ReportMetric(float64(r.updates), "updates")
			b.ReportMetric(float64(r.lost), "lost")
		})
		if r.lost > 0 {
			b.Errorf("locking %s: %d of %d updates were lost", r.locking, r.lost, r.updates)
		}
		if workload.Full && r.locking == "none" && r.ratio < leastRatio {
			b.Errorf("ten clients of one session have %.2f of the rate of ten sessions, below %v", r.ratio, leastRatio)
		}
	}
}
