package cassandra

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/session/driver"
)

func TestTTL(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC)
	for _, c := range []struct {
		expires time.Time
		want    int
	}{
		{time.Time{}, 0},
		{now, 60},
		{now.Add(time.Millisecond), 61},
		{now.Add(-time.Millisecond), 60},
		{now.Add(-59 * time.Second), 1},
		{now.Add(-time.Hour), 1},
		{time.Unix(0, 0), 1},
		{now.Add(mostTTL*time.Second - driver.Margin), mostTTL},
		{now.Add(mostTTL*time.Second - driver.Margin + 1), 0},
		{time.Date(9999, 12, 31, 23, 59, 59, 999e6, time.UTC), 0},
		{now.Add(math.MaxInt64), 0},
	} {
		require.Equal(t, c.want, ttl(c.expires, now), c.expires)
	}
}

// A version says what its entries are, and never was before.
func TestVersions(t *testing.T) {
	e := entries{until: time.UnixMilli(1790000000123), mark: [markSize]byte{1, 2}, sum: sumOf([]byte("x"))}
	a, b := newVersion(e), newVersion(e)
	require.NotEqual(t, a, b)
	require.Equal(t, e, entriesOf(driver.Version(a)))
	require.Equal(t, e, entriesOf(driver.Version(b)))
	require.Equal(t, entries{}, entriesOf(driver.Version(newVersion(entries{}))))
	require.Equal(t, entries{}, entriesOf(""))
}
