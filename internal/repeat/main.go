// Command repeat runs the tests of packages again and again: each time in a new
// process, in a new order, and beside other packages. It compiles them once.
//
//	go run ./internal/repeat -n 200 -flags "-race -tags=x" -run "-test.short" ./...
//
// It prints what a run that failed has printed, with the seed of its order, and
// goes on. With -for it begins no round after that time. With -json it writes what it found as a test run would, for
// internal/proof.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
)

func main() {
	n := flag.Int("n", 1, "how often each package is run")
	limit := flag.Duration("for", 0, "after this time no round begins; 0 means all do")
	build := flag.String("flags", "", "flags for go test -c, separated by spaces")
	run := flag.String("run", "", "flags for the compiled tests, separated by spaces")
	seed := flag.Uint64("seed", 0, "of all seeds; 0 means one at random")
	report := flag.String("json", "", "the file to write, in the format of go test -json")
	flag.Parse()
	if *n < 1 || flag.NArg() == 0 {
		fmt.Fprintln(os.Stderr, "usage: repeat [-n N] [-for DURATION] [-flags FLAGS] [-run FLAGS] [-seed SEED] [-json FILE] PACKAGES")
		os.Exit(2)
	}
	if *seed == 0 {
		*seed = rand.Uint64()
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	r := &repeats{n: *n, limit: *limit, flags: strings.Fields(*run), seed: *seed, log: os.Stdout}
	if err := r.all(ctx, strings.Fields(*build), flag.Args(), *report); err != nil {
		fmt.Fprintln(os.Stderr, "repeat:", err)
		os.Exit(1)
	}
}

// repeats is what is to be done, and what came of it.
type repeats struct {
	n     int
	limit time.Duration // 0 means none
	flags []string
	seed  uint64
	log   io.Writer

	began time.Time

	mu       sync.Mutex // guards log, too
	failed   map[int]bool
	faults   []string
	finished int           // rounds
	worked   time.Duration // of processors, in all runs
}

// target is a package whose tests are compiled.
type target struct{ path, dir, binary string }

func (r *repeats) all(ctx context.Context, build, packages []string, report string) error {
	dir, err := os.MkdirTemp("", "repeat-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	targets, err := compile(ctx, dir, build, packages)
	if err != nil {
		return err
	}
	fmt.Fprintf(r.log, "seed %d: %d runs of the tests of %d packages\n", r.seed, r.n, len(targets))
	r.began = time.Now()
	done := r.run(ctx, targets)
	figure := r.figure(done, len(targets), build)
	fmt.Fprintln(r.log, figure)
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("stopped after %d of %d runs: %w", done, r.n, err)
	}
	if report != "" {
		if err := r.write(report, figure, time.Since(r.began)); err != nil {
			return err
		}
	}
	if len(r.faults) > 0 {
		return fmt.Errorf("failures:\n%s", strings.Join(r.faults, "\n"))
	}
	return nil
}

// compile makes a binary of the tests of each package that has some.
func compile(ctx context.Context, dir string, flags, packages []string) (targets []target, err error) {
	cmd := exec.CommandContext(ctx, "go", slices.Concat([]string{"test", "-c", "-o", dir + string(filepath.Separator)}, flags, packages)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("go test -c: %w\n%s", err, out)
	}
	const format = "{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}\t{{.Dir}}{{end}}"
	out, err := exec.CommandContext(ctx, "go", slices.Concat([]string{"list", "-f", format}, tags(flags), packages)...).Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	for line := range strings.Lines(string(out)) {
		path, at, found := strings.Cut(strings.TrimSpace(line), "\t")
		if !found {
			continue
		}
		binary := filepath.Join(dir, path[strings.LastIndexByte(path, '/')+1:]+".test")
		if runtime.GOOS == "windows" {
			binary += ".exe"
		}
		if _, err := os.Stat(binary); err != nil {
			return nil, err
		}
		targets = append(targets, target{path, at, binary})
	}
	if len(targets) == 0 {
		return nil, errors.New("no package has tests")
	}
	return targets, nil
}

// tags answers those of the flags that go list must know.
func tags(flags []string) (list []string) {
	for _, f := range flags {
		if strings.HasPrefix(f, "-tags=") || f == "-race" {
			list = append(list, f)
		}
	}
	return list
}

// job is one run of the tests of a package.
type job struct {
	target
	seed  int64 // of the order
	round *round
}

// round is one run of the tests of all packages.
type round struct {
	number int // from 1
	left   int // packages that are not through
}

// run runs every package r.n times, or until r.limit is over, twice as many at
// once as there are processors, since tests mostly wait. It answers how many
// rounds were finished. A round may begin while the last packages of the one
// before are still running.
func (r *repeats) run(ctx context.Context, targets []target) int {
	r.failed = make(map[int]bool)
	next := make(chan job)
	var workers sync.WaitGroup
	for range 2 * runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for j := range next {
				r.once(ctx, j)
			}
		})
	}
	rng := rand.New(rand.NewPCG(r.seed, 0))
	for n := 1; n <= r.n && ctx.Err() == nil && (n == 1 || r.limit == 0 || time.Since(r.began) < r.limit); n++ {
		rng.Shuffle(len(targets), func(i, j int) { targets[i], targets[j] = targets[j], targets[i] })
		current := &round{n, len(targets)}
		for _, t := range targets {
			next <- job{t, rng.Int64(), current}
		}
	}
	close(next)
	workers.Wait()
	return r.finished
}

