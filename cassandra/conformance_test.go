package cassandra_test

import (
	"fmt"
	"testing"

	"github.com/gocql/gocql"
	"github.com/stretchr/testify/require"

	"github.com/websession/websession/cassandra"
	"github.com/websession/websession/conformance"
	"github.com/websession/websession/internal/testenv"
)

func TestConformance(t *testing.T) {
	o := oracle{session: bare(t, testenv.Cassandra(t))}
	conformance.Run(t, cassandra.Driver{}, conformance.Env{
		Place: func(tb testing.TB) map[string]any { return testenv.Cassandra(tb).Properties },
		Raw:   o.raw,
	})
}

// oracle looks at what lies in places.
type oracle struct {
	session *gocql.Session
}

// raw answers everything that lies in a place: sessions, and index entries. Their
// marks are what no session has in it.
func (o *oracle) raw(tb testing.TB, props map[string]any) map[string][]byte {
	tb.Helper()
	all := make(map[string][]byte)
	var tables int
	require.NoError(tb, o.session.Query("SELECT COUNT(*) FROM system_schema.tables WHERE keyspace_name = ? AND table_name IN (?, ?)",
		props["keyspace"], props["table"], fmt.Sprint(props["table"], "_index")).Scan(&tables))
	if tables < 2 { // nobody has opened the place yet
		return all
	}
	table := fmt.Sprintf("%s.%s", props["keyspace"], props["table"])
	var key, field, digest string
	var version, index, data, mark []byte
	rows := o.session.Query("SELECT session_key, version, ix, data FROM " + table).Iter()
	for rows.Scan(&key, &version, &index, &data) {
		all[key] = append(append(append([]byte{}, version...), index...), data...)
	}
	require.NoError(tb, rows.Close())
	rows = o.session.Query("SELECT field, digest, session_key, mark FROM " + table + "_index").Iter()
	for rows.Scan(&field, &digest, &key, &mark) {
		all[fmt.Sprintf("index %s:%s %s %x", field, digest, key, mark)] = []byte(digest)
	}
	require.NoError(tb, rows.Close())
	return all
}
