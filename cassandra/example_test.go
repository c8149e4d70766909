package cassandra_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/gocql/gocql"

	"github.com/websession/websession/cassandra"
	"github.com/websession/websession/session"
)

// An application that has a session of gocql already hands it in; the store does
// not close it. It needs a server, and is therefore not run.
func ExampleNew() {
	cluster := gocql.NewCluster("10.0.0.1", "10.0.0.2")
	cluster.ProtoVersion = 4
	cluster.PoolConfig.HostSelectionPolicy = gocql.TokenAwareHostPolicy(gocql.DCAwareRoundRobinPolicy("dc1"))
	client, err := cluster.CreateSession()
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	store, err := cassandra.New(client, &cassandra.Options{Keyspace: "shop", Warn: func(remark string) { log.Print(remark) }})
	if err != nil {
		log.Fatal(err)
	}
	m, err := session.New(store, &session.Options{Idle: time.Hour})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()

	ctx := context.Background()
	s := m.NewSession()
	user := session.NewKey[string]("user")
	err = errors.Join(user.Set(s, "ada"), s.Save(ctx))
	fmt.Println(s.Handle(), err)
}

// Properties are checked without a server.
func Example_properties() {
	r := session.NewRegistry(cassandra.Driver{})
	properties := map[string]any{"hosts": []string{"10.0.0.1", "10.0.0.2"}, "keyspace": "shop", "create_keyspace": "dc1:3"}
	fmt.Println(r.Check("Cassandra", properties))

	properties["consistence"] = "QUORUM"
	fmt.Println(r.Check("Cassandra", properties))

	c, _ := r.ParseURL("cassandra://a:9142,b:9142/shop?datacenter=dc1&timeout=3")
	fmt.Println(c.Class, r.Check(c.Class, c.Properties))
	// Output:
	// <nil>
	// session: class Cassandra: property "consistence" is unknown: did you mean "consistency"?
	// Cassandra <nil>
}
