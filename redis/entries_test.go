package redis_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/internal/testenv"
	"github.com/websession/websession/redis"
	"github.com/websession/websession/session/driver"
)

func search(tb testing.TB, s driver.Store, user string) (keys []string) {
	tb.Helper()
	for rec, err := range s.(driver.Searcher).Search(ctx, "user", user) {
		require.NoError(tb, err)
		keys = append(keys, rec.Key)
	}
	return keys
}

// Entries whose records are gone are dropped by those who read them: on one
// server at once, in a cluster when no writer can be about to need them.
func TestReadersDropStaleEntries(t *testing.T) {
	for _, c := range classes {
		t.Run(c.driver.Class().Name, func(t *testing.T) {
			p := c.place(t)
			s := open(t, c.driver, p.Properties, driver.OpenOptions{})
			raw := client(t, p)
			ix := p.Prefix + "index:{user:u}"
			rec := driver.Record{Key: "there", Index: map[string]string{"user": "u"}}
			_, err := s.Create(ctx, rec)
			require.NoError(t, err)
			now, later := time.Now(), time.Now().Add(time.Hour).UnixMilli()
			value := func(age time.Duration) string {
				if !c.apart {
					return fmt.Sprint(later)
				}
				return fmt.Sprintf("%d %d %016x", later, now.Add(-age).UnixMilli(), 7)
			}
			require.NoError(t, raw.HSet(ctx, ix, "young", value(time.Second), "old", value(2*time.Minute), "strange", "hello").Err())
			require.Equal(t, []string{"there"}, search(t, s, "u"))
			left := raw.HKeys(ctx, ix).Val()
			if c.apart {
				require.ElementsMatch(t, []string{"there", "young"}, left)
			} else {
				require.Equal(t, []string{"there"}, left)
			}
		})
	}
}

// An index key ends by itself, after its entries, and entries that have ended are
// dropped as new ones come.
func TestEntriesEnd(t *testing.T) {
	for _, c := range classes {
		t.Run(c.driver.Class().Name, func(t *testing.T) {
			p := c.place(t)
			s := open(t, c.driver, p.Properties, driver.OpenOptions{})
			raw := client(t, p)
			ix := p.Prefix + "index:{user:u}"
			expires := time.Now().Add(8 * time.Hour)
			_, err := s.Create(ctx, driver.Record{Key: "k", Expires: expires, Index: map[string]string{"user": "u"}})
			require.NoError(t, err)
			ttl := raw.PTTL(ctx, ix).Val()
			require.Greater(t, ttl, 8*time.Hour+driver.Margin)
			require.Less(t, ttl, 17*time.Hour)

			_, err = s.Create(ctx, driver.Record{Key: "short", Expires: time.Now().Add(time.Minute), Index: map[string]string{"user": "u"}})
			require.NoError(t, err)
			require.InDelta(t, ttl.Seconds(), raw.PTTL(ctx, ix).Val().Seconds(), 60, "it is never shortened")

			ended := make(map[string]string)
			for i := range 200 {
				ended[fmt.Sprint("ended", i)] = fmt.Sprintf("%d %d %016x", time.Now().Add(-time.Minute).UnixMilli(), 1, 1)
			}
			require.NoError(t, raw.HSet(ctx, ix, ended).Err())
			for i := range 100 {
				_, err := s.Create(ctx, driver.Record{Key: fmt.Sprint("new", i), Expires: expires, Index: map[string]string{"user": "u"}})
				require.NoError(t, err)
			}
			n := 0
			for _, key := range raw.HKeys(ctx, ix).Val() {
				if strings.HasPrefix(key, "ended") {
					n++
				}
			}
			require.Less(t, n, 100, "most are gone")
		})
	}
}

// A touch that moves a deadline beyond the end of the entries writes them again.
func TestTouchKeepsEntriesAlive(t *testing.T) {
	for _, c := range classes {
		t.Run(c.driver.Class().Name, func(t *testing.T) {
			p := c.place(t)
			s := open(t, c.driver, p.Properties, driver.OpenOptions{})
			raw := client(t, p)
			ix := p.Prefix + "index:{user:u}"
			rec := driver.Record{Key: "k", Expires: time.Now().Add(time.Hour), Index: map[string]string{"user": "u"}}
			v, err := s.Create(ctx, rec)
			require.NoError(t, err)
			rec.Was = rec.Index
			for _, d := range []time.Duration{90 * time.Minute, 5 * time.Hour, 24 * time.Hour, 2 * time.Hour, 0} {
				if rec.Expires = time.Now().Add(d); d == 0 {
					rec.Expires = time.Time{}
				}
				v, err = s.(driver.Toucher).Touch(ctx, rec, v)
				require.NoError(t, err)
				require.Greater(t, raw.PTTL(ctx, ix).Val(), d+driver.Margin)
				var until int64
				_, err := fmt.Sscan(raw.HGet(ctx, ix, "k").Val(), &until)
				require.NoError(t, err)
				require.Greater(t, time.UnixMilli(until), time.Now().Add(d+driver.Margin))
			}
			require.NoError(t, s.Delete(ctx, rec, v))
			require.Zero(t, raw.Exists(ctx, ix).Val(), "the entry is dropped, however often it was written")
		})
	}
}

