package main

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
)

// event is a line of go test -json.
type event struct {
	Action, Package, Test, Output string
	Elapsed                       float64
}

// run is what a test run came to. As JSON it is kept.
type run struct {
	Stamp                   stamp
	Passed, Failed, Skipped int
	Packages                map[string]*proved // those that printed a figure

	unfinished []string // packages of which the stream does not say how they ended
}

// proved is what the tests of a package printed.
type proved struct {
	Seconds float64
	Figures []string
	Seeds   []string // "TestName: seed 7"
}

// readRun reads a stream and the stamp beside it.
func readRun(name string) (*run, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r, err := read(f)
	if err == nil {
		r.Stamp, err = readStamp(name)
	}
	return r, err
}

// saysSeed is how tests print their seeds.
var saysSeed = regexp.MustCompile(`_test\.go:\d+: (seeds? (?:from )?\d+(?: to \d+)?)\s*$`)

func read(in io.Reader) (*run, error) {
	r := &run{Packages: make(map[string]*proved)}
	seeds := make(map[string][]string) // by package and top-level test
	drew := make(map[string]bool)      // those that printed a figure
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 16<<20)
	seconds := make(map[string]float64)
	ended := make(map[string]bool)  // by package
	failed := make(map[string]bool) // by package: one of its tests
	for lines.Scan() {
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			continue // what a build prints
		}
		if e.Package != "" && !ended[e.Package] {
			ended[e.Package] = false
		}
		top, _, _ := strings.Cut(e.Test, "/")
		test := e.Package + " " + top
		if m := saysSeed.FindStringSubmatch(e.Output); m != nil {
			seeds[test] = append(seeds[test], top+": "+m[1])
		}
		_, figure, ok := strings.Cut(e.Output, "figure: ")
		if !ok {
			_, figure, ok = strings.Cut(e.Output, "conformance: ") // seeds, and how many cases ran
		}
		if ok {
			p := r.Packages[e.Package]
			if p == nil {
				p = &proved{}
				r.Packages[e.Package] = p
			}
			p.Figures = append(p.Figures, strings.TrimSpace(figure))
			drew[test] = true
		}
		if e.Test == "" {
			switch e.Action {
			case "fail":
				if !failed[e.Package] {
					r.Failed++ // outside of the tests: a TestMain, a panic, a build
				}
				fallthrough
			case "pass", "skip":
				seconds[e.Package], ended[e.Package] = e.Elapsed, true
			}
			continue
		}
		switch e.Action {
		case "pass":
			r.Passed++
		case "fail":
			r.Failed++
			failed[e.Package] = true
		case "skip":
			r.Skipped++
		}
	}
	for test := range drew {
		pkg, _, _ := strings.Cut(test, " ")
		r.Packages[pkg].Seeds = append(r.Packages[pkg].Seeds, seeds[test]...)
	}
	for name, p := range r.Packages {
		p.Seconds, p.Figures, p.Seeds = seconds[name], union(p.Figures, nil), union(p.Seeds, nil)
	}
	for name, over := range ended {
		if !over {
			r.unfinished = append(r.unfinished, name)
		}
	}
	slices.Sort(r.unfinished)
	return r, lines.Err()
}

var zero = regexp.MustCompile(`(^|[^0-9.,])0 of [0-9]`)

// unbounded answers the figures that count to zero and say no bound.
func (r *run) unbounded() (list []string) {
	for _, p := range r.Packages {
		for _, f := range p.Figures {
			if zero.MatchString(f) && !strings.Contains(f, "bound") {
				list = append(list, f)
			}
		}
	}
	slices.Sort(list)
	return list
}
