package cassandra_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/internal/testenv"
	"github.com/websession/websession/session/driver"
)

// rawEntries is the index of a place.
type rawEntries struct {
	tb    testing.TB
	query func(statement string, args ...any)
	count func(digest string) int
	table string
}

func entriesOf(tb testing.TB, p *testenv.Place) rawEntries {
	tb.Helper()
	q := bare(tb, p)
	table := p.Properties["table"].(string) + "_index"
	return rawEntries{
		tb: tb, table: table,
		query: func(statement string, args ...any) {
			tb.Helper()
			require.NoError(tb, q.Query(statement, args...).Exec())
		},
		count: func(digest string) int {
			return q.Query("SELECT mark FROM "+table+" WHERE field = 'user' AND digest = ?", digest).Iter().NumRows()
		},
	}
}

// put writes an entry as if it had been written a while ago.
func (e rawEntries) put(digest, key string, mark byte, ago time.Duration) {
	e.tb.Helper()
	e.query("UPDATE "+e.table+" USING TIMESTAMP ? SET entered = toTimestamp(now()) WHERE field = 'user' AND digest = ? AND session_key = ? AND mark = ?",
		time.Now().Add(-ago).UnixMicro(), digest, key, []byte{mark, 0, 0, 0, 0, 0, 0, 0})
}

func search(tb testing.TB, s driver.Store, digest string) (keys []string) {
	tb.Helper()
	for rec, err := range s.(driver.Searcher).Search(ctx, "user", digest) {
		require.NoError(tb, err)
		keys = append(keys, rec.Key)
	}
	return keys
}

// Entries that belong to no session are found by nobody. Those that may be about
// to be needed stay; the others are dropped by whoever reads them.
func TestReadersDropOldEntries(t *testing.T) {
	p := testenv.Cassandra(t)
	s, raw := open(t, p.Properties), entriesOf(t, p)
	raw.put("nobody", "young", 1, 0)
	raw.put("nobody", "almost-old", 1, 50*time.Second)
	raw.put("nobody", "old", 1, 70*time.Second)
	require.Empty(t, search(t, s, "nobody"))
	require.Equal(t, 2, raw.count("nobody"))

	// Of a session that is another user's now, and of one that is still the user's.
	other, mine := record("other", ""), record("mine", "")
	_, err := s.Create(ctx, other)
	require.NoError(t, err)
	v, err := s.Create(ctx, mine)
	require.NoError(t, err)
	raw.put("u-mine", "other", 1, 70*time.Second)
	raw.put("u-mine", "mine", 1, 70*time.Second) // of an attempt whose answer was lost
	require.Equal(t, 3, raw.count("u-mine"))
	require.Equal(t, []string{"mine"}, search(t, s, "u-mine"), "once, though it has two entries")
	require.Equal(t, 1, raw.count("u-mine"))
	require.Equal(t, []string{"mine"}, search(t, s, "u-mine"), "the entry that its version names stays")
	mine.Was = mine.Index
	require.NoError(t, s.Delete(ctx, mine, v))
	require.Zero(t, raw.count("u-mine"))
}

// What was refused leaves no entry, and takes away none.
func TestRefusedWritesLeaveNoEntry(t *testing.T) {
	p := testenv.Cassandra(t)
	s, raw := open(t, p.Properties), entriesOf(t, p)
	rec := record("k", "")
	stale, err := s.Create(ctx, rec)
	require.NoError(t, err)
	rec.Was = rec.Index
	v, err := s.Replace(ctx, rec, stale)
	require.NoError(t, err)

	_, err = s.Create(ctx, rec)
	require.ErrorIs(t, err, driver.ErrExists)
	moved := rec
	moved.Index = map[string]string{"user": "somebody-else"}
	_, err = s.Replace(ctx, moved, stale)
	require.ErrorIs(t, err, driver.ErrConflict)
	require.ErrorIs(t, s.Delete(ctx, rec, stale), driver.ErrConflict)
	gone := record("gone", "")
	gone.Index, gone.Was = moved.Index, rec.Index
	_, err = s.Replace(ctx, gone, stale)
	require.ErrorIs(t, err, driver.ErrNotFound)
	require.Equal(t, 1, raw.count("u-k"))
	require.Zero(t, raw.count("somebody-else"))
	require.Equal(t, []string{"k"}, search(t, s, "u-k"))

	// Whoever does not know what the session was found by loses no entry that is needed.
	moved.Was = nil
	v, err = s.Replace(ctx, moved, v)
	require.NoError(t, err)
	require.Equal(t, []string{"k"}, search(t, s, "somebody-else"))
	require.Empty(t, search(t, s, "u-k"), "the entry is there, and the session is another user's")
	moved.Was = moved.Index
	moved.Index = rec.Index
	_, err = s.Replace(ctx, moved, v)
	require.NoError(t, err)
	require.Equal(t, []string{"k"}, search(t, s, "u-k"))
	require.Zero(t, raw.count("somebody-else"))
	moved.Was = moved.Index
	require.NoError(t, s.Delete(ctx, moved, ""))
	require.Zero(t, raw.count("u-k"))
}

// A session that is used for long is found until its end, and an entry is not
// written at each of its touches.
func TestEntriesOutliveTheirSessions(t *testing.T) {
	p := testenv.Cassandra(t)
	s, q := open(t, p.Properties), bare(t, p)
	life := func() (entry, session int) {
		table := p.Properties["table"].(string)
		require.NoError(t, q.Query("SELECT ttl(entered) FROM "+table+"_index WHERE field = 'user' AND digest = 'u-k'").Scan(&entry))
		require.NoError(t, q.Query("SELECT ttl(data) FROM "+table+" WHERE session_key = 'k'").Scan(&session))
		return entry, session
	}
	rec := record("k", "")
	v, err := s.Create(ctx, rec)
	require.NoError(t, err)
	entry, session := life()
	require.InDelta(t, 3600+60, session, 30)
	require.InDelta(t, 2*session, entry, 130)
	rec.Was = rec.Index
	writes := 0
	for range 10 {
		rec.Expires = rec.Expires.Add(20 * time.Minute)
		before, _ := life()
		v, err = s.Replace(ctx, rec, v)
		require.NoError(t, err)
		entry, session := life()
		require.Greater(t, entry, session)
		if entry > before {
			writes++
		}
	}
	require.Less(t, writes, 4)
}

// One user's many sessions come in pages.
func TestManyEntries(t *testing.T) {
	p := testenv.Cassandra(t)
	s := open(t, p.Properties)
	const n = 300
	inLanes(t, n, func(i int) {
		rec := record(fmt.Sprintf("k%03d", i), "")
		rec.Index = map[string]string{"user": "many"}
		if _, err := s.Create(context.Background(), rec); err != nil {
			t.Error(err)
		}
	})
	require.Len(t, search(t, s, "many"), n)
}
