package testenv

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/gocql/gocql"

	"github.com/websession/websession/internal/servers"
)

var sharedCassandra = &shared{
	name: "Cassandra", variable: "WEBSESSION_TEST_CASSANDRA", form: "host:port,host:port,...", install: "openjdk-17-jre-headless",
	parse:  parseAddrs,
	check:  reachCassandra,
	docker: cassandraByDocker,
	local: func(ctx context.Context) (endpoint, error) {
		s, err := servers.StartCassandra(ctx, nil)
		if err != nil {
			return endpoint{}, err
		}
		return endpoint{addrs: []string{s.Addr()}, stop: s.Stop}, nil
	},
}

// cassandraByDocker runs a node whose port is the same inside and outside, since
// it tells clients where it is.
func cassandraByDocker(ctx context.Context, e *engine) (endpoint, error) {
	for try := 1; ; try++ {
		ports, release, err := reservePorts(1)
		if err != nil {
			return endpoint{}, err
		}
		port := ports[0]
		addrs, remove, err := e.run(container{
			image: "cassandra:5", variable: "WEBSESSION_TEST_CASSANDRA_IMAGE", ports: ports, same: true,
			env: []string{
				"MAX_HEAP_SIZE=384M", "HEAP_NEWSIZE=96M", "CASSANDRA_BROADCAST_RPC_ADDRESS=127.0.0.1",
				fmt.Sprintf("JVM_EXTRA_OPTS=-Dcassandra.native_transport_port=%d -Dcassandra.skip_wait_for_gossip_to_settle=0 "+
					"-Dcassandra.unsafesystem=true -Dcassandra.test.flush_local_schema_changes=false", port),
			},
		})
		if err != nil {
			release()
			if try == 3 {
				return endpoint{}, err
			}
			continue // perhaps somebody took the port
		}
		stop := func() error {
			err := remove()
			release()
			return err
		}
		found := endpoint{addrs: addrs, stop: stop}
		return found.await(ctx, func(ctx context.Context) error { return reachCassandra(ctx, found) })
	}
}

// reachCassandra says whether the first node answers.
func reachCassandra(ctx context.Context, e endpoint) error {
	s, err := CassandraSession(e.addrs[:1], "")
	if err != nil {
		return err
	}
	defer s.Close()
	return s.Query("SELECT key FROM system.local").WithContext(ctx).Exec()
}

// CassandraSession connects as a test does that looks at a server by itself: with
// much patience, reading and writing what a quorum has.
func CassandraSession(addrs []string, keyspace string) (*gocql.Session, error) {
	var hosts []string
	port := 0
	for _, addr := range addrs {
		host, text, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, err
		}
		hosts = append(hosts, host)
		if port, err = strconv.Atoi(text); err != nil {
			return nil, err
		}
	}
	conf := gocql.NewCluster(hosts...)
	conf.Port, conf.Keyspace, conf.ProtoVersion = port, keyspace, 4
	conf.Timeout, conf.ConnectTimeout = 20*time.Second, 20*time.Second
	conf.Consistency, conf.SerialConsistency = gocql.LocalQuorum, gocql.LocalSerial
	conf.ReconnectionPolicy = &gocql.ConstantReconnectionPolicy{MaxRetries: 1}
	conf.Logger = silent{}
	return conf.CreateSession()
}

// silent is a logger of gocql, which logs what it returns, too.
type silent struct{}

func (silent) Print(...any)          {}
func (silent) Printf(string, ...any) {}
func (silent) Println(...any)        {}

// cassandraPlaces is the keyspace of this test binary. Making a keyspace for each
// place would take seconds, and so would dropping its tables. So a place is the
// name of a table, and is emptied and used again when it has rested: a write that a
// test gave up may come late.
var cassandraPlaces struct {
	once     sync.Once
	session  *gocql.Session
	keyspace string
	err      error

	mu   sync.Mutex
	free []restingPlace // those that were left first come first
	made int
}

type restingPlace struct {
	table string
	since time.Time
}

// cassandraRest is longer than a node works on a write.
const cassandraRest = 20 * time.Second

