package redis_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	goredis "github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/websession/websession/internal/testenv"
	"github.com/websession/websession/redis"
	"github.com/websession/websession/session/driver"
)

// Neither a goroutine nor a connection stays when stores are closed or did not
// open.
func TestNothingStays(t *testing.T) {
	for _, c := range classes {
		t.Run(c.driver.Class().Name, func(t *testing.T) {
			p := c.place(t)
			servers := masters(t, p)
			clients := func() (n int) {
				for _, m := range servers {
					list, err := m.ClientList(ctx).Result()
					require.NoError(t, err)
					for line := range strings.Lines(list) {
						if strings.Contains(line, "name=leak-") {
							n++
						}
					}
				}
				return n
			}
			bad := maps.Clone(p.Properties)
			p.Properties["name"] = "leak-" + p.Prefix[:len(p.Prefix)-1]
			bad["password"], bad["username"] = "wrong", "nobody"
			use := func() {
				s := open(t, c.driver, p.Properties, driver.OpenOptions{})
				errs := make(chan error)
				for i := range 40 {
					go func() { errs <- ownLife(s, fmt.Sprint("k", i)) }()
				}
				for range 40 {
					require.NoError(t, <-errs)
				}
				for range s.(driver.Scanner).Scan(ctx) {
					break
				}
				require.NoError(t, s.Close())
				refused(t, c.driver, bad)
			}
			use()
			clients()
			before := goleak.IgnoreCurrent()
			for range 3 {
				use()
			}
			until(t, "the connections are closed", func() bool { return clients() == 0 })
			require.NoError(t, goleak.Find(before))
		})
	}
}

// A store on a client of an application leaves it open, and leaves nothing
// running but what ends with the client.
func TestClientOfTheApplication(t *testing.T) {
	p := testenv.Redis(t)
	before := goleak.IgnoreCurrent()
	c := goredis.NewClient(&goredis.Options{Addr: p.Addrs[0]})
	for range 3 {
		s, err := redis.New(c, &redis.Options{Prefix: p.Prefix})
		require.NoError(t, err)
		require.NoError(t, ownLife(s, "k"))
		require.NoError(t, s.Close())
		require.NoError(t, s.Close())
		_, _, err = s.Load(ctx, "k")
		require.ErrorIs(t, err, driver.ErrClosed)
		require.NoError(t, c.Ping(ctx).Err())
	}
	require.NoError(t, c.Close())
	require.NoError(t, goleak.Find(before))
}
