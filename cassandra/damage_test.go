package cassandra_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/internal/testenv"
	"github.com/websession/websession/session/driver"
)

// A row that is no whole session is nobody's, is not listed, and stays until it is
// deleted.
func TestDamageIsLeftAlone(t *testing.T) {
	p := testenv.Cassandra(t)
	s, q := open(t, p.Properties), bare(t, p)
	table := p.Properties["table"].(string)
	healthy := record("healthy", "data")
	_, err := s.Create(ctx, healthy)
	require.NoError(t, err)
	for key, change := range map[string]string{
		"short-version": "version = 0x0102",
		"no-data":       "data = null",
		"no-index":      "ix = null",
		"bad-index":     "ix = 0x0001",
	} {
		t.Run(key, func(t *testing.T) {
			v, err := s.Create(ctx, record(key, "data"))
			require.NoError(t, err)
			applied, err := q.Query("UPDATE "+table+" SET "+change+" WHERE session_key = ? IF EXISTS", key).MapScanCAS(map[string]any{})
			require.NoError(t, err)
			require.True(t, applied)
			_, _, err = s.Load(ctx, key)
			require.ErrorIs(t, err, driver.ErrCorrupt)
			require.NotContains(t, err.Error(), key)
			_, err = s.Create(ctx, record(key, "other"))
			require.ErrorIs(t, err, driver.ErrExists)
			if key == "short-version" {
				_, err = s.Replace(ctx, record(key, "other"), v)
				require.ErrorIs(t, err, driver.ErrConflict)
				require.ErrorIs(t, s.Delete(ctx, record(key, ""), v), driver.ErrConflict)
			}
			for rec, err := range s.(driver.Scanner).Scan(ctx) {
				require.NoError(t, err)
				require.NotEqual(t, key, rec.Key)
			}
			for range s.(driver.Searcher).Search(ctx, "user", "u-"+key) {
				t.Error("it was found")
			}
			require.NoError(t, s.Delete(ctx, record(key, ""), ""))
			_, err = s.Create(ctx, record(key, "again"))
			require.NoError(t, err)
		})
	}
	got, _, err := s.Load(ctx, healthy.Key)
	require.NoError(t, err)
	require.Equal(t, "data", string(got.Data))
}
