package redis

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/websession/websession/session/driver"
)

// fake is a server that answers what a test wants.
type fake struct {
	answer func(c command) (any, error)
	apart  bool
	acked  int64
	wait   error
}

func (f fake) do(_ context.Context, c command) (any, error) { return f.answer(c) }
func (f fake) separate() bool                               { return f.apart }
func (f fake) close() error                                 { return nil }
func (f fake) masters(context.Context) ([]node, error)      { return []node{f}, nil }
func (f fake) address() string                              { return "fake" }

func (f fake) pipe(_ context.Context, cs []command) []answer {
	var all []answer
	for _, c := range cs {
		v, err := f.answer(c)
		all = append(all, answer{v, err})
	}
	return all
}

func (f fake) confirm(_ context.Context, c command, _ wait) (answer, int64, error) {
	v, err := f.answer(c)
	return answer{v, err}, f.acked, f.wait
}

// says is an error that a server answers.
type says string

func (s says) Error() string { return string(s) }
func (says) RedisError()     {}

func newFake(f fake) *Store { return &Store{server: f, prefix: "p:", done: make(chan struct{})} }

// mutations calls every method that changes something.
func mutations(s *Store) map[string]error {
	rec := driver.Record{Key: "S3cr3t", Data: []byte("d"), Index: map[string]string{"user": "u"}}
	v := newStamp(time.Time{}, entries{}).Version()
	_, create := s.Create(context.Background(), rec)
	_, replace := s.Replace(context.Background(), rec, v)
	_, touch := s.Touch(context.Background(), rec, v)
	return map[string]error{
		"create": create, "replace": replace, "touch": touch,
		"delete": s.Delete(context.Background(), rec, v), "logout": s.Delete(context.Background(), rec, ""),
	}
}

// What the server refused, and what never left, was not applied. Everything else
// may have been.
func TestOutcomes(t *testing.T) {
	timeout := &net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}
	for _, c := range []struct {
		err        error
		notApplied bool
		hint       string
	}{
		{says("LOADING Redis is loading the dataset in memory"), true, "try again"},
		{says("READONLY You can't write against a read only replica."), true, "Sentinel"},
		{says("OOM command not allowed when used memory > 'maxmemory'."), true, "maxmemory"},
		{says("ERR Error running script (call to f_x): @user_script:7: @user_script: 7: -OOM command not allowed"), true, "maxmemory"},
		{says("MISCONF Redis is configured to save RDB snapshots"), true, "disk"},
		{says("NOAUTH Authentication required."), true, "password"},
		{says("NOPERM this user has no permissions to run the 'evalsha' command"), true, "access list"},
		{says("MASTERDOWN Link with MASTER is down"), true, "Sentinel"},
		{says("CLUSTERDOWN Hash slot not served"), true, "cluster"},
		{says("NOREPLICAS Not enough good replicas to write."), true, "replicas"},
		{says("ERR something new"), true, ""},
		{&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, true, ""},
		{errDial{"host:1", false, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}}, true, "host:1"},
		{errDial{"host:1", false, context.DeadlineExceeded}, true, "time-out"},
		{notSent{&errSentinels{"mymaster", []string{"why"}}}, true, "mymaster"},
		{errRole{"", "slave"}, true, "replica"},
		{goredis.ErrPoolTimeout, true, ""},
		{goredis.ErrAutoPipelineQueueFull, true, ""},
		{timeout, false, ""},
		{io.EOF, false, ""},
		{io.ErrUnexpectedEOF, false, ""},
		{syscall.ECONNRESET, false, ""},
		{net.ErrClosed, false, ""},
		{context.DeadlineExceeded, false, ""},
		{context.Canceled, false, ""},
		{errors.New("what is this"), false, ""},
	} {
		for _, apart := range []bool{false, true} {
			s := newFake(fake{apart: apart, answer: func(cm command) (any, error) {
				if cm.args[1] == enterScript.sha {
					return "", nil
				}
				return nil, c.err
			}})
			for op, err := range mutations(s) {
				require.ErrorIs(t, err, c.err, op)
				require.Equal(t, c.notApplied, driver.WasNotApplied(err), "%s: %v", op, err)
				require.Equal(t, !c.notApplied, errors.Is(err, driver.ErrUnknownOutcome), "%s: %v", op, err)
				require.Contains(t, err.Error(), c.hint)
				require.NotContains(t, err.Error(), "S3cr3t")
			}
		}
	}
}

