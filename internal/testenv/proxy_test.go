package testenv

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

func clientAt(t *testing.T, addr string) *redis.Client {
	t.Helper()
	c := redis.NewClient(&redis.Options{Addr: addr, MaxRetries: -1, ContextTimeoutEnabled: true})
	t.Cleanup(func() { c.Close() })
	return c
}

func TestToxicProxy(t *testing.T) {
	place := Redis(t)
	p := Proxy(t, place.Addrs[0])
	c := clientAt(t, p.Addr())
	require.NoError(t, c.Ping(t.Context()).Err())

	require.NoError(t, p.Add(Toxic{Type: "latency", Attributes: map[string]any{"latency": 200}}))
	begin := time.Now()
	require.NoError(t, c.Ping(t.Context()).Err())
	require.GreaterOrEqual(t, time.Since(begin), 200*time.Millisecond)
	require.NoError(t, p.Remove("latency_downstream"))

	require.NoError(t, p.Add(Toxic{Name: "mute", Type: "timeout", Attributes: map[string]any{"timeout": 0}}))
	short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	err := c.Ping(short).Err()
	require.True(t, errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded), "%v", err)
	p.Clear()
	require.Eventually(t, func() bool { return c.Ping(t.Context()).Err() == nil }, 5*time.Second, 10*time.Millisecond)

	blocked := make(chan error, 1)
	go func() { blocked <- c.BLPop(t.Context(), time.Minute, place.Prefix+"list").Err() }()
	require.Eventually(t, func() bool {
		clients, err := c.ClientList(t.Context()).Result()
		return err == nil && bytes.Contains([]byte(clients), []byte("cmd=blpop"))
	}, 5*time.Second, 10*time.Millisecond)
	require.NoError(t, p.Cut())
	require.Error(t, <-blocked)
	require.Eventually(t, func() bool { return c.Ping(t.Context()).Err() == nil }, 5*time.Second, 10*time.Millisecond)

	p.Down()
	_, err = net.Dial("tcp", p.Addr())
	require.ErrorContains(t, err, "connection refused")
	require.NoError(t, p.Up())
	require.NoError(t, clientAt(t, p.Addr()).Ping(t.Context()).Err())
	require.Error(t, p.Add(Toxic{Type: "no such"}))
	require.Error(t, p.Remove("no such"))
}

// What loses its answer was executed, once, and nothing else is hit.
func TestDroppingProxy(t *testing.T) {
	place := Redis(t)
	p := DropProxy(t, place.Addrs[0])
	c := clientAt(t, p.Addr())
	key := place.Prefix + "n"
	require.NoError(t, c.Incr(t.Context(), key).Err())

	p.Drop(2, func(request []byte) bool { return bytes.Contains(bytes.ToLower(request), []byte("incr")) })
	require.Error(t, c.Incr(t.Context(), key).Err())
	require.Equal(t, "2", c.Get(t.Context(), key).Val(), "requests that do not match keep their answers")
	require.Error(t, c.Incr(t.Context(), key).Err())
	require.NoError(t, c.Incr(t.Context(), key).Err())
	require.Equal(t, "4", c.Get(t.Context(), key).Val())
	require.Equal(t, 2, p.Dropped())

	p.Drop(1, nil)
	require.Error(t, c.Ping(t.Context()).Err())
	require.NoError(t, c.Ping(t.Context()).Err())
	require.Equal(t, 3, p.Dropped())

	p.Drop(5, nil)
	p.Drop(0, nil)
	require.NoError(t, c.Ping(t.Context()).Err())
	p.Cut()
	require.Eventually(t, func() bool { return c.Ping(t.Context()).Err() == nil }, 5*time.Second, 10*time.Millisecond)

	// By default go-redis sends the command again: twice executed, once answered.
	again := redis.NewClient(&redis.Options{Addr: p.Addr()})
	defer again.Close()
	require.NoError(t, again.Ping(t.Context()).Err())
	p.Drop(1, func(request []byte) bool { return bytes.Contains(bytes.ToLower(request), []byte("incr")) })
	require.EqualValues(t, 6, again.Incr(t.Context(), key).Val())
}
