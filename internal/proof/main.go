// Command proof reads the JSON stream of a test run. It prints how many tests
// passed, failed and were left out, and with -write it writes the figures that
// the tests logged into a document, with what is needed to make them again.
//
// A figure is a line that a test logs and that begins with "figure: ", or one in
// which the conformance suite says its seed and how many cases ran.
//
// With -canary it searches what the run printed for session ids, which a run
// with the build tag canary wrote into a file, and fails if it finds one.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"
)

func main() {
	write := flag.String("write", "", "the document to write")
	canary := flag.String("canary", "", "a file of session ids, one a line, none of which may have been printed")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: proof [-write FILE] [-canary FILE] TEST.json")
		os.Exit(2)
	}
	var err error
	if *canary != "" {
		err = searchForIDs(*canary, flag.Arg(0))
	}
	if err = errors.Join(err, run(flag.Arg(0), *write)); err != nil {
		fmt.Fprintln(os.Stderr, "proof:", err)
		os.Exit(1)
	}
}

// event is a line of go test -json.
type event struct {
	Action, Package, Test, Output string
	Elapsed                       float64
}

// result is what a test run came to.
type result struct {
	passed, failed, skipped int
	figures                 map[string][]string // by package
	seconds                 map[string]float64  // by package
}

func run(in, out string) error {
	f, err := os.Open(in)
	if err != nil {
		return err
	}
	defer f.Close()
	r, err := read(f)
	if err != nil {
		return err
	}
	if out != "" {
		if r.failed > 0 {
			return fmt.Errorf("%d tests failed: %s is not written", r.failed, out)
		}
		if err := os.WriteFile(out, []byte(r.document()), 0o644); err != nil {
			return err
		}
	}
	fmt.Printf("%d passed, %d failed, %d skipped\n", r.passed, r.failed, r.skipped)
	return nil
}

func read(in io.Reader) (*result, error) {
	r := &result{figures: make(map[string][]string), seconds: make(map[string]float64)}
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			continue // what a build prints
		}
		_, figure, ok := strings.Cut(e.Output, "figure: ")
		if !ok {
			_, figure, ok = strings.Cut(e.Output, "conformance: ") // seeds, and how many cases ran
		}
		if ok {
			r.figures[e.Package] = append(r.figures[e.Package], strings.TrimSpace(figure))
		}
		if e.Test == "" {
			if e.Action == "pass" || e.Action == "fail" {
				r.seconds[e.Package] = e.Elapsed
			}
			continue
		}
		switch e.Action {
		case "pass":
			r.passed++
		case "fail":
			r.failed++
		case "skip":
			r.skipped++
		}
	}
	return r, lines.Err()
}

func (r *result) document() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Proof\n\nWritten by `make prove` on %s, commit %s, %s, %d processors (%s/%s).\n", time.Now().UTC().Format("2006-01-02"),
		output("git", "rev-parse", "--short", "HEAD"), runtime.Version(), runtime.NumCPU(), runtime.GOOS, runtime.GOARCH)
	fmt.Fprintf(&b, "%d tests passed, %d failed, %d were left out.\n", r.passed, r.failed, r.skipped)
	b.WriteString("Of a failure that was not seen in n tries, the rate is below 3/n with 95 % confidence: that bound stands beside each zero.\n")
	var packages []string
	for p := range r.figures {
		packages = append(packages, p)
	}
	slices.Sort(packages)
	for _, p := range packages {
		fmt.Fprintf(&b, "\n## %s (%.0f s)\n\n", strings.TrimPrefix(p, "github.com/websession/websession/"), r.seconds[p])
		slices.Sort(r.figures[p])
		for _, f := range slices.Compact(r.figures[p]) {
			fmt.Fprintf(&b, "- %s\n", f)
		}
	}
	return b.String()
}

func output(name string, args ...string) string {
	out, err := exec.Command(name, args...).Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}
