package cassandra

import (
	"fmt"
	"strings"
)

// safety warns of what few copies and late syncs lose, and says what the cluster
// as it is can promise.
func (i *report) safety(r ring, o Options) {
	g := r.smallest(o.Consistency)
	sync, period := i.settings["commitlog_sync"], i.settings["commitlog_sync_period"]
	switch sync {
	case "":
	case "periodic":
		i.info.Facts["commitlog_sync"] = "periodic, " + period
		if g.copies < 2 {
			i.warn("commitlog_sync is periodic: a power cut loses what was written in the last %s. Set it to batch or group, or have more copies.", period)
		}
	default:
		i.info.Facts["commitlog_sync"] = sync
	}
	if g.copies < 3 {
		i.warn("There are %d copies of each session: one node that fails stops the work or takes sessions with it. Have three.", g.copies)
	}
	if o.Conflict == LastWriteWins {
		i.warn("conflict is %s: of two overlapping updates one is lost, and a slow request brings an ended session back.", LastWriteWins)
	}
	i.info.Guarantee = guarantee(g, o, sync, period)
}

// smallest answers the copies that matter where there are the fewest.
func (r ring) smallest(consistency string) group {
	var least group
	for _, name := range r.datacenters() {
		if g := r.group(name, consistency); g.copies > 0 && (least.copies == 0 || g.copies < least.copies) {
			least = g
		}
	}
	return least
}

// guarantee says what is left when nodes fail. Settings are "" where the node does
// not tell them.
func guarantee(g group, o Options, sync, period string) string {
	asked := g.quorum(o.Consistency)
	var text []string
	say := func(format string, args ...any) { text = append(text, fmt.Sprintf(format, args...)) }
	say("Every write that was answered is on %d of %d copies:", asked, g.copies)
	switch spare := min(g.copies, g.nodes) - asked; spare {
	case 0:
		say("a kill of any node that has a copy stops the work.")
	case 1:
		say("a kill of one node that has a copy stops nothing.")
	default:
		say("a kill of %d nodes that have a copy stops nothing.", spare)
	}
	switch sync {
	case "batch", "group":
		say("A kill or a power cut, of all nodes at once as well, loses nothing that was answered.")
	case "periodic":
		say("A node that is killed forgets its last tenth of a second, and at a power cut its last %s; "+
			"what all %d nodes that confirmed a write forget together, and no other node has, is lost, logouts among it.", period, asked)
	default:
		say("What a node forgets that is killed, or whose power is cut, is not known: the user may not read system_views.settings.")
	}
	if o.Conflict == LastWriteWins {
		say("Updates that overlap are lost, and ended sessions may come back.")
	}
	return strings.Join(text, " ")
}
