package servers_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/internal/servers"
)

// TestMain lets the test binary be a program of its own that starts servers.
func TestMain(m *testing.M) {
	if os.Getenv("SERVERS_TEST_CHILD") != "" {
		if err := startAndWait(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// skipShort leaves a test out that starts real servers.
func skipShort(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("left out with -short: starts real servers")
	}
}

func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// started logs how long a start took, and stops what was started at the end.
func started[S interface{ Stop() error }](t *testing.T, start func() (S, error)) S {
	t.Helper()
	begin := time.Now()
	s, err := start()
	require.NoError(t, err)
	t.Logf("started in %.2f s", time.Since(begin).Seconds())
	t.Cleanup(func() { require.NoError(t, s.Stop()) })
	return s
}

// until polls for a condition that another process brings about.
func until(t *testing.T, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		require.True(t, time.Now().Before(end), "waited in vain")
	}
}

// command sends an inline command to Redis and answers the first line.
func command(network, addr, line string) (string, error) {
	conn, err := net.DialTimeout(network, addr, time.Second)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Second))
	if _, err := fmt.Fprintf(conn, "%s\r\n", line); err != nil {
		return "", err
	}
	answer, err := bufio.NewReader(conn).ReadString('\n')
	return strings.TrimSpace(answer), err
}

func mustAnswer(t *testing.T, addr, line, want string) {
	t.Helper()
	got, err := command("tcp", addr, line)
	require.NoError(t, err)
	require.Equal(t, want, got)
}

// mustBeGone fails if a process is there.
func mustBeGone(t *testing.T, pids ...int) {
	t.Helper()
	for _, pid := range pids {
		until(t, func() bool {
			state, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
			return errors.Is(err, os.ErrNotExist) || strings.Contains(string(state), ") Z ")
		})
	}
}

func pids(list []*servers.Server) (ids []int) {
	for _, s := range list {
		ids = append(ids, s.PID())
	}
	return ids
}

// emptyTemp makes an empty folder the one for temporary files.
func emptyTemp(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "t") // short: a path of a socket has 107 bytes at most
	require.NoError(t, err)
	require.NoError(t, os.Chmod(dir, 0o755))
	t.Cleanup(func() { os.RemoveAll(dir) })
	t.Setenv("TMPDIR", dir)
	return dir
}

func mustBeEmpty(t *testing.T, dir string) {
	t.Helper()
	left, err := filepath.Glob(filepath.Join(dir, "*"))
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestMissingProgramNamesItsPackage(t *testing.T) {
	dir := emptyTemp(t)
	servers.WithoutPrograms(t)
	ctx := t.Context()
	for _, c := range []struct {
		debianPackage string
		start         func() error
	}{
		{"redis-server", func() error { _, err := servers.StartRedis(ctx, nil); return err }},
		{"redis-server", func() error { _, err := servers.StartSentinel(ctx, nil); return err }},
		{"redis-server", func() error { _, err := servers.StartCluster(ctx, nil); return err }},
		{"postgresql", func() error { _, err := servers.StartPostgres(ctx, nil); return err }},
		{"mariadb-server-core", func() error { _, err := servers.StartMariaDB(ctx, nil); return err }},
		{"openjdk-17-jre-headless", func() error { _, err := servers.StartCassandra(ctx, nil); return err }},
		{"openjdk-17-jre-headless", func() error { _, err := servers.StartCassandraRing(ctx, nil); return err }},
	} {
		err := c.start()
		require.ErrorIs(t, err, exec.ErrNotFound)
		require.ErrorContains(t, err, "apt-get install "+c.debianPackage)
	}
	mustBeEmpty(t, dir)
}

// startAndWait is the program of TestServersEndWithTheirParent.
func startAndWait() error {
	r, err := servers.StartRedis(context.Background(), nil)
	if err != nil {
		return err
	}
	fmt.Println(r.PID())
	select {}
}

// However a program ends, its servers end with it.
func TestServersEndWithTheirParent(t *testing.T) {
	skipShort(t)
	emptyTemp(t) // the program is killed: somebody else must clean up
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "SERVERS_TEST_CHILD=1")
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	var pid int
	_, err = fmt.Fscan(out, &pid)
	require.NoError(t, err)
	require.NoError(t, cmd.Process.Kill())
	require.Error(t, cmd.Wait())
	mustBeGone(t, pid)
}
