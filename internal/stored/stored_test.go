package stored

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/session/driver"
)

func TestIndexIsKept(t *testing.T) {
	for _, index := range []map[string]string{nil, {"user": "d"}, {"user": "d", "account": "", "": "x"}} {
		b, err := EncodeIndex(index)
		require.NoError(t, err)
		require.NotNil(t, b, "which would be null")
		got, ok := DecodeIndex(b)
		require.True(t, ok)
		require.Equal(t, index, got)
	}
	for _, b := range []string{"\x00", "\x00\x01", "\x00\x01a\x00\x02b"} {
		_, ok := DecodeIndex([]byte(b))
		require.False(t, ok, "%q", b)
	}
}

func TestIndexIsTheSameInAnyOrder(t *testing.T) {
	a, err := EncodeIndex(map[string]string{"a": "1", "b": "2", "c": "3"})
	require.NoError(t, err)
	for range 20 {
		b, _ := EncodeIndex(map[string]string{"c": "3", "b": "2", "a": "1"})
		require.Equal(t, a, b)
	}
	_, err = EncodeIndex(map[string]string{string(make([]byte, 1<<16)): "1"})
	require.Error(t, err)
}

func TestValidKey(t *testing.T) {
	for key, want := range map[string]bool{
		"a": true, "AZaz09_-": true, strings.Repeat("k", driver.MaxKey): true,
		"": false, strings.Repeat("k", driver.MaxKey+1): false, "a b": false, "a/b": false, "a.b": false, "é": false, "a\x00": false, "{a}": false,
	} {
		require.Equal(t, want, ValidKey(key), "%q", key)
	}
}
