// Command proof reads the JSON streams of test runs. It prints how many tests
// passed, failed and were left out, and with -write it writes the figures that
// the tests logged into a document, with what is needed to make them again.
//
// A figure is a line that a test logs and that begins with "figure: ", or one in
// which the conformance suite says its seed and how many cases ran. One that
// counts to zero must say its bound.
//
// A part of the proof that was not run yet is named in the document.
//
// With -stamp it notes, beside a stream that is about to be written, when, where
// and on which commit the run began, so that a document may hold runs of several
// days. With -canary it searches what the runs printed for session ids, which a
// run with the build tag canary wrote into a file, and fails if it finds one.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	write := flag.String("write", "", "the document to write")
	canary := flag.String("canary", "", "a file of session ids, one a line, none of which may have been printed")
	stamped := flag.Bool("stamp", false, "note that runs begin whose streams will have these names")
	flag.Parse()
	if flag.NArg() == 0 {
		fmt.Fprintln(os.Stderr, "usage: proof -stamp TEST.json...\n       proof [-write FILE] [-canary FILE] TEST.json...")
		os.Exit(2)
	}
	var err error
	switch {
	case *stamped:
		err = writeStamps(flag.Args())
	case *canary != "":
		err = searchForIDs(*canary, flag.Args())
		fallthrough
	default:
		err = errors.Join(err, report(flag.Args(), *write))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "proof:", err)
		os.Exit(1)
	}
}

// report says what runs came to, and writes the document.
func report(streams []string, out string) error {
	var runs []*run
	var absent []string
	var faults []error
	for _, name := range streams {
		r, err := readRun(name)
		if out != "" && errors.Is(err, fs.ErrNotExist) {
			absent = append(absent, strings.TrimSuffix(filepath.Base(name), ".json"))
			continue
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		fmt.Printf("%s: %d passed, %d failed, %d skipped\n", name, r.passed, r.failed, r.skipped)
		for _, figure := range r.unbounded() {
			faults = append(faults, fmt.Errorf("a figure says no bound of its zero: %s", figure))
		}
		for _, pkg := range r.unfinished {
			faults = append(faults, fmt.Errorf("%s: the run was cut off in %s", name, pkg))
		}
		if r.failed > 0 && out != "" {
			faults = append(faults, fmt.Errorf("%d tests failed: %s is not written", r.failed, out))
		}
		runs = append(runs, r)
	}
	if len(faults) > 0 {
		return errors.Join(faults...)
	}
	if out == "" {
		return nil
	}
	return os.WriteFile(out, []byte(document(runs, absent)), 0o644)
}
