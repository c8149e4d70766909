package servers_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/websession/websession/internal/servers"
)

// A master is killed, a replica takes its place, and the old one comes back.
func ExampleStartSentinel() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	s, err := servers.StartSentinel(ctx, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer s.Stop()
	old, err := s.Master(ctx)
	if err != nil {
		log.Fatal(err)
	}
	if err := old.Kill(); err != nil {
		log.Fatal(err)
	}
	master, err := s.AwaitMaster(ctx, old)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("the master is now", master.Addr())
	if err := s.Heal(ctx); err != nil {
		log.Fatal(err)
	}
}
