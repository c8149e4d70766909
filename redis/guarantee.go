package redis

import (
	"context"
	"fmt"
	"strings"
)

// keeping is what is left of a server's writes after a crash, worst first.
type keeping int

const (
	keepsNothing   keeping = iota
	keepsUnknown           // the access list forbids to ask
	keepsSnapshots         // no append-only file
	keepsSome              // appendfsync no
	keepsMost              // appendfsync everysec
	keepsAll               // appendfsync always
)

var kept = [...]string{
	keepsNothing:   "A kill of the server ends all sessions, and so does a power cut: nothing is kept on a disk.",
	keepsUnknown:   "What a kill of the server or a power cut leaves is not known: the access list forbids CONFIG GET.",
	keepsSnapshots: "A kill of the server or a power cut loses all writes since the last snapshot, logouts among them.",
	keepsSome:      "A kill of the server or a power cut may lose the writes of the last half a minute, logouts among them.",
	keepsMost:      "A kill of the server or a power cut may lose the writes of the last second, logouts among them.",
	keepsAll:       "A kill of the server loses nothing that was answered. Nor does a power cut.",
}

// durability is what one server does for what it has answered.
type durability struct {
	keeping  keeping
	replicas int
}

// durabilityOf reads what a server says. Settings may be nil, if it does not tell
// them.
func durabilityOf(info string, save, appendfsync *string, replicas int) durability {
	d := durability{keepsUnknown, replicas}
	switch aof := field(info, "aof_enabled") == "1"; {
	case aof && appendfsync != nil:
		d.keeping = map[string]keeping{"always": keepsAll, "everysec": keepsMost}[*appendfsync]
		if d.keeping == keepsNothing {
			d.keeping = keepsSome
		}
	case aof, save == nil:
	case *save == "":
		d.keeping = keepsNothing
	default:
		d.keeping = keepsSnapshots
	}
	return d
}

// guarantee says what the worst of several masters leaves, and what a failover
// does.
func guarantee(masters []durability, wait int) string {
	worst := durability{keepsAll, 1 << 20}
	for _, d := range masters {
		worst.keeping, worst.replicas = min(worst.keeping, d.keeping), min(worst.replicas, d.replicas)
	}
	if len(masters) == 0 {
		worst = durability{keeping: keepsUnknown}
	}
	text := kept[worst.keeping]
	switch {
	case worst.replicas == 0 && len(masters) > 1:
		return text + " A master without replica cannot fail over."
	case worst.replicas == 0:
		return text
	case wait == 0:
		return text + " A failover may lose the last writes: set wait_replicas."
	case wait == 1:
		return text + " A failover loses nothing that was answered, unless the master and the replica that confirmed it are lost together."
	}
	return text + fmt.Sprintf(" A failover loses nothing that was answered, unless the master and the %d replicas that confirmed it are lost together.", wait)
}

// setting answers a setting of a server, or nil where asking is forbidden.
func (s *Store) setting(ctx context.Context, n node, name string) *string {
	a, err := s.ask(ctx, n, "CONFIG", "GET", name)
	if err != nil {
		return nil
	}
	var value string
	switch a := a.(type) {
	case []any:
		if len(a) != 2 {
			return nil
		}
		value = fmt.Sprint(a[1])
	case map[any]any: // of a client with RESP 3
		v, ok := a[name]
		if !ok {
			return nil
		}
		value = fmt.Sprint(v)
	default:
		return nil
	}
	value = strings.TrimSpace(value)
	return &value
}
