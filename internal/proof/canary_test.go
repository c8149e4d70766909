package main

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSearchFindsEveryFormOfAnID(t *testing.T) {
	const id = "c2Vzc2lvbiBpZHMgYXJlIDQzIGNoYXJhY3RlcnMgLV8"
	require.Len(t, id, 43)
	raw, err := base64.RawURLEncoding.DecodeString(id)
	require.NoError(t, err)
	s := &idSet{forms: make(map[int]map[string]bool)}
	s.add(id)
	for _, printed := range []string{
		id, "cookie: __Host-id=" + id + "; Path=/", hex.EncodeToString([]byte(id)), hex.EncodeToString(raw),
		base64.StdEncoding.EncodeToString([]byte(id)), base64.StdEncoding.EncodeToString(raw),
	} {
		line, err := json.Marshal(event{Action: "output", Package: "p", Test: "T", Output: "before " + printed + " after"})
		require.NoError(t, err)
		found, err := s.search(strings.NewReader(string(line) + "\n"))
		require.NoError(t, err)
		require.Equal(t, []string{"p T"}, found, printed)
	}
	require.False(t, s.in("before "+id[:42]+" after "+strings.ToLower(id)))
}
