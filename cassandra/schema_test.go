package cassandra_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/internal/testenv"
	"github.com/websession/websession/session/driver"
)

// Servers that start together make the tables once, and lose nothing by it.
func TestServersThatStartTogether(t *testing.T) {
	p := testenv.CassandraKeyspace(t)
	const n = 8
	stores := make([]driver.Store, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			c, err := configure(p.Properties)
			if err == nil {
				stores[i], err = c.Open(ctx, driver.OpenOptions{Indexed: []string{"user"}})
			}
			if err != nil {
				t.Error(err)
				return
			}
			rec := record(strings.Repeat("k", i+1), "data")
			if _, err := stores[i].Create(ctx, rec); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for i, s := range stores {
		require.NotNil(t, s)
		defer s.Close()
		for j := range n {
			_, _, err := s.Load(ctx, strings.Repeat("k", j+1))
			require.NoError(t, err, "store %d, session %d", i, j)
		}
	}
}

// What administrators make with websession schema is what a store makes, and is
// taken as it is.
func TestSchemaByHand(t *testing.T) {
	p := testenv.CassandraKeyspace(t)
	c, err := configure(p.Properties)
	require.NoError(t, err)
	statements, err := c.(interface {
		Schema(indexed []string) ([]string, error)
	}).Schema([]string{"user"})
	require.NoError(t, err)
	q := bare(t, p)
	for _, statement := range statements {
		require.NoError(t, q.Query(statement).Exec())
	}
	s := open(t, p.Properties)
	_, err = s.Create(ctx, record("k", "data"))
	require.NoError(t, err)

	// A table that was dropped is made again, empty.
	require.NoError(t, s.Close())
	for _, table := range []string{"sessions", "sessions_index"} {
		require.NoError(t, q.Query("DROP TABLE "+table).Exec())
	}
	s = open(t, p.Properties)
	_, _, err = s.Load(ctx, "k")
	require.ErrorIs(t, err, driver.ErrNotFound)
	_, err = s.Create(ctx, record("k", "again"))
	require.NoError(t, err)
}

// A table that is none of a store is refused, and nothing in it is changed.
func TestTablesOfAnotherShape(t *testing.T) {
	p := testenv.CassandraKeyspace(t)
	q := bare(t, p)
	open(t, p.Properties).Close()
	exec := func(statement string) {
		t.Helper()
		require.NoError(t, q.Query(statement).Exec())
	}
	mode := p.Properties
	mode["conflict"] = "last-write-wins"
	require.ErrorContains(t, refused(t, mode), `the table "sessions" is written with conflict: versions, by all or by none: set the property conflict to that`)
	delete(mode, "conflict")

	exec("ALTER TABLE sessions WITH comment = 'websession sessions, schema 2, conflict: versions'")
	require.ErrorContains(t, refused(t, p.Properties), `the table "sessions" has the schema version 2, and this program knows versions up to 1: use a newer version of websession`)
	exec("ALTER TABLE sessions WITH comment = 'sessions of the shop'")
	require.ErrorContains(t, refused(t, p.Properties), `the table "sessions" was not made by websession: choose another name by the property table`)
	exec("ALTER TABLE sessions WITH comment = 'websession sessions, schema 1, conflict: versions' AND default_time_to_live = 60")
	require.ErrorContains(t, refused(t, p.Properties), "ALTER TABLE \""+p.Keyspace+"\".\"sessions\" WITH default_time_to_live = 0")
	exec("ALTER TABLE sessions WITH default_time_to_live = 0")
	exec("ALTER TABLE sessions DROP expires")
	require.ErrorContains(t, refused(t, p.Properties), `the table "sessions" has no column expires of the kind timestamp, regular`)
	exec("ALTER TABLE sessions ADD expires timestamp")
	exec("ALTER TABLE sessions ADD remark text") // which nobody minds
	open(t, p.Properties).Close()

	exec("CREATE TABLE other (session_key text, version blob, expires timestamp, ix blob, data blob, more int, PRIMARY KEY (session_key, more)) " +
		"WITH comment = 'websession sessions, schema 1, conflict: versions'")
	p.Properties["table"] = "other"
	require.ErrorContains(t, refused(t, p.Properties), `the table "other" has the column more in its key`)
}
