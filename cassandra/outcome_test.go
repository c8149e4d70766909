package cassandra

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/gocql/gocql"
	"github.com/stretchr/testify/require"

	"github.com/websession/websession/session/driver"
)

// answer is an error that a node answered.
type answer int

func (a answer) Code() int       { return int(a) }
func (a answer) Message() string { return fmt.Sprintf("error %#x", int(a)) }
func (a answer) Error() string   { return a.Message() }

// Only what a node refuses to try, and what was never sent, was not applied. Nodes
// that do not answer each other may have agreed on it before.
func TestOutcomes(t *testing.T) {
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []struct {
		name       string
		ctx        context.Context
		err        error
		out        bool
		notApplied bool
	}{
		{"syntax", t.Context(), answer(gocql.ErrCodeSyntax), true, true},
		{"no rights", t.Context(), answer(gocql.ErrCodeUnauthorized), true, true},
		{"invalid", t.Context(), answer(gocql.ErrCodeInvalid), true, true},
		{"joining", t.Context(), answer(gocql.ErrCodeBootstrapping), true, true},
		{"write time-out", t.Context(), answer(gocql.ErrCodeWriteTimeout), true, false},
		{"write failure", t.Context(), answer(gocql.ErrCodeWriteFailure), true, false},
		{"read time-out", t.Context(), answer(gocql.ErrCodeReadTimeout), true, false},
		{"unknown transaction", t.Context(), answer(gocql.ErrCodeCASWriteUnknown), true, false},
		{"unavailable", t.Context(), answer(gocql.ErrCodeUnavailable), true, false},
		{"overloaded", t.Context(), answer(gocql.ErrCodeOverloaded), true, false},
		{"server error", t.Context(), answer(gocql.ErrCodeServer), true, false},
		{"no answer", t.Context(), gocql.ErrTimeoutNoResponse, true, false},
		{"connection lost", t.Context(), gocql.ErrConnectionClosed, true, false},
		{"cut", t.Context(), io.EOF, true, false},
		{"cancelled", cancelled, context.Canceled, true, false},
		{"time-out of the store", t.Context(), context.DeadlineExceeded, true, false},
		{"not prepared", t.Context(), answer(gocql.ErrCodeWriteTimeout), false, true},
		{"cut while it was prepared", t.Context(), io.EOF, false, true},
		{"cancelled while it was prepared", cancelled, context.Canceled, false, true},
		{"no connections", t.Context(), gocql.ErrNoConnections, true, true},
		{"closed", t.Context(), gocql.ErrSessionClosed, true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := &library{timeout: time.Second}
			err := outcome("replace", l.tell(c.ctx, c.err, c.out))
			require.Error(t, err)
			require.Equal(t, c.notApplied, driver.WasNotApplied(err), err)
			require.Equal(t, !c.notApplied, errors.Is(err, driver.ErrUnknownOutcome), err)
			if c.ctx == cancelled {
				require.ErrorIs(t, err, context.Canceled)
			} else {
				require.NotErrorIs(t, err, context.DeadlineExceeded, "the caller's context has not ended")
			}
		})
	}
}
