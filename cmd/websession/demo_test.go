package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// tries is how often a test of a race runs.
func tries() int {
	if os.Getenv("WEBSESSION_FULL") == "1" {
		return 1000
	}
	if testing.Short() {
		return 10
	}
	return 50
}

// aDemo is websession demo, running in this process.
type aDemo struct {
	t      testing.TB
	url    string
	client *http.Client
	stdout *text
	stderr *text
	end    func() int // idempotent; answers the exit code

	mu      sync.Mutex
	secrets []string // ids that must not be printed
}

// defaultPort stands for a command line without --listen.
const defaultPort = "default port"

// startDemo runs websession demo on a free port until the test ends, and checks
// that it ends well.
func startDemo(t testing.TB, args ...string) *aDemo {
	t.Helper()
	d := &aDemo{t: t, stdout: newText(), stderr: newText()}
	d.client = &http.Client{
		Transport:     &http.Transport{MaxIdleConnsPerHost: 32},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       20 * time.Second,
	}
	if !slices.Contains(args, defaultPort) {
		args = append([]string{"--listen", "127.0.0.1:0"}, args...)
	}
	args = slices.DeleteFunc(args, func(a string) bool { return a == defaultPort })
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, append([]string{"demo"}, args...), nil, d.stdout, d.stderr)
		d.stdout.close()
	}()
	d.end = sync.OnceValue(func() int {
		d.client.CloseIdleConnections()
		cancel()
		return <-code
	})
	t.Cleanup(func() {
		assert.Equal(t, exitOK, d.end(), "exit code")
		printed := d.stdout.String() + d.stderr.String()
		assert.NotContains(t, printed, "panic")
		for _, id := range d.secrets {
			assert.NotContains(t, printed, id, "a session id was printed")
		}
	})
	d.url = d.stdout.line()
	if slices.Contains(args, "--json") {
		var result demoResult
		require.NoError(t, json.Unmarshal([]byte(d.url), &result))
		d.url = result.URL
	}
	require.Regexp(t, `^http://127\.0\.0\.1:\d+$`, d.url, d.stderr)
	return d
}

// text is what a command prints, for a test that reads while it runs.
type text struct {
	mu    sync.Mutex
	all   bytes.Buffer
	begun chan struct{} // closed when there is a line, or nothing more to come
	once  sync.Once
}

func newText() *text { return &text{begun: make(chan struct{})} }

func (t *text) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if bytes.ContainsRune(p, '\n') {
		defer t.close()
	}
	return t.all.Write(p)
}

func (t *text) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.all.String()
}

func (t *text) close() { t.once.Do(func() { close(t.begun) }) }

// line answers the first line, "" if there is none.
func (t *text) line() string {
	<-t.begun
	first, _, _ := strings.Cut(t.String(), "\n")
	return first
}
