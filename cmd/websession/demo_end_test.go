package main

import (
	"bufio"
	"bytes"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A signal ends the command: requests under way are served, the exit code is 0,
// and the temporary folder goes. A folder that was given stays.
func TestDemoEndsBySignal(t *testing.T) {
	if testing.Short() {
		t.Skip("left out by -short: builds the command")
	}
	binary := filepath.Join(t.TempDir(), "websession")
	out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput()
	require.NoError(t, err, "%s", out)

	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		for _, given := range []bool{false, true} {
			temp, folder := t.TempDir(), filepath.Join(t.TempDir(), "sessions")
			args := []string{"demo", "--listen", "127.0.0.1:0"}
			if given {
				args = append(args, "--prop", "Directory="+folder)
			}
			cmd := exec.Command(binary, args...)
			cmd.Env = append(os.Environ(), "TMPDIR="+temp)
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			stdout, err := cmd.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, cmd.Start())
			line, err := bufio.NewReader(stdout).ReadString('\n')
			require.NoError(t, err)

			d := &aDemo{t: t, url: strings.TrimSpace(line), client: &http.Client{
				Transport:     &http.Transport{},
				CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			}}
			v := d.login("Ada")
			made, err := os.ReadDir(temp)
			require.NoError(t, err)
			assert.Equal(t, !given, len(made) == 1, "a temporary folder")

			slow := make(chan answer, 1)
			go func() { slow <- v.send("/set", "key", "a", "value", "b", "delay", "10s") }()
			time.Sleep(time.Second) // so that it is under way
			began := time.Now()
			require.NoError(t, cmd.Process.Signal(signal))
			assert.Equal(t, http.StatusSeeOther, (<-slow).status, "the slow request is served")
			assert.NoError(t, cmd.Wait(), "%v: %s", signal, stderr.String())
			assert.Less(t, time.Since(began), 4*time.Second)
			assert.Empty(t, stderr.String())
			d.client.CloseIdleConnections()

			left, err := os.ReadDir(temp)
			require.NoError(t, err)
			assert.Empty(t, left, "the temporary folder stays")
			_, err = os.Stat(folder)
			assert.Equal(t, given, err == nil, "the folder that was given")
		}
	}
}

// Sessions in a folder that was given are there when the demo starts again.
func TestDemoKeepsAFolderThatWasGiven(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "sessions")
	first := startDemo(t, "--url", "file://"+folder)
	v := first.login("Ada")
	require.Equal(t, exitOK, first.end())
	second := startDemo(t, "--class", "File", "--prop", "Directory="+folder)
	v.demo = second
	assert.Equal(t, "Ada", v.session().User)
}