// Cassandra answers a place on a Cassandra cluster: the name of a table that
// nobody else uses, in a keyspace of the test binary. Its properties are hosts,
// keyspace and table. Tables of the keyspace whose names begin with it are empty, and
// may be there. A test that is about the making of tables takes CassandraKeyspace.
func Cassandra(tb testing.TB) *Place {
	tb.Helper()
	s := sharedCassandra
	s.get(tb)
	c := &cassandraPlaces
	c.once.Do(func() { c.err = openCassandraPlaces(s) })
	if c.err != nil {
		tb.Fatalf("testenv: the keyspace of this run: %v", c.err)
	}
	c.mu.Lock()
	table := ""
	if len(c.free) > 0 && time.Since(c.free[0].since) >= cassandraRest {
		table, c.free = c.free[0].table, c.free[1:]
	} else {
		c.made++
	}
	made := c.made
	c.mu.Unlock()
	if table == "" {
		table = fmt.Sprint("place_", made, "_")
	} else {
		ctx, cancel := context.WithTimeout(context.Background(), cleanTimeout)
		defer cancel()
		if err := emptyCassandra(ctx, c.session, c.keyspace, table); err != nil {
			tb.Fatalf("testenv: delete what is in a place that was used before: %v", err)
		}
	}
	tb.Cleanup(func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.free = append(c.free, restingPlace{table, time.Now()})
	})
	return cassandraPlace(s, c.keyspace, table)
}

// CassandraKeyspace answers a place with a keyspace of its own, without any table,
// which is dropped at the end of the test.
func CassandraKeyspace(tb testing.TB) *Place {
	tb.Helper()
	s := sharedCassandra
	s.get(tb)
	session, err := CassandraSession(s.addrs, "")
	if err != nil {
		tb.Fatalf("testenv: connect to %s: %v", s.addrs, err)
	}
	name := uniqueName()
	if err := makeKeyspace(session, name); err != nil {
		tb.Fatalf("testenv: make a keyspace on %s: %v", s.addrs, err)
	}
	tb.Cleanup(func() {
		defer session.Close()
		if err := session.Query("DROP KEYSPACE " + name).Exec(); err != nil {
			tb.Errorf("testenv: drop the keyspace of the test: %v", err)
		}
	})
	return cassandraPlace(s, name, "sessions")
}

func cassandraPlace(s *shared, keyspace, table string) *Place {
	return &Place{
		Properties: map[string]any{"hosts": slices.Clone(s.addrs), "keyspace": keyspace, "table": table},
		Addrs:      slices.Clone(s.addrs), Keyspace: keyspace, how: s.how,
	}
}

func openCassandraPlaces(s *shared) error {
	c := &cassandraPlaces
	session, err := CassandraSession(s.addrs, "")
	if err != nil {
		return err
	}
	c.session, c.keyspace = session, uniqueName()
	if err := makeKeyspace(session, c.keyspace); err != nil {
		session.Close()
		return err
	}
	stop := s.stop
	onExit(func() error {
		defer session.Close()
		if s.how != byAddress || stop == nil { // it goes with the server
			return nil
		}
		return session.Query("DROP KEYSPACE " + c.keyspace).Exec()
	})
	return nil
}

// makeKeyspace makes a keyspace with three copies, or as many as there are nodes.
func makeKeyspace(s *gocql.Session, name string) error {
	var datacenter string
	if err := s.Query("SELECT data_center FROM system.local").Scan(&datacenter); err != nil {
		return err
	}
	nodes := 1
	var other string
	peers := s.Query("SELECT data_center FROM system.peers").Iter()
	for peers.Scan(&other) {
		if other == datacenter {
			nodes++
		}
	}
	if err := peers.Close(); err != nil {
		return err
	}
	return s.Query(fmt.Sprintf("CREATE KEYSPACE %s WITH replication = {'class': 'NetworkTopologyStrategy', '%s': %d}", name, datacenter, min(nodes, 3))).Exec()
}

// emptyCassandra truncates the tables whose names begin with a prefix, and that
// have something in them.
func emptyCassandra(ctx context.Context, s *gocql.Session, keyspace, prefix string) error {
	var err error
	var table string
	tables := s.Query("SELECT table_name FROM system_schema.tables WHERE keyspace_name = ? AND table_name >= ? AND table_name < ?",
		keyspace, prefix, prefix+"~").WithContext(ctx).Iter()
	for tables.Scan(&table) {
		name := keyspace + "." + table
		some := s.Query("SELECT * FROM " + name + " LIMIT 1").WithContext(ctx).NoSkipMetadata().Iter()
		rows := some.NumRows()
		if fault := some.Close(); fault != nil || rows == 0 {
			err = errors.Join(err, fault)
			continue
		}
		err = errors.Join(err, s.Query("TRUNCATE "+name).WithContext(ctx).Exec())
	}
	return errors.Join(err, tables.Close())
}
