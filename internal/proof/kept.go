package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// A part of the proof is kept in a file for each day on which it ran:
// embedded.2026-11-28.json. partOf answers the part whose stream has this name.
func partOf(stream string) string {
	return strings.TrimPrefix(strings.TrimSuffix(filepath.Base(stream), ".json"), "prove-")
}

// keep writes what a run came to into a folder, in the place of what was kept of
// that part, or beside it.
func keep(dir, part string, r *run, beside bool) error {
	old, err := kept(dir, part)
	if err != nil {
		return err
	}
	b, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	name := filepath.Join(dir, part+"."+r.Stamp.Date+".json")
	if beside {
		for n := 2; ; n++ {
			if _, err := os.Lstat(name); errors.Is(err, fs.ErrNotExist) {
				break
			} else if err != nil {
				return err
			}
			name = filepath.Join(dir, fmt.Sprintf("%s.%s.%d.json", part, r.Stamp.Date, n))
		}
	}
	if err := os.WriteFile(name, append(b, '\n'), 0o644); err != nil {
		return err
	}
	for _, before := range old {
		if !beside && before != name {
			if err := os.Remove(before); err != nil {
				return err
			}
		}
	}
	return nil
}

// kept answers the files of a part, the oldest first.
func kept(dir, part string) ([]string, error) {
	return filepath.Glob(filepath.Join(dir, part+".*.json"))
}

// readKept reads what was kept of parts, and answers those of which nothing was.
func readKept(dir string, parts []string) (runs []*run, absent []string, err error) {
	for _, part := range parts {
		names, err := kept(dir, part)
		if err != nil {
			return nil, nil, err
		}
		if len(names) == 0 {
			absent = append(absent, part)
		}
		for _, name := range names {
			b, err := os.ReadFile(name)
			if err != nil {
				return nil, nil, err
			}
			r := new(run)
			if err := json.Unmarshal(b, r); err != nil {
				return nil, nil, fmt.Errorf("%s: %w", name, err)
			}
			runs = append(runs, r)
		}
	}
	return runs, absent, nil
}