func (r *repeats) once(ctx context.Context, j job) {
	args := slices.Concat([]string{fmt.Sprintf("-test.shuffle=%d", j.seed), "-test.paniconexit0", "-test.timeout=30m"}, r.flags)
	cmd := exec.CommandContext(ctx, j.binary, args...)
	cmd.Dir = j.dir
	out, err := cmd.CombinedOutput()
	r.mu.Lock()
	defer r.mu.Unlock()
	if ctx.Err() != nil {
		return
	}
	if p := cmd.ProcessState; p != nil {
		r.worked += p.UserTime() + p.SystemTime()
	}
	if err != nil {
		r.failed[j.round.number] = true
		fault := fmt.Sprintf("run %d: %s -shuffle=%d: %v", j.round.number, j.path, j.seed, err)
		r.faults = append(r.faults, fault)
		fmt.Fprintf(r.log, "%s\n%s\n", fault, out)
	}
	if j.round.left--; j.round.left == 0 {
		r.finished++
		each := func(d time.Duration) float64 { return d.Seconds() / float64(r.finished) }
		fmt.Fprintf(r.log, "%d of %d: %.0f s each, %.0f s of processors, %d failed so far\n",
			r.finished, r.n, each(time.Since(r.began)), each(r.worked), len(r.faults))
	}
}

// figure says what came of it.
func (r *repeats) figure(done, packages int, build []string) string {
	what := fmt.Sprintf("runs of the tests of %d packages (%s, a new order each)", packages, strings.Join(slices.Concat(build, r.flags), " "))
	if len(r.failed) > 0 {
		return fmt.Sprintf("%s that failed: %d of %d", what, len(r.failed), done)
	}
	return fmt.Sprintf("%s that failed: 0 of %d (95 %% bound: below %.2g %%), seed %d", what, done, 300/float64(done), r.seed)
}

// write writes the figure as the output of a test.
func (r *repeats) write(name, figure string, took time.Duration) error {
	const pkg = "github.com/websession/websession/internal/repeat"
	outcome := "pass"
	if len(r.failed) > 0 {
		outcome = "fail"
	}
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	enc := json.NewEncoder(f)
	for _, e := range []map[string]any{
		{"Action": "output", "Package": pkg, "Test": "Repeats", "Output": "figure: " + figure + "\n"},
		{"Action": outcome, "Package": pkg, "Test": "Repeats", "Elapsed": took.Seconds()},
		{"Action": outcome, "Package": pkg, "Elapsed": took.Seconds()},
	} {
		if err := enc.Encode(e); err != nil {
			f.Close()
			return err
		}
	}
	return f.Close()
}
