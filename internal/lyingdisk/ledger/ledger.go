package ledger

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"

	"github.com/websession/websession/session/driver"
)

// Ledger is what a store was asked for and what it answered. It is safe for
// concurrent use.
type Ledger struct {
	mu   sync.Mutex
	log  io.Writer
	last int
	keys map[string]*account
}

// account is what is known of a key.
type account struct {
	may   []state // it is in one of them, if what was answered holds
	since []state // the last deletion that was answered, and what came later
}

// state is a write, or a deletion, by its number.
type state struct {
	seq  int
	gone bool
}

func (s state) String() string {
	if s.gone {
		return fmt.Sprintf("deleted by %d", s.seq)
	}
	return fmt.Sprintf("write %d", s.seq)
}

// New answers an empty ledger. It numbers from first on. log gets a line before
// each mutation and one after its answer; it may be nil.
func New(first int, log io.Writer) *Ledger {
	return &Ledger{last: first - 1, log: log, keys: make(map[string]*account)}
}

// Next answers the number that the next mutation gets.
func (l *Ledger) Next() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last + 1
}

// Op is a mutation that was begun.
type Op struct {
	Data   []byte // of a write
	ledger *Ledger
	key    string
	state  state
}

// Write begins a write of a key.
func (l *Ledger) Write(key string) Op {
	op := l.begin("write", key, 0, false)
	op.Data = data(key, op.state.seq)
	return op
}

// Delete begins a deletion of a key.
func (l *Ledger) Delete(key string) Op { return l.begin("delete", key, 0, true) }

// begin begins a mutation; seq is 0 for the next number.
func (l *Ledger) begin(verb, key string, seq int, gone bool) Op {
	l.mu.Lock()
	defer l.mu.Unlock()
	if seq == 0 {
		seq = l.last + 1
	}
	l.last = max(l.last, seq)
	a := l.account(key)
	s := state{seq, gone}
	a.may, a.since = append(a.may, s), append(a.since, s)
	l.write(verb, key, seq)
	return Op{ledger: l, key: key, state: s}
}

func (l *Ledger) account(key string) *account {
	a := l.keys[key]
	if a == nil {
		never := []state{{0, true}}
		a = &account{may: never, since: slices.Clone(never)}
		l.keys[key] = a
	}
	return a
}

func (l *Ledger) write(verb, key string, seq int) {
	if l.log != nil {
		fmt.Fprintf(l.log, "%s %s %d\n", verb, key, seq)
	}
}

// Done notes the answer.
func (op Op) Done(err error) {
	switch {
	case err == nil:
		op.end("ok")
	case driver.WasNotApplied(err):
		op.end("no")
	}
}

func (op Op) end(answer string) {
	l := op.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	a, is := l.account(op.key), func(s state) bool { return s == op.state }
	switch answer {
	case "ok":
		a.may = []state{op.state}
		if op.state.gone {
			a.since = []state{op.state}
		}
	case "no":
		a.may, a.since = slices.DeleteFunc(a.may, is), slices.DeleteFunc(a.since, is)
	}
	l.write(answer, op.key, op.state.seq)
}

// Replay notes a line that another process logged.
func (l *Ledger) Replay(line string) error {
	var verb, key string
	var seq int
	if n, _ := fmt.Sscanf(line, "%s %s %d", &verb, &key, &seq); n != 3 {
		return fmt.Errorf("no line of a ledger: %q", line)
	}
	switch verb {
	case "write", "delete":
		l.begin(verb, key, seq, verb == "delete")
	case "ok", "no":
		l.mu.Lock()
		i := slices.IndexFunc(l.account(key).since, func(s state) bool { return s.seq == seq })
		var s state
		if i >= 0 {
			s = l.keys[key].since[i]
		}
		l.mu.Unlock()
		if i < 0 {
			return fmt.Errorf("%q was never begun", line)
		}
		Op{ledger: l, key: key, state: s}.end(verb)
	default:
		return fmt.Errorf("no line of a ledger: %q", line)
	}
	return nil
}

// Keys answers the keys that were used, in order.
func (l *Ledger) Keys() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Sorted(maps.Keys(l.keys))
}
