package driver_test

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/session/driver"
)

func TestDecoderReadsWhatConfigurationsSay(t *testing.T) {
	d := driver.NewDecoder("Sample", map[string]any{
		"text": "a", "digits": 42, "float": 0.1, "duration": "100ms", "seconds": "0.1", "whole": 3, "int": "7", "big": 7.0,
		"yes": 1, "no": "false", "true": true, "list": []any{"a", 2}, "split": "a, b\tc", "one": "full", "nil": nil, "goduration": time.Minute,
	})
	require.Equal(t, "a", d.String("text", "", ""))
	require.Equal(t, "42", d.String("digits", "", ""))
	require.Equal(t, "default", d.String("absent", "default", ""))
	require.Equal(t, "default", d.String("nil", "default", ""))
	require.Equal(t, 100*time.Millisecond, d.Duration("float", 0, ""))
	require.Equal(t, 100*time.Millisecond, d.Duration("duration", 0, ""))
	require.Equal(t, 100*time.Millisecond, d.Duration("seconds", 0, ""))
	require.Equal(t, 3*time.Second, d.Duration("whole", 0, ""))
	require.Equal(t, time.Minute, d.Duration("goduration", 0, ""))
	require.Equal(t, 7, d.Int("int", 0, 0, 10, ""))
	require.Equal(t, 7, d.Int("big", 0, 0, 10, ""))
	require.True(t, d.Bool("yes", false, ""))
	require.False(t, d.Bool("no", true, ""))
	require.True(t, d.Bool("true", false, ""))
	require.Equal(t, []string{"a", "2"}, d.List("list", ""))
	require.Equal(t, []string{"a", "b", "c"}, d.List("split", ""))
	require.Equal(t, "full", d.OneOf("one", "none", []string{"none", "full"}, ""))
	require.NoError(t, d.Err())
	require.Equal(t, driver.Property{Name: "one", Type: "none|full", Default: "none"}, d.Asked()[len(d.Asked())-1])
}

func TestDecoderRefuses(t *testing.T) {
	for _, v := range []any{-1, "-1s", "NaN", "Inf", math.Inf(1), math.NaN(), 1e300, "1e300", "soon", "", true, []any{1}, "1h1"} {
		d := driver.NewDecoder("Sample", map[string]any{"d": v})
		require.Equal(t, time.Second, d.Duration("d", time.Second, ""), "%v", v)
		require.Error(t, d.Err(), "%v", v)
	}
	for _, v := range []any{1.5, "1.5", "x", -1, 11, int64(math.MaxInt64), uint64(math.MaxUint64), true} {
		d := driver.NewDecoder("Sample", map[string]any{"n": v})
		require.Equal(t, 5, d.Int("n", 5, 0, 10, ""), "%v", v)
		require.Error(t, d.Err(), "%v", v)
	}
	for _, v := range []any{2, "yes", "TRUE", []any{}} {
		d := driver.NewDecoder("Sample", map[string]any{"b": v})
		d.Bool("b", false, "")
		require.Error(t, d.Err(), "%v", v)
	}
}

func TestMarkedErrors(t *testing.T) {
	cause := errors.New("disk is full")
	require.ErrorIs(t, driver.NotApplied(cause), cause)
	require.True(t, driver.WasNotApplied(driver.NotApplied(cause)))
	require.False(t, driver.WasNotApplied(driver.UnknownOutcome(cause)))
	require.False(t, driver.WasNotApplied(cause), "an error that says nothing is an unknown outcome")
	require.True(t, driver.WasNotApplied(driver.ErrConflict))
	require.False(t, driver.WasNotApplied(driver.UnknownOutcome(driver.ErrNotFound)))
	require.NoError(t, driver.NotApplied(nil))
	require.NoError(t, driver.UnknownOutcome(nil))
}
