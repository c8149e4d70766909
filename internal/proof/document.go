package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// document holds the figures of runs. Those of one day, commit and machine stand
// together. absent are the parts that were not run.
func document(runs []*run, absent []string) string {
	var b strings.Builder
	b.WriteString("# Proof\n\nWritten by `make prove`. ")
	b.WriteString("Of a failure that was not seen in n tries, the rate is below 3/n with 95 % confidence: that bound stands beside each zero.\n")
	var stamps []stamp
	for _, r := range runs {
		if !slices.Contains(stamps, r.stamp) {
			stamps = append(stamps, r.stamp)
		}
	}
	for _, s := range stamps {
		var passed, failed, skipped int
		packages := make(map[string]*proved)
		for _, r := range runs {
			if r.stamp != s {
				continue
			}
			passed, failed, skipped = passed+r.passed, failed+r.failed, skipped+r.skipped
			for name, p := range r.packages {
				packages[name] = packages[name].and(p)
			}
		}
		fmt.Fprintf(&b, "\n## %s, commit %s\n\n%s, %s. %d tests passed, %d failed, %d were left out.\n", s.Date, s.Commit, s.Machine, s.Go, passed, failed, skipped)
		for _, name := range slices.Sorted(maps.Keys(packages)) {
			p := packages[name]
			fmt.Fprintf(&b, "\n### %s (%.0f s)\n\n", strings.TrimPrefix(name, "github.com/websession/websession/"), p.seconds)
			for _, f := range p.figures {
				fmt.Fprintf(&b, "- %s\n", f)
			}
			if len(p.seeds) > 0 {
				fmt.Fprintf(&b, "\nSeeds: %s.\n", strings.Join(p.seeds, ", "))
			}
		}
	}
	if len(absent) > 0 {
		b.WriteString("\n## Not run yet\n\n")
		for _, part := range absent {
			fmt.Fprintf(&b, "- `make %s`\n", part)
		}
	}
	return b.String()
}

// and joins what two runs printed of one package.
func (p *proved) and(q *proved) *proved {
	if p == nil {
		return q
	}
	return &proved{p.seconds + q.seconds, union(p.figures, q.figures), union(p.seeds, q.seeds)}
}

func union(a, b []string) []string {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}
