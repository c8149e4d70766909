package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/session/driver"
	"github.com/websession/websession/session/memory"
)

var ctx = context.Background()

// step is one mutation of a store and of the ledger, with an answer that need
// not be the truth.
type step struct {
	what    string // "write", "delete"
	answer  error
	applied bool
}

// What each promise says about a store that did less, or more, than it answered.
func TestCheck(t *testing.T) {
	unknown, refused := errors.New("?"), driver.NotApplied(errors.New("no"))
	for name, c := range map[string]struct {
		steps  []step
		breaks []Promise
	}{
		"all is well":                {[]step{{"write", nil, true}, {"delete", nil, true}, {"write", nil, true}}, nil},
		"unknown write, applied":     {[]step{{"write", nil, true}, {"write", unknown, true}}, nil},
		"unknown write, not applied": {[]step{{"write", nil, true}, {"write", unknown, false}}, nil},
		"lost write":                 {[]step{{"write", nil, false}}, []Promise{Everything}},
		"older state":                {[]step{{"write", nil, true}, {"write", nil, false}}, []Promise{Everything}},
		"undone logout":              {[]step{{"write", nil, true}, {"delete", nil, false}}, []Promise{Everything, Logouts, LogoutsOnly}},
		"unknown logout":             {[]step{{"write", nil, true}, {"delete", unknown, false}}, nil},
		"refused write, applied":     {[]step{{"write", refused, true}}, []Promise{Everything, Logouts, LogoutsOnly}},
		"back to before the logout":  {[]step{{"write", nil, true}, {"delete", nil, false}, {"write", nil, false}}, []Promise{Everything, Logouts, LogoutsOnly}},
	} {
		t.Run(name, func(t *testing.T) {
			s, l := memory.New(), New(1, nil)
			for _, st := range c.steps {
				rec := driver.Record{Key: "k"}
				var op Op
				if st.what == "write" {
					op = l.Write("k")
					rec.Data = op.Data
				} else {
					op = l.Delete("k")
				}
				if st.applied {
					require.NoError(t, s.Delete(ctx, rec, ""))
					if st.what == "write" {
						_, err := s.Create(ctx, rec)
						require.NoError(t, err)
					}
				}
				op.Done(st.answer)
			}
			for _, p := range []Promise{Everything, Logouts, LogoutsOnly, Whole} {
				found, err := l.Check(s, p)
				want := false
				for _, b := range c.breaks {
					want = want || b == p
				}
				require.Equal(t, want, err != nil, "promise %d: %v", p, err)
				if p == Whole {
					l.Settle(found)
					_, err = l.Check(s, Everything)
					require.NoError(t, err)
				}
			}
		})
	}
}

func TestTornRecord(t *testing.T) {
	s, l := memory.New(), New(1, nil)
	op := l.Write("k")
	rec := op.Record()
	rec.Data = append(rec.Data, 'x')
	_, err := s.Create(ctx, rec)
	require.NoError(t, err)
	op.Done(nil)
	_, err = l.Check(s, Whole)
	require.ErrorContains(t, err, "torn")
}

// A ledger that is made again from a log allows what the first one allows.
func TestReplay(t *testing.T) {
	var log bytes.Buffer
	s, first := memory.New(), New(7, &log)
	require.NoError(t, first.Work(s, Worker(0), rand.New(rand.NewPCG(1, 2)), 200))
	second := New(1, nil)
	for line := range strings.Lines(log.String()) {
		require.NoError(t, second.Replay(line))
	}
	require.Equal(t, first.Next(), second.Next())
	require.Equal(t, fmt.Sprint(first.keys["w0-0"]), fmt.Sprint(second.keys["w0-0"]))
	for _, l := range []*Ledger{first, second} {
		_, err := l.Check(s, Everything)
		require.NoError(t, err)
	}
	require.Error(t, second.Replay("ok w0-0 99999"))
	require.Error(t, second.Replay("write w0-"))
}
