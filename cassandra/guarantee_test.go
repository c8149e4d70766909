package cassandra

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// What Ping guarantees is what the copies and the settings are for.
func TestGuarantee(t *testing.T) {
	careful, blind := Options{Consistency: LocalQuorum, Conflict: Versions}, Options{Consistency: LocalQuorum, Conflict: LastWriteWins}
	for _, c := range []struct {
		ring         ring
		options      Options
		sync, period string
		want         []string
	}{
		{ring{nodes: map[string]int{"dc1": 3}, copies: map[string]int{"dc1": 3}}, careful, "batch", "", []string{
			"Every write that was answered is on 2 of 3 copies: a kill of one node that has a copy stops nothing.",
			"A kill or a power cut, of all nodes at once as well, loses nothing that was answered."}},
		{ring{nodes: map[string]int{"dc1": 3}, copies: map[string]int{"dc1": 3}}, careful, "periodic", "10000ms", []string{
			"forgets its last tenth of a second, and at a power cut its last 10000ms; what all 2 nodes that confirmed a write forget together"}},
		{ring{nodes: map[string]int{"dc1": 5}, copies: map[string]int{"dc1": 5}}, careful, "group", "", []string{
			"on 3 of 5 copies: a kill of 2 nodes that have a copy stops nothing."}},
		{ring{nodes: map[string]int{"dc1": 2}, copies: map[string]int{"dc1": 3}}, careful, "batch", "", []string{
			"on 2 of 3 copies: a kill of any node that has a copy stops the work."}},
		{ring{nodes: map[string]int{"dc1": 1}, copies: map[string]int{"dc1": 1}}, careful, "", "", []string{
			"on 1 of 1 copies: a kill of any node that has a copy stops the work.", "is not known: the user may not read system_views.settings"}},
		{ring{nodes: map[string]int{"dc1": 3, "dc2": 1}, copies: map[string]int{"dc1": 3, "dc2": 1}}, careful, "batch", "", []string{"on 1 of 1 copies"}},
		{ring{nodes: map[string]int{"dc1": 3}, copies: map[string]int{"": 3}}, careful, "batch", "", []string{"on 2 of 3 copies"}},
		{ring{nodes: map[string]int{"dc1": 3}, copies: map[string]int{"dc1": 3}}, blind, "batch", "", []string{"Updates that overlap are lost, and ended sessions may come back."}},
	} {
		got := guarantee(c.ring.smallest(c.options.Consistency), c.options, c.sync, c.period)
		for _, want := range c.want {
			require.Contains(t, got, want)
		}
	}
}
