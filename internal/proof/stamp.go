package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"time"
)

// stamp says when, where and of which commit a run was made.
type stamp struct {
	Date, Commit, Go, Machine string
}

// unknown stands in for a stamp that is missing.
var unknown = stamp{"an unknown day", "unknown", "an unknown release of Go", "an unknown machine"}

// now answers the stamp of a run that begins.
func now() stamp {
	commit := output("git", "rev-parse", "--short=12", "HEAD")
	if output("git", "status", "--porcelain", "--", ":/", ":!/docs/proof", ":!/docs/proof.md") != "" {
		commit += " with changes"
	}
	return stamp{time.Now().UTC().Format("2006-01-02"), commit, runtime.Version(), machine()}
}

// machine describes this machine as far as it tells.
func machine() string {
	var parts []string
	text := fmt.Sprintf("%d processors", runtime.NumCPU())
	if model := find("/proc/cpuinfo", `(?m)^model name\s*: (.*)$`); model != "" {
		text += " (" + model + ")"
	}
	parts = append(parts, text)
	var kib float64
	if _, err := fmt.Sscan(find("/proc/meminfo", `(?m)^MemTotal:\s*(\d+) kB$`), &kib); err == nil {
		parts = append(parts, fmt.Sprintf("%.0f GiB of memory", kib/(1<<20)))
	}
	if kernel := find("/proc/sys/kernel/osrelease", `(?m)^(.+)$`); kernel != "" {
		parts = append(parts, "kernel "+kernel)
	}
	return strings.Join(append(parts, runtime.GOOS+"/"+runtime.GOARCH), ", ")
}

// find answers what a file says, or "".
func find(file, pattern string) string {
	b, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	if m := regexp.MustCompile(pattern).FindStringSubmatch(string(b)); m != nil {
		return m[1]
	}
	return ""
}

func output(name string, args ...string) string {
	out, err := exec.Command(name, args...).Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}

func stampOf(stream string) string { return stream + ".stamp" }

func writeStamps(streams []string) error {
	b, err := json.Marshal(now())
	if err != nil {
		return err
	}
	for _, name := range streams {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err // the stream of an older run
		}
		if err := os.WriteFile(stampOf(name), append(b, '\n'), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func readStamp(stream string) (stamp, error) {
	b, err := os.ReadFile(stampOf(stream))
	if errors.Is(err, fs.ErrNotExist) {
		return unknown, nil
	}
	s := unknown
	if err == nil {
		err = json.Unmarshal(b, &s)
	}
	return s, err
}
