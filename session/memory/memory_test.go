package memory_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/session/driver"
	"github.com/websession/websession/session/memory"
)

func TestRecordsBeyondTheLimitsAreRefused(t *testing.T) {
	s := memory.New()
	v, err := s.Create(t.Context(), driver.Record{Key: "k", Data: make([]byte, driver.MaxData)})
	require.NoError(t, err)
	tooLarge := driver.Record{Key: "k", Data: make([]byte, driver.MaxData+1)}
	_, err = s.Replace(t.Context(), tooLarge, v)
	require.ErrorIs(t, err, driver.ErrNotApplied)
	tooLarge.Key = "other"
	_, err = s.Create(t.Context(), tooLarge)
	require.ErrorIs(t, err, driver.ErrNotApplied)
	_, now, err := s.Load(t.Context(), "k")
	require.NoError(t, err)
	require.Equal(t, v, now)
}