// In a cluster a late writer must not drop the entry that another one needs.
func TestLateWriterLeavesTheEntryOfOthers(t *testing.T) {
	p := testenv.Cluster(t)
	s := open(t, redis.ClusterDriver{}, p.Properties, driver.OpenOptions{})
	raw := client(t, p)
	a, b := map[string]string{"user": "a"}, map[string]string{"user": "b"}
	v, err := s.Create(ctx, driver.Record{Key: "k", Index: a})
	require.NoError(t, err)
	v, err = s.Replace(ctx, driver.Record{Key: "k", Index: b, Was: a}, v)
	require.NoError(t, err)
	require.Empty(t, raw.HKeys(ctx, p.Prefix+"index:{user:a}").Val())
	// The writer of b drops the entry of a late: after another one wrote a.
	late := raw.HGet(ctx, p.Prefix+"index:{user:b}", "k").Val()
	v, err = s.Replace(ctx, driver.Record{Key: "k", Index: a, Was: b}, v)
	require.NoError(t, err)
	token := strings.Fields(late)[2]
	require.NoError(t, raw.Eval(ctx, redis.LeaveScript, []string{p.Prefix + "index:{user:a}"}, "k", token).Err())
	require.Equal(t, []string{"k"}, search(t, s, "a"))
	// Once that is long ago nobody needs it, whatever token it has.
	fields := strings.Fields(raw.HGet(ctx, p.Prefix+"index:{user:a}", "k").Val())
	fields[1] = fmt.Sprint(time.Now().Add(-2 * time.Minute).UnixMilli())
	require.NoError(t, raw.HSet(ctx, p.Prefix+"index:{user:a}", "k", strings.Join(fields, " ")).Err())
	require.NoError(t, raw.Eval(ctx, redis.LeaveScript, []string{p.Prefix + "index:{user:a}"}, "k", token).Err())
	require.Empty(t, raw.HKeys(ctx, p.Prefix+"index:{user:a}").Val())
	require.NoError(t, s.Delete(ctx, driver.Record{Key: "k", Was: a}, v))
}

// A caller who is wrong about the index of a record is found out: the index follows.
func TestWrongWasIsNoticed(t *testing.T) {
	p := testenv.Redis(t)
	s := open(t, redis.Driver{}, p.Properties, driver.OpenOptions{})
	for _, had := range []map[string]string{{"user": "u"}, {"user": "longer"}} {
		v, err := s.Create(ctx, driver.Record{Key: "k", Index: had, Data: []byte("a")})
		require.NoError(t, err)
		z := map[string]string{"user": "z"}
		v, err = s.Replace(ctx, driver.Record{Key: "k", Index: z, Was: z, Data: []byte("b")}, v)
		require.NoError(t, err)
		require.Equal(t, []string{"k"}, search(t, s, "z"))
		require.Empty(t, search(t, s, had["user"]))
		rec, _, err := s.Load(ctx, "k")
		require.NoError(t, err)
		require.Equal(t, "b", string(rec.Data))
		require.NoError(t, s.Delete(ctx, rec, v))
		require.Empty(t, search(t, s, "z"))
	}
}

// In a cluster a write that is refused puts back the entry that was there.
func TestRefusedWritesPutBackEntries(t *testing.T) {
	p := testenv.Cluster(t)
	s := open(t, redis.ClusterDriver{}, p.Properties, driver.OpenOptions{})
	raw := client(t, p)
	entry := func() string { return raw.HGet(ctx, p.Prefix+"index:{user:u}", "k").Val() }
	u := map[string]string{"user": "u"}
	v, err := s.Create(ctx, driver.Record{Key: "k", Index: u})
	require.NoError(t, err)
	before := entry()
	_, err = s.Create(ctx, driver.Record{Key: "k", Index: u, Data: []byte("x")})
	require.ErrorIs(t, err, driver.ErrExists)
	require.Equal(t, before, entry())
	w, err := s.Replace(ctx, driver.Record{Key: "k", Index: u, Was: u}, v)
	require.NoError(t, err)
	_, err = s.Replace(ctx, driver.Record{Key: "k", Index: map[string]string{"user": "u", "other": "o"}, Was: u}, v)
	require.ErrorIs(t, err, driver.ErrConflict)
	require.Equal(t, before, entry())
	require.Zero(t, raw.Exists(ctx, p.Prefix+"index:{other:o}").Val())
	// What Was did not tell is noticed.
	x, err := s.Replace(ctx, driver.Record{Key: "k", Index: map[string]string{"user": "z"}, Was: map[string]string{"user": "z"}}, w)
	require.NoError(t, err)
	require.Equal(t, []string{"k"}, search(t, s, "z"))
	require.Empty(t, entry())
	require.NoError(t, s.Delete(ctx, driver.Record{Key: "k"}, x))
	require.Empty(t, raw.HKeys(ctx, p.Prefix+"index:{user:z}").Val())
}
