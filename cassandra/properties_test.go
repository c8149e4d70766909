package cassandra

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/internal/tlsfile"
	"github.com/websession/websession/session/driver"
)

func configured(props map[string]any) (settings, error) {
	dec := driver.NewDecoder("Cassandra", props)
	c, err := Driver{}.Configure(dec)
	if err == nil {
		err = dec.Err()
	}
	return c.(connector).settings, err
}

func TestDefaults(t *testing.T) {
	s, err := configured(map[string]any{"keyspace": "ks"})
	require.NoError(t, err)
	require.Equal(t, settings{
		hosts: []string{"127.0.0.1"}, port: 9042, files: tlsfile.Files{Verify: true}, connect: 5 * time.Second, pool: 2,
		options: Options{
			Keyspace: "ks", Table: "websession_sessions", Consistency: "LOCAL_QUORUM", SerialConsistency: "LOCAL_SERIAL",
			Conflict: "versions", Timeout: 5 * time.Second,
		},
	}, s)
}

func TestProperties(t *testing.T) {
	s, err := configured(map[string]any{
		"hosts": []string{"a", "b:9042", "[::1]:9042", "::2"}, "keyspace": "Ks", "datacenter": "dc1", "create_keyspace": "dc1:3, dc2:2",
		"table": "T", "consistency": "QUORUM", "serial_consistency": "SERIAL", "conflict": "last-write-wins",
		"username": "u", "password": "p", "connect_timeout": 0.5, "timeout": "3s", "pool_size": 7,
		"ssl": true, "SSL_verify_mode": 0, "tls_ca": "ca", "tls_cert": "cert", "tls_key": "key", "tls_server_name": "n",
	})
	require.NoError(t, err)
	require.Equal(t, settings{
		hosts: []string{"a", "b", "::1", "::2"}, port: 9042, datacenter: "dc1", create: replication{{"dc1", 3}, {"dc2", 2}},
		username: "u", password: "p", connect: 500 * time.Millisecond, pool: 7,
		tls: true, files: tlsfile.Files{CA: "ca", Cert: "cert", Key: "key", Name: "n"},
		options: Options{Keyspace: "Ks", Table: "T", Consistency: "QUORUM", SerialConsistency: "SERIAL", Conflict: "last-write-wins", Timeout: 3 * time.Second},
	}, s)

	// As Perl writes it.
	s, err = configured(map[string]any{"DataSource": "dbi:Cassandra:host=a,b;port=9142;keyspace=ks", "UserName": "u", "Password": "p", "TableName": "t"})
	require.NoError(t, err)
	require.Equal(t, []string{"a", "b"}, s.hosts)
	require.Equal(t, 9142, s.port)
	require.Equal(t, [4]string{"ks", "t", "u", "p"}, [4]string{s.options.Keyspace, s.options.Table, s.username, s.password})
}

