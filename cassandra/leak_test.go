package cassandra_test

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/websession/websession/cassandra"
	"github.com/websession/websession/internal/testenv"
	"github.com/websession/websession/session/driver"
)

// No goroutine stays when stores are closed, did not open, or were given up.
func TestNothingStays(t *testing.T) {
	p := testenv.Cassandra(t)
	mute := testenv.Proxy(t, p.Addrs[0])
	require.NoError(t, mute.Add(testenv.Toxic{Type: "timeout", Stream: "upstream", Attributes: map[string]any{"timeout": 0}}))
	bad := maps.Clone(p.Properties)
	bad["keyspace"] = "missing"
	use := func() {
		s := open(t, p.Properties)
		inLanes(t, 20, func(i int) {
			rec := record(fmt.Sprint("k", i), "data")
			v, err := s.Create(ctx, rec)
			if err == nil {
				rec.Was = rec.Index
				err = s.Delete(ctx, rec, v)
			}
			if err != nil {
				t.Error(err)
			}
		})
		for range s.(driver.Scanner).Scan(ctx) {
			break
		}
		require.NoError(t, s.Close())
		refused(t, bad)

		silent := maps.Clone(p.Properties)
		silent["connect_timeout"] = "100ms"
		c, err := configure(silent)
		require.NoError(t, err)
		begin := time.Now()
		_, err = cassandra.OpenRouted(ctx, c, func(string) string { return mute.Addr() })
		require.Error(t, err)
		require.Less(t, time.Since(begin), 5*time.Second)
	}
	use()
	before := goleak.IgnoreCurrent()
	for range 3 {
		use()
	}
	mute.Clear()
	require.NoError(t, goleak.Find(before))
}

// A store on a session of an application leaves it open, and leaves nothing
// running but what ends with it.
func TestSessionOfTheApplication(t *testing.T) {
	p := testenv.Cassandra(t)
	before := goleak.IgnoreCurrent()
	session, err := testenv.CassandraSession(p.Addrs, "")
	require.NoError(t, err)
	for range 3 {
		s, err := cassandra.New(session, &cassandra.Options{Keyspace: p.Keyspace, Table: p.Properties["table"].(string)})
		require.NoError(t, err)
		_, err = s.Create(ctx, record("k", "data"))
		require.NoError(t, err)
		require.NoError(t, s.Delete(ctx, record("k", ""), ""))
		require.NoError(t, s.Close())
		require.NoError(t, s.Close())
		_, _, err = s.Load(ctx, "k")
		require.ErrorIs(t, err, driver.ErrClosed)
		require.NoError(t, session.Query("SELECT key FROM system.local").Exec())
	}
	_, err = cassandra.New(session, nil)
	require.ErrorContains(t, err, "the keyspace must be letters")
	session.Close()
	require.NoError(t, goleak.Find(before))
}
