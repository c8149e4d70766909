package main

import (
	"bytes"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// execute runs a command that ends by itself, without an environment.
func execute(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	return executeIn(t, nil, args...)
}

// executeIn is execute in an environment.
func executeIn(t *testing.T, env environment, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), args, env, &out, &errs)
	return code, out.String(), errs.String()
}

func TestExitCodes(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	unknownKey := filepath.Join(dir, "unknown.json")
	require.NoError(t, os.WriteFile(unknownKey, []byte(`{"WebSessionClas": "File"}`), 0o600))
	badProps := filepath.Join(dir, "bad.yaml")
	require.NoError(t, os.WriteFile(badProps, []byte("WebSessionClass: File\nWebSessionProperties: {Directry: /tmp}\n"), 0o600))

	for _, c := range []struct {
		args string
		code int
		says string
	}{
		{"", exitUsage, "a command is missing: check, classes, demo, schema"},
		{"dmo", exitUsage, `unknown command "dmo": did you mean "demo"?`},
		{"nothing at all", exitUsage, `unknown command "nothing"`},
		{"help nothing", exitUsage, `unknown command "nothing"`},
		{"--nothing", exitUsage, "unknown flag: --nothing"},
		{"demo --nothing", exitUsage, "unknown flag: --nothing"},
		{"demo more", exitUsage, `unexpected argument "more"`},
		{"demo --servers", exitUsage, "flag needs an argument"},
		{"demo --servers x", exitUsage, `invalid argument "x"`},
		{"demo --servers 0", exitUsage, "0 servers: choose 1 to 16"},
		{"demo --servers 17", exitUsage, "17 servers: choose 1 to 16"},
		{"demo --listen=", exitUsage, "--listen is empty"},
		{"demo --listen here", exitUsage, "malformed"},
		{"demo --listen :8080", exitUsage, "listens on loopback only"},
		{"demo --listen 0.0.0.0:8080", exitUsage, "listens on loopback only"},
		{"demo --listen [::]:8080", exitUsage, "listens on loopback only"},
		{"demo --listen example.com:8080", exitUsage, "listens on loopback only"},
		{"demo --listen 192.0.2.1:8080", exitUsage, "listens on loopback only"},
		{"demo --class=", exitUsage, "--class is empty"},
		{"demo --config=", exitUsage, "--config is empty"},
		{"demo --class Nothing", exitUsage, `unknown class "Nothing"`},
		{"demo --class Memory --url memory:", exitUsage, "--class and --url exclude each other"},
		{"demo --url nothing://x", exitUsage, `no class has the URL scheme "nothing"`},
		{"demo --url ::", exitUsage, "malformed"},
		{"demo --prop Directory", exitUsage, "--prop takes name=value"},
		{"demo --prop =x", exitUsage, "--prop takes name=value"},
		{"demo --prop Directry=x", exitUsage, `did you mean "Directory"?`},
		{"demo --class Memory --prop Directory=x", exitUsage, `property "Directory" is unknown`},
		{"demo --config " + dir + "/none.json", exitWrong, "none.json: no such file"},
		{"demo --config " + dir, exitWrong, "is a directory"},
		{"demo --config " + file, exitWrong, "it is empty"},
		{"demo --config " + unknownKey, exitWrong, "WebSessionClas"},
		{"demo --config " + badProps, exitWrong, `did you mean "Directory"?`},
		{"demo --listen " + taken.Addr().String(), exitWrong, "address already in use"},
		{"demo --listen 127.0.0.1:0 --prop Directory=" + dir + "/none/none", exitWrong, "no such file"},
		{"demo --listen 127.0.0.1:0 --prop Directory=" + file, exitWrong, "open (File)"},
		{"demo --listen 127.0.0.1:0 --url file://" + file, exitWrong, "open (File)"},
		{"check", exitUsage, "no store is chosen: use --class, --url, --config, WEBSESSION_CLASS or WEBSESSION_URL"},
		{"check more", exitUsage, `unexpected argument "more"`},
		{"check --class Memory --timeout 0s", exitUsage, "--timeout is 0s: it must be positive"},
		{"check --class Memory --timeout soon", exitUsage, `invalid argument "soon"`},
		{"check --class Nothing", exitUsage, `unknown class "Nothing"`},
		{"check --class File", exitUsage, `property "Directory" is missing`},
		{"check --config " + dir + "/none.json", exitWrong, "none.json: no such file"},
		{"check --config " + dir + "/none.json --prop x --class=", exitUsage, "--class is empty"},
		{"classes File Memory", exitUsage, `unexpected argument "Memory"`},
		{"classes Nothing", exitUsage, `unknown class "Nothing": known are `},
		{"classes --prop name=x", exitUsage, "--prop belongs to a store, and none is chosen"},
		{"schema", exitUsage, "no store is chosen"},
		{"schema more", exitUsage, `unexpected argument "more"`},
		{"schema --class Memory --prop nam=x", exitUsage, `did you mean "name"?`},
		{"schema --class File --prop durability=x", exitUsage, "must be one of none, file, full"},
		{"properties more", exitUsage, `unexpected argument "more"`},
		{"help", exitOK, ""},
		{"--help", exitOK, ""},
		{"help demo", exitOK, ""},
		{"demo --help", exitOK, ""},
		{"check --help", exitOK, ""},
		{"classes --help", exitOK, ""},
		{"schema --help", exitOK, ""},
	} {
		t.Run(c.args, func(t *testing.T) {
			t.Setenv("TMPDIR", t.TempDir())
			code, stdout, stderr := execute(t, strings.Fields(c.args)...)
			assert.Equal(t, c.code, code, stderr)
			assert.Contains(t, stderr, c.says)
			if code == exitOK {
				assert.Contains(t, stdout, "Usage:")
				assert.Empty(t, stderr)
				return
			}
			assert.Empty(t, stdout)
			assert.True(t, strings.HasPrefix(stderr, "websession: "), stderr)
			assert.Equal(t, 1, strings.Count(stderr, "websession: "), stderr)
			assert.Equal(t, code == exitUsage, strings.Contains(stderr, "--help\" for help."), stderr)
			left, err := os.ReadDir(os.Getenv("TMPDIR"))
			assert.NoError(t, err)
			assert.Empty(t, left, "a temporary folder stays")
		})
	}
}

func TestDemoPrintsJSON(t *testing.T) {
	d := startDemo(t, "--json", "--servers", "3", "--class", "Memory")
	var got demoResult
	require.NoError(t, json.Unmarshal([]byte(d.stdout.line()), &got))
	assert.Equal(t, d.url, got.URL)
	assert.Equal(t, "Memory", got.Class)
	assert.Len(t, got.Servers, 3)
	assert.Equal(t, 1, strings.Count(d.stdout.String(), "\n"))
}

func TestDemoTakesAnotherPortIfTheDefaultIsTaken(t *testing.T) {
	if taken, err := net.Listen("tcp", "127.0.0.1:8080"); err == nil {
		defer taken.Close()
	}
	d := startDemo(t, defaultPort)
	assert.NotContains(t, d.url, ":8080")
}
