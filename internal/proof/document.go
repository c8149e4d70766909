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
	b.WriteString("# Proof\n\nWritten by `make prove`, of what its parts left in [docs/proof](proof). ")
	b.WriteString("Of a failure that was not seen in n tries, the rate is below 3/n with 95 % confidence: that bound stands beside each zero.\n")
	var stamps []stamp
	for _, r := range runs {
		if !slices.Contains(stamps, r.Stamp) {
			stamps = append(stamps, r.Stamp)
		}
	}
	for _, s := range stamps {
		var passed, failed, skipped int
		packages := make(map[string]*proved)
		for _, r := range runs {
			if r.Stamp != s {
				continue
			}
			passed, failed, skipped = passed+r.Passed, failed+r.Failed, skipped+r.Skipped
			for name, p := range r.Packages {
				packages[name] = packages[name].and(p)
			}
		}
		fmt.Fprintf(&b, "\n## %s, commit %s\n\n%s, %s. %d tests passed, %d failed, %d were left out.\n", s.Date, s.Commit, s.Machine, s.Go, passed, failed, skipped)
		for _, name := range slices.Sorted(maps.Keys(packages)) {
			p := packages[name]
			fmt.Fprintf(&b, "\n### %s (%.0f s)\n\n", strings.TrimPrefix(name, "github.com/websession/websession/"), p.Seconds)
			for _, f := range p.Figures {
				fmt.Fprintf(&b, "- %s\n", f)
			}
			if len(p.Seeds) > 0 {
				fmt.Fprintf(&b, "\nSeeds: %s.\n", strings.Join(p.Seeds, ", "))
			}
		}
	}
	if len(absent) > 0 {
		b.WriteString("\n## Not run yet\n\n")
		for _, part := range absent {
			fmt.Fprintf(&b, "- `make prove-%s`\n", part)
		}
	}
	return b.String()
}

// and joins what two runs printed of one package.
func (p *proved) and(q *proved) *proved {
	if p == nil {
		return q
	}
	return &proved{p.Seconds + q.Seconds, union(p.Figures, q.Figures), union(p.Seeds, q.Seeds)}
}

func union(a, b []string) []string {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}