func TestFaults(t *testing.T) {
	for _, c := range []struct {
		props map[string]any
		want  string
	}{
		{map[string]any{}, `"keyspace" is missing`},
		{map[string]any{"keyspace": `a"b`}, "letters, digits and underscores"},
		{map[string]any{"keyspace": "k", "hosts": "a:0"}, "must look like host or host:9042"},
		{map[string]any{"keyspace": "k", "hosts": "a b/c"}, "must look like host or host:9042"},
		{map[string]any{"keyspace": "k", "hosts": "a:1 b:2"}, "must have the same port"},
		{map[string]any{"keyspace": "k", "hosts": []string{}}, `"hosts" is empty`},
		{map[string]any{"keyspace": "k", "table": "a-b"}, "letters, digits and underscores, at most 42"},
		{map[string]any{"keyspace": "k", "create_keyspace": "3"}, "must name datacenters with their number of copies"},
		{map[string]any{"keyspace": "k", "create_keyspace": "dc'1:3"}, "must name datacenters"},
		{map[string]any{"keyspace": "k", "create_keyspace": "dc1:0"}, "must name datacenters"},
		{map[string]any{"keyspace": "k", "create_keyspace": ""}, "is empty"},
		{map[string]any{"keyspace": "k", "consistency": "ONE"}, "must be one of LOCAL_QUORUM, QUORUM, ALL"},
		{map[string]any{"keyspace": "k", "username": "u"}, `"username" and password belong together`},
		{map[string]any{"keyspace": "k", "Password": "p", "password": "p", "username": "u"}, `"Password" and password exclude each other`},
		{map[string]any{"keyspace": "k", "timeout": 0}, "must be from a millisecond to an hour"},
		{map[string]any{"keyspace": "k", "tls_ca": "f"}, `"tls_ca" means nothing without ssl`},
		{map[string]any{"keyspace": "k", "ssl": true, "tls_cert": "f"}, `"tls_cert" and tls_key belong together`},
		{map[string]any{"DataSource": "dbi:Pg:secret"}, `"DataSource" must look like dbi:Cassandra:host=HOST;keyspace=NAME`},
		{map[string]any{"DataSource": "dbi:Cassandra:host=h"}, "names no keyspace"},
		{map[string]any{"DataSource": "dbi:Cassandra:keyspace=k;secret=1"}, "has an attribute that is unknown here"},
		{map[string]any{"DataSource": "dbi:Cassandra:keyspace=k;db=l"}, "gives the keyspace twice"},
		{map[string]any{"DataSource": "dbi:Cassandra:keyspace=k", "keyspace": "k"}, "is in DataSource, too"},
		{map[string]any{"DataSource": "dbi:Cassandra:keyspace=k;host=h", "hosts": "k"}, "are in DataSource, too"},
	} {
		_, err := configured(c.props)
		require.ErrorContains(t, err, c.want, c.props)
		require.NotContains(t, err.Error(), "secret=1")
	}
}

// What a URL and the schema of a store say needs no server.
func TestSchemaOfProperties(t *testing.T) {
	s, err := configured(map[string]any{"keyspace": "ks", "table": "t", "create_keyspace": "dc1:3"})
	require.NoError(t, err)
	list, err := connector{s}.Schema([]string{"user"})
	require.NoError(t, err)
	require.Len(t, list, 3)
	require.Equal(t, `CREATE KEYSPACE IF NOT EXISTS "ks" WITH replication = {'class': 'NetworkTopologyStrategy', 'dc1': 3}`, list[0])
	require.Contains(t, list[1], `CREATE TABLE IF NOT EXISTS "ks"."t" (`)
	require.Contains(t, list[2], `CREATE TABLE IF NOT EXISTS "ks"."t_index" (`)
	require.Contains(t, list[2], "PRIMARY KEY ((field, digest), session_key, mark)")
}

// A keyspace whose copies cannot be confirmed is refused; one that merely lacks
// nodes is used.
func TestRingsThatAreTooSmall(t *testing.T) {
	for _, c := range []struct {
		copies      map[string]int
		nodes       map[string]int
		consistency string
		refused     string
		warned      bool
	}{
		{map[string]int{"dc1": 3}, map[string]int{"dc1": 3}, LocalQuorum, "", false},
		{map[string]int{"dc1": 3}, map[string]int{"dc1": 2}, LocalQuorum, "", true},
		{map[string]int{"dc1": 3}, map[string]int{"dc1": 1}, LocalQuorum, "no write could be confirmed", false},
		{map[string]int{"dc1": 3}, map[string]int{"dc1": 2}, All, "no write could be confirmed", false},
		{map[string]int{"dc2": 3}, map[string]int{"dc1": 3, "dc2": 3}, LocalQuorum, `no copies in the datacenter "dc1"`, false},
		{map[string]int{"dc2": 3}, map[string]int{"dc1": 3, "dc2": 3}, Quorum, "", false},
		{map[string]int{"dc1": 3, "dc2": 3}, map[string]int{"dc1": 3, "dc2": 1}, Quorum, "", true},
		{map[string]int{"dc1": 3, "dc2": 3}, map[string]int{"dc1": 2, "dc2": 1}, Quorum, "no write could be confirmed", false},
		{map[string]int{"": 2}, map[string]int{"dc1": 1}, Quorum, "no write could be confirmed", false},
	} {
		warned := false
		err := ring{nodes: c.nodes, copies: c.copies}.check("ks", "dc1", c.consistency, func(string) { warned = true })
		if c.refused == "" {
			require.NoError(t, err, c)
		} else {
			require.ErrorContains(t, err, c.refused, c)
		}
		require.Equal(t, c.warned, warned, c)
	}
}
