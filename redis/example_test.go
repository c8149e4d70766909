package redis_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/websession/websession/redis"
	"github.com/websession/websession/session"
)

// An application that has a client already hands it in; the store does not close
// it. It needs a server, and is therefore not run.
func ExampleNew() {
	client := goredis.NewClient(&goredis.Options{Addr: "127.0.0.1:6379"})
	defer client.Close()
	store, err := redis.New(client, &redis.Options{Prefix: "shop:", Warn: func(remark string) { log.Print(remark) }})
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

// The configuration of a Perl application works unchanged. Properties are checked
// without a server.
func Example_properties() {
	r := session.NewRegistry(redis.Driver{}, redis.SentinelDriver{}, redis.ClusterDriver{})
	properties := map[string]any{
		"sentinels":              []string{"127.0.0.1:26379"},
		"service":                "mymaster",
		"sentinels_cnx_timeout":  0.1,
		"sentinels_read_timeout": 1,
	}
	fmt.Println(r.Check("Redis", properties))

	properties["sentinels_write_timeoute"] = 1
	fmt.Println(r.Check("Redis", properties))

	c, _ := r.ParseURL("redis+sentinel://a:26379,b:26379/mymaster?wait_replicas=1")
	fmt.Println(c.Class, r.Check(c.Class, c.Properties))
	// Output:
	// <nil>
	// session: class Redis: property "sentinels_write_timeoute" is unknown: did you mean "sentinels_write_timeout"?
	// RedisSentinel <nil>
}
