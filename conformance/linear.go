package conformance

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/websession/websession/session/driver"
)

// linear records what clients do to a few keys at once, and checks it.
//
// Every write carries a stamp of its own in the deadline, and Create and Replace
// in the data as well. A version is known by the stamp of the write that made
// it; that they belong together is checked apart.
type linear struct {
	stores []driver.Store
	keys   []string
	seed   uint64
	each   int // operations of a client

	began   time.Time
	stamps  atomic.Int64
	unknown atomic.Int64
	failed  atomic.Int64 // calls that failed and certainly had no effect
	mu      sync.Mutex
	history []porcupine.Operation
	strange []string // answers that no state explains
}

const (
	linearClients = 8
	linearTimeout = 20 * time.Second
)

// linearInput is a call. Stamps stand for versions: 0 for none.
type linearInput struct {
	op    string // "create", "load", "replace", "touch", "delete"
	key   string
	old   int64 // of the version that is expected; 0: any
	stamp int64 // of this write
}

// linearOutput is its answer.
type linearOutput struct {
	result        string // "ok", "exists", "not found", "conflict", "unknown"
	stamp, data   int64  // of the record that Load answered
	version, made driver.Version
}

// linearState is a key: absent, or live with the stamps of its last write and of
// the last write of its data.
type linearState struct{ stamp, data int64 }

// linearStep is the contract of package driver as far as one key goes.
func linearStep(s linearState, in linearInput, out linearOutput) (bool, linearState) {
	absent, ok := s.stamp == 0, out.result == "ok"
	if out.result == "unknown" { // applied if it could be; if not, it comes last
		ok = true
	}
	gone := out.result == "unknown" || out.result == "conflict" || absent && out.result == "not found"
	switch in.op {
	case "create":
		if absent {
			return ok, linearState{in.stamp, in.stamp}
		}
		return out.result == "exists" || out.result == "unknown", s
	case "load":
		if absent {
			return out.result == "not found", s
		}
		return ok && out.stamp == s.stamp && out.data == s.data, s
	case "delete":
		if in.old == 0 || in.old == s.stamp {
			return ok, linearState{}
		}
		return gone, s
	}
	if absent || in.old != s.stamp {
		return gone, s
	}
	if in.op == "touch" {
		return ok, linearState{in.stamp, s.data}
	}
	return ok, linearState{in.stamp, in.stamp}
}

func linearModel() porcupine.Model {
	return porcupine.Model{
		Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
			byKey := make(map[string][]porcupine.Operation)
			for _, op := range history {
				key := op.Input.(linearInput).key
				byKey[key] = append(byKey[key], op)
			}
			var all [][]porcupine.Operation
			for _, ops := range byKey {
				all = append(all, ops)
			}
			return all
		},
		Init: func() any { return linearState{} },
		Step: func(state, in, out any) (bool, any) {
			return linearStep(state.(linearState), in.(linearInput), out.(linearOutput))
		},
		Hash: func(state any) uint64 { s := state.(linearState); return uint64(s.stamp)<<32 ^ uint64(s.data) },
		DescribeOperation: func(in, out any) string {
			i, o := in.(linearInput), out.(linearOutput)
			return fmt.Sprintf("%s(old %d, new %d) -> %s %d/%d", i.op, i.old, i.stamp, o.result, o.stamp, o.data)
		},
		DescribeState: func(state any) string {
			s := state.(linearState)
			if s.stamp == 0 {
				return "absent"
			}
			return fmt.Sprintf("live %d/%d", s.stamp, s.data)
		},
	}
}

// check answers what is wrong with the history, "" for nothing.
func (l *linear) check() string {
	if problem := l.checkVersions(); problem != "" {
		return problem
	}
	result, info := porcupine.CheckOperationsVerbose(linearModel(), l.history, linearTimeout)
	if result == porcupine.Ok {
		return ""
	}
	problem := fmt.Sprintf("no order of the %d operations explains their answers (seed %d)", len(l.history), l.seed)
	if result == porcupine.Unknown {
		problem = fmt.Sprintf("the check of %d operations did not end within %v (seed %d)", len(l.history), linearTimeout, l.seed)
	}
	f, err := os.CreateTemp("", "conformance-history-*.html")
	if err == nil {
		err = errors.Join(porcupine.Visualize(linearModel(), info, f), f.Close())
	}
	if err != nil {
		return fmt.Sprintf("%s; it cannot be drawn: %v", problem, err)
	}
	return fmt.Sprintf("%s; it is drawn in %s", problem, f.Name())
}

// checkVersions demands that a version stands for one write, and is answered as
// it was made.
func (l *linear) checkVersions() string {
	if len(l.strange) > 0 {
		return fmt.Sprintf("%d strange answers (seed %d), the first: %s", len(l.strange), l.seed, l.strange[0])
	}
	writes := make(map[string]int64) // key and version -> stamp
	note := func(key string, v driver.Version, stamp int64) string {
		at := key + " " + string(v)
		if known, seen := writes[at]; seen && known != stamp {
			return fmt.Sprintf("one version stands for two states of a record (seed %d)", l.seed)
		}
		writes[at] = stamp
		return ""
	}
	made := make(map[string]driver.Version)
	for _, op := range l.history {
		in, out := op.Input.(linearInput), op.Output.(linearOutput)
		problem := ""
		if out.made != "" {
			made[fmt.Sprint(in.key, in.stamp)] = out.made
			problem = note(in.key, out.made, in.stamp)
		} else if out.version != "" {
			problem = note(in.key, out.version, out.stamp)
		}
		if problem != "" {
			return problem
		}
	}
	for _, op := range l.history {
		in, out := op.Input.(linearInput), op.Output.(linearOutput)
		if v, known := made[fmt.Sprint(in.key, out.stamp)]; known && out.version != "" && v != out.version {
			return fmt.Sprintf("Load answers another version than the write of that state did (seed %d)", l.seed)
		}
	}
	return ""
}

