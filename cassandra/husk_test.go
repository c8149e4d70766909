package cassandra_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/internal/testenv"
	"github.com/websession/websession/session/driver"
)

// A session whose life was changed ends as a whole, and its key is free again:
// there is no row that is neither there nor away. A row that INSERT made is one.
func TestRowsEndAsAWhole(t *testing.T) {
	p := testenv.Cassandra(t)
	s, q := open(t, p.Properties), bare(t, p)
	table := p.Properties["table"].(string)
	rows := func(key string) int {
		return q.Query("SELECT session_key FROM "+table+" WHERE session_key = ?", key).Iter().NumRows()
	}
	soon := func() time.Time { return time.Now().Add(time.Second - driver.Margin) } // of which the margin is left
	later := time.Now().Add(time.Hour).UTC().Truncate(time.Millisecond)

	shortened, lengthened, endless := record("shortened", "a"), record("lengthened", "b"), record("endless", "c")
	v, err := s.Create(ctx, shortened)
	require.NoError(t, err)
	shortened.Expires = soon()
	_, err = s.Replace(ctx, shortened, v)
	require.NoError(t, err)

	first := time.Now().Add(5*time.Second - driver.Margin) // time-to-live has whole seconds: one of 1 may be over at once
	lengthened.Expires = first
	v, err = s.Create(ctx, lengthened)
	require.NoError(t, err)
	lengthened.Expires = later
	w, err := s.Replace(ctx, lengthened, v)
	require.NoError(t, err)

	endless.Expires = time.Time{}
	v, err = s.Create(ctx, endless)
	require.NoError(t, err)
	endless.Expires = soon()
	_, err = s.Replace(ctx, endless, v)
	require.NoError(t, err)

	until(t, "the sessions end", func() bool { return rows("shortened") == 0 && rows("endless") == 0 })
	for _, key := range []string{"shortened", "endless"} {
		_, _, err = s.Load(ctx, key)
		require.ErrorIs(t, err, driver.ErrNotFound)
		_, err = s.Create(ctx, record(key, "again"))
		require.NoError(t, err)
	}
	time.Sleep(time.Until(first.Add(driver.Margin + time.Second))) // until it would have ended
	got, gotV, err := s.Load(ctx, "lengthened")
	require.NoError(t, err)
	require.Equal(t, w, gotV)
	require.Equal(t, later, got.Expires)

	// What is avoided.
	applied, err := q.Query("INSERT INTO " + table + " (session_key, version, data) VALUES ('husk', 0x01, 0x02) IF NOT EXISTS").MapScanCAS(map[string]any{})
	require.NoError(t, err)
	require.True(t, applied)
	applied, err = q.Query("UPDATE " + table + " USING TTL 1 SET version = 0x02, data = 0x03 WHERE session_key = 'husk' IF version = 0x01").MapScanCAS(map[string]any{})
	require.NoError(t, err)
	require.True(t, applied)
	until(t, "the cells end", func() bool {
		var version []byte
		return q.Query("SELECT version FROM "+table+" WHERE session_key = 'husk'").Scan(&version) == nil && version == nil
	})
	applied, err = q.Query("INSERT INTO " + table + " (session_key, version, data) VALUES ('husk', 0x01, 0x02) IF NOT EXISTS").MapScanCAS(map[string]any{})
	require.NoError(t, err)
	require.False(t, applied, "a row without cells is in the way")
	// The store takes it for an absent one.
	_, _, err = s.Load(ctx, "husk")
	require.ErrorIs(t, err, driver.ErrNotFound)
	_, err = s.Create(ctx, record("husk", "again"))
	require.NoError(t, err)
}

// Sessions that live longer than Cassandra can tell are kept, and are not cut short.
func TestVeryLongLives(t *testing.T) {
	p := testenv.Cassandra(t)
	s, q := open(t, p.Properties), bare(t, p)
	for key, years := range map[string]int{"beyond-2038": 15, "beyond-twenty-years": 30, "beyond-everything": 7000} {
		rec := record(key, "data")
		rec.Expires = time.Now().AddDate(years, 0, 0).UTC().Truncate(time.Millisecond)
		v, err := s.Create(ctx, rec)
		require.NoError(t, err)
		rec.Was = rec.Index
		_, err = s.Replace(ctx, rec, v)
		require.NoError(t, err)
		got, _, err := s.Load(ctx, key)
		require.NoError(t, err)
		require.Equal(t, rec.Expires, got.Expires)
		var left *int
		require.NoError(t, q.Query("SELECT ttl(data) FROM "+p.Properties["table"].(string)+" WHERE session_key = ?", key).Scan(&left))
		if left != nil {
			require.Greater(t, *left, 15*365*24*3600)
		}
		found := 0
		for rec, err := range s.(driver.Searcher).Search(ctx, "user", "u-"+key) {
			require.NoError(t, err)
			require.Equal(t, key, rec.Key)
			found++
		}
		require.Equal(t, 1, found)
	}
}
