package backends_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Three servers, one for each class, whose sessions are read, changed, ended and
// forgotten for an hour: memory, goroutines and descriptors stay what they are.
// They run at the same time, at a rate that leaves most of two processors idle;
// each is a process of its own, and stands still while it is looked at. What
// the first quarter of the time shows is left out: there, the first sessions have
// yet to expire, and the Manager has yet to forget those that it refuses.
//
// A fourth server leaks, to show that it would be noticed.
func TestChurn(t *testing.T) {
	if testing.Short() {
		t.Skip("left out with -short: takes half a minute")
	}
	if runtime.GOOS != "linux" {
		t.Skip("left out: no /proc to look at a process with")
	}
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	leaky := churn{Class: "Memory", Live: 1000, Length: 20 * time.Second, Rate: 600, Seed: seed, Leaks: true}
	servers := []churn{leaky}
	for _, p := range places {
		c := leaky
		if full {
			c = churn{Live: 100_000, Length: time.Hour, Rate: 1000, Seed: seed}
		}
		c.Class, c.Properties, c.Leaks = p.class, p.propsIn(t, memoryDir(t)), false
		servers = append(servers, c)
	}
	samples, errs := make([][]sample, len(servers)), make([]error, len(servers))
	var all sync.WaitGroup
	for i, c := range servers {
		all.Go(func() {
			samples[i], errs[i] = c.start(t.Context(), func(s sample) {
				t.Logf("%s: after %v heap %d KiB, resident memory %d KiB, %d goroutines, %d descriptors",
					c.Class, s.At.Round(time.Second), s.Heap>>10, s.RSS>>10, s.Goroutines, s.Descriptors)
			})
		})
	}
	all.Wait()
	for i, c := range servers {
		require.NoError(t, errs[i], c.Class)
		for _, m := range measure(samples[i]) {
			// A process of seconds is still growing into the pages that it needs,
			// more so with the race detector: an hour tells.
			if full || m.name != residentMemory {
				require.Equal(t, !c.Leaks, m.flat(), "%s: %v", c.Class, m)
			}
			if !c.Leaks {
				t.Logf("figure: %s: %v", c.Class, m)
			}
		}
		if c.Leaks {
			continue
		}
		last := samples[i][len(samples[i])-1]
		t.Logf("figure: %s: in %v with %d live sessions there were %d reads, %d modifies, %d created, %d destroyed, %d abandoned, %d expired when asked for, %d purged",
			c.Class, c.Length, c.Live, last.Reads, last.Modifies, last.Created, last.Destroyed, last.Abandoned, last.Expired, last.Purged)
		for _, count := range []int64{last.Reads, last.Modifies, last.Created - int64(c.Live), last.Destroyed, last.Abandoned, last.Purged} {
			require.Positive(t, count)
		}
	}
}

// start runs the process of a churn, and answers what it printed. It reports every
// tenth sample as it comes.
func (c churn) start(ctx context.Context, report func(sample)) (samples []sample, err error) {
	config, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), churner+"="+string(config))
	var problems strings.Builder
	cmd.Stderr = &problems
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return nil, err
	}
	lines := json.NewDecoder(out)
	for err == nil {
		var s sample
		if err = lines.Decode(&s); err == nil {
			if samples = append(samples, s); len(samples)%10 == 0 {
				report(s)
			}
		}
	}
	if err := cmd.Wait(); err != nil || problems.Len() > 0 {
		return nil, fmt.Errorf("the process of the churn: %v\n%s", err, &problems)
	}
	if err != io.EOF {
		return nil, err
	}
	if len(samples) < churnSamples/2 {
		return nil, fmt.Errorf("%d samples only", len(samples))
	}
	return samples, nil
}

const residentMemory = "resident memory"

// measured is what became of something that a process needs.
type measured struct {
	name, unit  string
	first, last float64 // of the straight line through the samples
	mean        float64
	perHour     float64 // its slope
	over        time.Duration
	chance      float64 // a rise that may be chance, or a purge that was under way
}

// measure looks at the samples past the first quarter, and for resident memory
// at those of the last one: what SQLite takes past Go's heap grows to where it
// stays for three quarters of an hour (measured: from 43 to 64 MiB).
func measure(samples []sample) []measured {
	const mib = 1 << 20
	var list []measured
	for _, m := range []struct {
		name, unit string
		value      func(sample) float64
		slack      float64
		past       int // quarters
	}{
		{"heap", " MiB", func(s sample) float64 { return float64(s.Heap) / mib }, 0.5, 1},
		{residentMemory, " MiB", func(s sample) float64 { return float64(s.RSS) / mib }, 1, 3},
		{"goroutines", "", func(s sample) float64 { return float64(s.Goroutines) }, 2, 1},
		{"descriptors", "", func(s sample) float64 { return float64(s.Descriptors) }, 2, 1},
	} {
		f := fit(m.name, m.unit, samples[len(samples)*m.past/4:], m.value)
		f.chance = max(f.mean/20*float64(4-m.past)/3, m.slack)
		list = append(list, f)
	}
	return list
}

// fit draws the straight line of the least squares through the samples.
func fit(name, unit string, samples []sample, value func(sample) float64) measured {
	var n, sx, sy, sxx, sxy float64
	for _, s := range samples {
		x, y := s.At.Hours(), value(s)
		n, sx, sy, sxx, sxy = n+1, sx+x, sy+y, sxx+x*x, sxy+x*y
	}
	slope := (n*sxy - sx*sy) / (n*sxx - sx*sx)
	from, to := samples[0].At, samples[len(samples)-1].At
	at := func(d time.Duration) float64 { return sy/n + slope*(d.Hours()-sx/n) }
	return measured{name: name, unit: unit, first: at(from), last: at(to), mean: sy / n, perHour: slope, over: to - from}
}

// flat reports whether the line rises so little that it may be chance: by a
// twentieth over three quarters of the time, or by a third of that over the last.
func (m measured) flat() bool { return m.last-m.first <= m.chance }

func (m measured) String() string {
	return fmt.Sprintf("%s: %.1f%s on average, slope %+.2f%s an hour over the last %v (from %.1f to %.1f)",
		m.name, m.mean, m.unit, m.perHour, m.unit, m.over.Round(time.Second), m.first, m.last)
}

func TestFit(t *testing.T) {
	var samples []sample
	for i := range 101 {
		samples = append(samples, sample{At: time.Duration(i) * time.Minute, Goroutines: int64(1000 + i + i%2)})
	}
	m := fit("goroutines", "", samples, func(s sample) float64 { return float64(s.Goroutines) })
	require.InDelta(t, 60, m.perHour, 0.5)
	require.InDelta(t, 1000.5, m.first, 0.5)
	require.InDelta(t, 1100.5, m.last, 0.5)
	require.False(t, m.flat())
}
