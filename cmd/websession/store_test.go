package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/websession/websession/session"
)

// choose answers the store that a command line chooses in an environment.
func choose(t *testing.T, env environment, args ...string) (session.Config, error) {
	t.Helper()
	var f storeFlags
	cmd := &cobra.Command{Use: "test"}
	f.register(cmd, env)
	require.NoError(t, cmd.ParseFlags(args))
	return f.config()
}

func TestStoreFlags(t *testing.T) {
	dir := t.TempDir()
	conf := filepath.Join(dir, "conf.json")
	require.NoError(t, os.WriteFile(conf, []byte(`{"WebSessionClass": "File", "WebSessionProperties": {"Directory": "/a", "durability": "full"}}`), 0o600))
	noClass := filepath.Join(dir, "noclass.yaml")
	require.NoError(t, os.WriteFile(noClass, []byte("WebSessionProperties:\n  Directory: /a\n"), 0o600))

	type props = map[string]any
	for name, c := range map[string]struct {
		args  []string
		class string
		props props
	}{
		"nothing":                             {nil, "", props{}},
		"a class":                             {[]string{"--class", "File"}, "File", props{}},
		"properties":                          {[]string{"--prop", "a=1", "--prop", "b=x=y,z", "--prop", "c="}, "", props{"a": "1", "b": "x=y,z", "c": ""}},
		"a list":                              {[]string{"--prop", "a=1", "--prop", "a=2"}, "", props{"a": []string{"1", "2"}}},
		"a URL":                               {[]string{"--url", "file:///a?durability=none"}, "File", props{"Directory": "/a", "durability": "none"}},
		"a URL and a property":                {[]string{"--url", "file:///a", "--prop", "Directory=/b"}, "File", props{"Directory": "/b"}},
		"a file":                              {[]string{"--config", conf}, "File", props{"Directory": "/a", "durability": "full"}},
		"a flag before the file":              {[]string{"--config", conf, "--prop", "Directory=/b"}, "File", props{"Directory": "/b", "durability": "full"}},
		"a flag adds to the file":             {[]string{"--config", conf, "--prop", "more=1"}, "File", props{"Directory": "/a", "durability": "full", "more": "1"}},
		"the class of the file again":         {[]string{"--config", conf, "--class", "File"}, "File", props{"Directory": "/a", "durability": "full"}},
		"another class replaces the file":     {[]string{"--config", conf, "--class", "Memory", "--prop", "name=x"}, "Memory", props{"name": "x"}},
		"a URL of the class before the file":  {[]string{"--config", conf, "--url", "file:///b"}, "File", props{"Directory": "/b", "durability": "full"}},
		"a URL of another class replaces it":  {[]string{"--config", conf, "--url", "memory:?name=x"}, "Memory", props{"name": "x"}},
		"a class for a file that names none":  {[]string{"--config", noClass, "--class", "File"}, "File", props{"Directory": "/a"}},
		"a file without class, and no class ": {[]string{"--config", noClass}, "", props{"Directory": "/a"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := choose(t, nil, c.args...)
			require.NoError(t, err)
			assert.Equal(t, c.class, got.Class)
			assert.Equal(t, c.props, got.Properties)
		})
	}
}

func TestConfigFile(t *testing.T) {
	type props = map[string]any
	for _, c := range []struct {
		name, content string
		want          props // of class File
		fault         string
	}{
		{"a.json", `{"WebSessionClass": "File", "WebSessionProperties": {"Directory": "/a"}}`, props{"Directory": "/a"}, ""},
		{"tabs.json", "{\n\t\"WebSessionClass\":\t\"File\"}\n", nil, ""},
		{"a.yaml", "# sessions\nWebSessionClass: File\nWebSessionProperties:\n  Directory: /a\n", props{"Directory": "/a"}, ""},
		{"list.yml", "WebSessionClass: File\nWebSessionProperties: {a: [x, y]}\n", props{"a": []any{"x", "y"}}, ""},
		{"brace", ` {"WebSessionClass": "File"}`, nil, ""},
		{"plain", "WebSessionClass: File\n", nil, ""},
		{"unknown.json", `{"WebSessionClass": "File", "More": 1}`, nil, `unknown field "More"`},
		{"unknown.yaml", "WebSessionClass: File\nMore: 1\n", nil, "field More not found"},
		{"twice.yaml", "WebSessionClass: File\nWebSessionClass: File\n", nil, "already"},
		{"rest.json", `{"WebSessionClass": "File"} {}`, nil, "something follows"},
		{"rest.yaml", "WebSessionClass: File\n---\nmore: 1\n", nil, "something follows"},
		{"type.json", `{"WebSessionClass": 1}`, nil, "cannot unmarshal"},
		{"broken.json", `{"WebSessionClass": `, nil, "unexpected EOF"},
		{"broken.yaml", "WebSessionClass: [\n", nil, "yaml"},
		{"list.json", `[]`, nil, "cannot unmarshal"},
		{"empty.yaml", "\n", nil, "it is empty"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), c.name)
			require.NoError(t, os.WriteFile(path, []byte(c.content), 0o600))
			got, err := readConfig(path)
			if c.fault != "" {
				require.ErrorContains(t, err, c.fault)
				assert.ErrorContains(t, err, c.name)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, "File", got.Class)
			assert.Equal(t, c.want, got.Properties)
		})
	}

	large := filepath.Join(t.TempDir(), "large.json")
	require.NoError(t, os.WriteFile(large, make([]byte, maxConfig+1), 0o600))
	_, err := readConfig(large)
	assert.ErrorContains(t, err, "more than 1048576 bytes")
}
