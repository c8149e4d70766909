// Command proof reads the JSON streams of test runs. It prints how many tests
// passed, failed and were left out.
//
// With -keep it writes the figures that the tests logged into a folder, with what
// is needed to make them again: a file for each part of the proof, named after
// the stream, and day. It takes the place of older ones of that part, or with
// -beside stands beside them. With -write it writes a document of what the folder
// holds of the parts whose names follow, and names those that were not run yet.
//
// A figure is a line that a test logs and that begins with "figure: ", or one in
// which the conformance suite says its seed and how many cases ran. One that
// counts to zero must say its bound.
//
// With -stamp it notes, beside a stream that is about to be written, when, where
// and on which commit the run began. With -canary it searches what the runs
// printed for session ids, which a run with the build tag canary wrote into a
// file, and fails if it finds one.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
)

func main() {
	write := flag.String("write", "", "the document to write, of what -keep names")
	folder := flag.String("keep", "", "the folder where the figures are kept")
	beside := flag.Bool("beside", false, "what was kept of the same part stays")
	canary := flag.String("canary", "", "a file of session ids, one a line, none of which may have been printed")
	stamped := flag.Bool("stamp", false, "note that runs begin whose streams will have these names")
	flag.Parse()
	if flag.NArg() == 0 || *write != "" && *folder == "" {
		fmt.Fprintln(os.Stderr, "usage: proof -stamp TEST.json...\n       proof [-canary FILE] [-keep FOLDER [-beside]] TEST.json...\n       proof -write FILE -keep FOLDER PART...")
		os.Exit(2)
	}
	var err error
	switch {
	case *stamped:
		err = writeStamps(flag.Args())
	case *write != "":
		err = writeDocument(*write, *folder, flag.Args())
	case *canary != "":
		err = searchForIDs(*canary, flag.Args())
		fallthrough
	default:
		err = errors.Join(err, report(flag.Args(), *folder, *beside))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "proof:", err)
		os.Exit(1)
	}
}

// report says what runs came to, and keeps it if folder is not "".
func report(streams []string, folder string, beside bool) error {
	runs := make(map[string]*run) // by part
	var faults []error
	for _, name := range streams {
		r, err := readRun(name)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		fmt.Printf("%s: %d passed, %d failed, %d skipped\n", name, r.Passed, r.Failed, r.Skipped)
		for _, figure := range r.unbounded() {
			faults = append(faults, fmt.Errorf("a figure says no bound of its zero: %s", figure))
		}
		for _, pkg := range r.unfinished {
			faults = append(faults, fmt.Errorf("%s: the run was cut off in %s", name, pkg))
		}
		if r.Failed > 0 && folder != "" {
			faults = append(faults, fmt.Errorf("%s: %d tests failed: nothing is kept", name, r.Failed))
		}
		runs[partOf(name)] = r
	}
	if err := errors.Join(faults...); err != nil || folder == "" {
		return err
	}
	for part, r := range runs {
		if err := keep(folder, part, r, beside); err != nil {
			return err
		}
	}
	return nil
}

// writeDocument writes what the folder holds of parts.
func writeDocument(out, folder string, parts []string) error {
	runs, absent, err := readKept(folder, parts)
	if err != nil {
		return err
	}
	return os.WriteFile(out, []byte(document(runs, absent)), 0o644)
}