// The numbers of the scripts are the errors of the contract.
func TestStates(t *testing.T) {
	for n, want := range map[int64]error{
		applied: nil, absent: driver.ErrNotFound, moved: driver.ErrConflict,
		foreign: driver.ErrCorrupt, wrongType: driver.ErrCorrupt, unfinished: driver.ErrUnknownOutcome, 77: driver.ErrUnknownOutcome,
	} {
		s := newFake(fake{answer: func(command) (any, error) { return n, nil }})
		errs := mutations(s)
		delete(errs, "create")
		if n == absent {
			require.NoError(t, errs["logout"], "absence is no error")
			delete(errs, "logout")
		}
		for op, err := range errs {
			if want == nil {
				require.NoError(t, err, op)
				continue
			}
			require.ErrorIs(t, err, want, op)
			require.Equal(t, want != driver.ErrUnknownOutcome, driver.WasNotApplied(err), op)
		}
	}
	for _, strange := range []any{"text", []any{}, []any{int64(1)}, 1.5} {
		for op, err := range mutations(newFake(fake{answer: func(command) (any, error) { return strange, nil }})) {
			if op != "create" {
				require.ErrorIs(t, err, driver.ErrUnknownOutcome, op)
			}
		}
	}
}

// A server that does not know a script has done nothing, and gets its text.
func TestNoScript(t *testing.T) {
	var sent []string
	s := newFake(fake{answer: func(c command) (any, error) {
		sent = append(sent, c.args[0].(string))
		if c.args[0] == "evalsha" {
			return nil, says("NOSCRIPT No matching script. Please use EVAL.")
		}
		require.Equal(t, swapScript.text, c.args[1])
		return int64(applied), nil
	}})
	_, err := s.Replace(context.Background(), driver.Record{Key: "k"}, newStamp(time.Time{}, entries{}).Version())
	require.NoError(t, err)
	require.Equal(t, []string{"evalsha", "eval"}, sent)
}

// A read is repeated when its connection turned out to be broken, and never
// after a time-out.
func TestReadsAreRepeated(t *testing.T) {
	for _, c := range []struct {
		err   error
		times int
	}{{io.EOF, 3}, {syscall.ECONNRESET, 3}, {os.ErrDeadlineExceeded, 1}, {says("LOADING"), 1}, {context.Canceled, 1}} {
		n := 0
		s := newFake(fake{answer: func(command) (any, error) { n++; return nil, c.err }})
		_, _, err := s.Load(context.Background(), "k")
		require.ErrorIs(t, err, c.err)
		require.Equal(t, c.times, n, "%v", c.err)
	}
}

// A write that too few replicas have is an unknown outcome, and the load that
// looks what became of it waits for them, too.
func TestReplicasConfirm(t *testing.T) {
	f := fake{acked: 0, answer: func(c command) (any, error) {
		if c.args[1] == confirmScript.sha {
			return nil, nil
		}
		return int64(applied), nil
	}}
	s := newFake(f)
	s.wait = wait{1, 1000}
	v := newStamp(time.Time{}, entries{}).Version()
	_, err := s.Replace(context.Background(), driver.Record{Key: "k"}, v)
	require.ErrorIs(t, err, driver.ErrUnknownOutcome)
	require.ErrorContains(t, err, "0 of 1 replicas")
	_, _, err = s.Load(context.Background(), "k")
	require.ErrorContains(t, err, "0 of 1 replicas")
	require.NotErrorIs(t, err, driver.ErrNotFound)
	f.acked = 1
	s.server = f
	_, _, err = s.Load(context.Background(), "k")
	require.ErrorIs(t, err, driver.ErrNotFound)
	require.Zero(t, s.doubts.about("k"))

	f.acked = 0
	for _, n := range []int64{moved, foreign, wrongType, absent} { // nothing was changed: nobody need confirm it
		f.answer = func(command) (any, error) { return n, nil }
		s.server = f
		_, err = s.Replace(context.Background(), driver.Record{Key: "k"}, v)
		require.True(t, driver.WasNotApplied(err), "%v", err)
	}
	require.ErrorIs(t, s.Delete(context.Background(), driver.Record{Key: "k"}, ""), driver.ErrUnknownOutcome,
		"a logout relies on what it finds")
}

func TestDoubtsAreBounded(t *testing.T) {
	var d doubts
	for i := range mostDoubts + 10 {
		d.add(string(rune('a'+i%26)) + string(rune(i)))
	}
	require.True(t, d.all)
	require.NotZero(t, d.about("another"))

	d = doubts{}
	d.add("k")
	old := d.about("k")
	d.add("k")
	d.settle("k", old)
	require.NotZero(t, d.about("k"), "a newer doubt stays")
	d.settle("k", d.about("k"))
	require.Zero(t, d.about("k"))
}
