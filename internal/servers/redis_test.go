package servers_test

import (
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/internal/servers"
)

func TestRedis(t *testing.T) {
	skipShort(t)
	dir := emptyTemp(t)
	r := started(t, func() (*servers.Redis, error) { return servers.StartRedis(t.Context(), nil) })
	mustAnswer(t, r.Addr(), "PING", "+PONG")
	got, err := command("unix", r.Socket(), "PING")
	require.NoError(t, err)
	require.Equal(t, "+PONG", got)

	first := r.PID()
	require.NoError(t, r.Kill())
	require.False(t, r.Running())
	require.NoError(t, r.Kill(), "killing again is no error")
	_, err = command("tcp", r.Addr(), "PING")
	require.Error(t, err)
	mustBeGone(t, first)

	require.NoError(t, r.Restart(within(t, 5*time.Second)))
	require.NotEqual(t, first, r.PID())
	mustAnswer(t, r.Addr(), "PING", "+PONG")

	require.NoError(t, r.Pause())
	_, err = command("tcp", r.Addr(), "PING")
	require.ErrorContains(t, err, "timeout")
	require.NoError(t, r.Continue())
	mustAnswer(t, r.Addr(), "PING", "+PONG")

	require.NoError(t, r.Pause())
	begin, last := time.Now(), r.PID()
	require.NoError(t, r.Stop())
	require.Less(t, time.Since(begin), 3*time.Second, "a frozen server cannot end in order, and is not waited for")
	require.NoError(t, r.Stop())
	mustBeGone(t, last)
	mustBeEmpty(t, dir)
}

func TestRedisOptions(t *testing.T) {
	skipShort(t)
	r := started(t, func() (*servers.Redis, error) {
		return servers.StartRedis(t.Context(), &servers.RedisOptions{Password: `p"w \d`, Config: []string{"maxmemory 10mb", "appendonly yes"}})
	})
	mustAnswer(t, r.Addr(), "PING", "-NOAUTH Authentication required.")
	mustAnswer(t, r.Addr(), `AUTH "p\"w \\d"`, "+OK")
	files, err := filepath.Glob(filepath.Join(filepath.Dir(r.Socket()), "appendonlydir", "*"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
}

// A user of the caller's own may keep us out: the server is up nevertheless.
func TestRedisThatKeepsUsOut(t *testing.T) {
	skipShort(t)
	r := started(t, func() (*servers.Redis, error) {
		return servers.StartRedis(t.Context(), &servers.RedisOptions{Config: []string{"user default off", "user app on >secret ~* +@all"}})
	})
	mustAnswer(t, r.Addr(), "AUTH app secret", "+OK")
}

func TestRedisThatDoesNotStart(t *testing.T) {
	dir := emptyTemp(t)
	if _, err := exec.LookPath("redis-server"); err != nil || testing.Short() {
		t.Skip("left out with -short: starts real servers")
	}
	begin := time.Now()
	_, err := servers.StartRedis(t.Context(), &servers.RedisOptions{Config: []string{"no-such-setting 1"}})
	require.ErrorContains(t, err, "ended by itself")
	require.ErrorContains(t, err, "no-such-setting", "its log says why")
	require.Less(t, time.Since(begin), 5*time.Second)
	mustBeEmpty(t, dir)
}