// record lets the clients work.
func (l *linear) record(ctx context.Context) {
	l.began = time.Now()
	together(linearClients, func(i int) {
		c := &linearClient{linear: l, number: i, store: l.stores[i%len(l.stores)],
			rng: rand.New(rand.NewPCG(l.seed, uint64(i))), known: make(map[string][]linearSeen)}
		for range l.each {
			c.step(ctx)
		}
	})
}

// linearSeen is a state that a client has read or written.
type linearSeen struct {
	version driver.Version
	stamp   int64
	data    []byte
}

type linearClient struct {
	*linear
	number int
	store  driver.Store
	rng    *rand.Rand
	known  map[string][]linearSeen // newest last
}

// deadline answers the deadline that carries a stamp. It lies far enough ahead
// for every store.
func (l *linear) deadline(stamp int64) time.Time {
	return l.began.Add(time.Hour).UTC().Truncate(time.Hour).Add(time.Hour + time.Duration(stamp)*time.Millisecond)
}

func stampOf(data []byte) int64 {
	if len(data) != 8 {
		return -1
	}
	return int64(binary.BigEndian.Uint64(data))
}

// step makes one call and writes it down.
func (c *linearClient) step(ctx context.Context) {
	in := linearInput{op: "load", key: c.keys[c.rng.IntN(len(c.keys))]}
	var seen linearSeen
	if states := c.known[in.key]; len(states) > 0 { // the newest, or an older one
		seen = states[max(0, len(states)-1-c.rng.IntN(4)/3)]
	}
	switch n := c.rng.IntN(20); {
	case n < 6:
	case n < 10:
		in.op = "create"
	case n == 10:
		in.op = "delete"
	case seen.version == "":
	case n < 16:
		in.op, in.old = "replace", seen.stamp
	case n < 18:
		in.op, in.old = "touch", seen.stamp
	default:
		in.op, in.old = "delete", seen.stamp
	}
	if in.op != "load" && in.op != "delete" {
		in.stamp = c.stamps.Add(1)
	}
	rec := driver.Record{Key: in.key, Expires: c.deadline(in.stamp), Data: binary.BigEndian.AppendUint64(nil, uint64(in.stamp))}
	if in.op == "touch" {
		rec.Data = seen.data
	}
	var got driver.Record
	var out linearOutput
	var err error
	began := time.Since(c.began)
	switch in.op {
	case "create":
		out.made, err = c.store.Create(ctx, rec)
	case "load":
		got, out.version, err = c.store.Load(ctx, in.key)
	case "replace":
		out.made, err = c.store.Replace(ctx, rec, seen.version)
	case "touch":
		out.made, err = handle{Store: c.store}.touch(ctx, rec, seen.version)
	case "delete":
		if in.old == 0 {
			seen.version = ""
		}
		err = c.store.Delete(ctx, driver.Record{Key: in.key}, seen.version)
	}
	ended := time.Since(c.began)
	if err == nil && in.op == "load" {
		out.stamp = got.Expires.Sub(c.deadline(0)).Milliseconds()
		out.data = stampOf(got.Data)
	}
	if err != nil {
		out.made, out.version = "", ""
	}
	c.write(in, &out, err, began, ended)
	switch {
	case err != nil:
	case in.op == "load":
		c.remember(in.key, linearSeen{out.version, out.stamp, got.Data})
	case in.stamp != 0:
		c.remember(in.key, linearSeen{out.made, in.stamp, rec.Data})
	}
}

func (c *linearClient) remember(key string, s linearSeen) {
	c.known[key] = append(c.known[key], s)
	if n := len(c.known[key]); n > 3 {
		c.known[key] = c.known[key][n-3:]
	}
}

// write adds an operation to the history. One of unknown outcome ends never: it
// takes effect at any time, or after all others.
func (c *linearClient) write(in linearInput, out *linearOutput, err error, began, ended time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case err == nil:
		out.result = "ok"
	case driver.WasNotApplied(err) && errors.Is(err, driver.ErrNotFound):
		out.result = "not found"
	case driver.WasNotApplied(err) && errors.Is(err, driver.ErrConflict):
		out.result = "conflict"
	case driver.WasNotApplied(err) && errors.Is(err, driver.ErrExists):
		out.result = "exists"
	case in.op == "load" && errors.Is(err, driver.ErrCorrupt):
		c.strange = append(c.strange, fmt.Sprintf("Load: %v", err))
		return
	case in.op == "load" || driver.WasNotApplied(err):
		c.failed.Add(1)
		return
	default:
		out.result = "unknown"
		ended = 1 << 62
		c.unknown.Add(1)
	}
	c.history = append(c.history, porcupine.Operation{ClientId: c.number, Input: in, Output: *out, Call: int64(began), Return: int64(ended)})
}
