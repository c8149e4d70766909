package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestEnvironment(t *testing.T) {
	conf := filepath.Join(t.TempDir(), "conf.json")
	require.NoError(t, os.WriteFile(conf, []byte(`{"WebSessionClass": "File", "WebSessionProperties": {"Directory": "/conf"}}`), 0o600))
	noClass := filepath.Join(t.TempDir(), "noclass.yaml")
	require.NoError(t, os.WriteFile(noClass, []byte("WebSessionProperties:\n  durability: full\n"), 0o600))
	file := environment{"WEBSESSION_CLASS=File", "WEBSESSION_PROP_Directory=/env", "WEBSESSION_PROP_durability=none"}

	type props = map[string]any
	for name, c := range map[string]struct {
		env   environment
		args  []string
		class string
		props props
	}{
		"nothing":                        {environment{"HOME=/", "WEBSESSION_PORT=tcp://10.0.0.1:80", "WEBSESSION_CLASSES=x"}, nil, "", props{}},
		"class and properties":           {file, nil, "File", props{"Directory": "/env", "durability": "none"}},
		"a URL":                          {environment{"WEBSESSION_URL=file:///env?durability=none"}, nil, "File", props{"Directory": "/env", "durability": "none"}},
		"a property before the URL's":    {environment{"WEBSESSION_URL=file:///env", "WEBSESSION_PROP_Directory=/more"}, nil, "File", props{"Directory": "/more"}},
		"empty is not set":               {environment{"WEBSESSION_CLASS=", "WEBSESSION_URL=memory:"}, nil, "Memory", props{}},
		"a property may be empty":        {environment{"WEBSESSION_PROP_name="}, nil, "", props{"name": ""}},
		"a value with equals signs":      {environment{"WEBSESSION_PROP_x=a=b="}, nil, "", props{"x": "a=b="}},
		"names are exact":                {environment{"WEBSESSION_PROP_DIRECTORY=/a", "websession_class=File"}, nil, "", props{"DIRECTORY": "/a"}},
		"a flag before it":               {file, []string{"--prop", "Directory=/flag"}, "File", props{"Directory": "/flag", "durability": "none"}},
		"the class again":                {file, []string{"--class", "File"}, "File", props{"Directory": "/env", "durability": "none"}},
		"another class by flag":          {file, []string{"--class", "Memory"}, "Memory", props{}},
		"another class by URL":           {file, []string{"--url", "memory:?name=x"}, "Memory", props{"name": "x"}},
		"the file before it":             {file, []string{"--config", conf}, "File", props{"Directory": "/conf", "durability": "none"}},
		"a flag before both":             {file, []string{"--config", conf, "--prop", "Directory=/flag"}, "File", props{"Directory": "/flag", "durability": "none"}},
		"the file's class before it":     {environment{"WEBSESSION_URL=memory:?name=x"}, []string{"--config", conf}, "File", props{"Directory": "/conf"}},
		"a class for all three":          {file, []string{"--config", noClass, "--prop", "more=1"}, "File", props{"Directory": "/env", "durability": "full", "more": "1"}},
		"properties for the flag's":      {environment{"WEBSESSION_PROP_name=x"}, []string{"--class", "Memory"}, "Memory", props{"name": "x"}},
		"a flag's class, past the files": {environment{"WEBSESSION_URL=memory:?name=x"}, []string{"--config", conf, "--class", "Memory"}, "Memory", props{"name": "x"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := choose(t, c.env, c.args...)
			require.NoError(t, err)
			assert.Equal(t, c.class, got.Class)
			assert.Equal(t, c.props, got.Properties)
		})
	}
}

// What is wrong is said at once, and where it was said; the command line alone
// is a matter of usage.
func TestEnvironmentFaults(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		return path
	}
	broken := write("broken.json", "{")
	typo := write("typo.json", `{"WebSessionClass": "File", "WebSessionProperties": {"Directry": "/a"}}`)
	both := environment{"WEBSESSION_CLASS=File", "WEBSESSION_URL=file:///a"}

	for name, c := range map[string]struct {
		env  environment
		args string
		code int
		says []string
	}{
		"class and URL":          {both, "", exitWrong, []string{"WEBSESSION_CLASS and WEBSESSION_URL exclude each other"}},
		"class and URL by flags": {both, "--class Memory --url memory:", exitUsage, []string{"--class and --url exclude", "WEBSESSION_CLASS and WEBSESSION_URL exclude"}},
		"every door":             {both, "--prop x --config " + broken, exitUsage, []string{"--prop takes name=value", "broken.json: unexpected EOF", "WEBSESSION_CLASS and WEBSESSION_URL exclude"}},
		"file and environment":   {both, "--config " + broken, exitWrong, []string{"broken.json: unexpected EOF", "WEBSESSION_CLASS and WEBSESSION_URL exclude"}},
		"URL":                    {environment{"WEBSESSION_URL=nothing://user:secret@x"}, "", exitWrong, []string{`WEBSESSION_URL: session: no class has the URL scheme "nothing"`}},
		"no name":                {environment{"WEBSESSION_PROP_=secret"}, "", exitWrong, []string{"WEBSESSION_PROP_ names no property"}},
		"unknown class":          {environment{"WEBSESSION_CLASS=Fil"}, "", exitWrong, []string{`unknown class "Fil"`, "(see WEBSESSION_CLASS)"}},
		"case of a property":     {environment{"WEBSESSION_PROP_NAME=x"}, "--class Memory", exitWrong, []string{`property "NAME" is unknown: did you mean "name"?`, "(see WEBSESSION_PROP_NAME)"}},
		"property of a URL":      {environment{"WEBSESSION_URL=memory:?nam=x"}, "", exitWrong, []string{`did you mean "name"?`, "(see WEBSESSION_URL)"}},
		"missing, class by env":  {environment{"WEBSESSION_CLASS=File"}, "", exitWrong, []string{`"Directory" is missing`, "(see WEBSESSION_CLASS)"}},
		"missing, class by flag": {environment{"WEBSESSION_PROP_durability=full"}, "--class File", exitUsage, []string{`"Directory" is missing`}},
		"faults of two doors":    {environment{"WEBSESSION_PROP_durabilty=full"}, "--config " + typo, exitWrong, []string{`did you mean "Directory"?`, `did you mean "durability"?`, "(see " + typo + ", WEBSESSION_PROP_durabilty)"}},
		"a flag's fault alone":   {environment{"WEBSESSION_URL=memory:"}, "--prop nam=x", exitUsage, []string{`did you mean "name"?`}},
	} {
		for _, command := range []string{"check", "demo", "schema", "classes"} {
			if command == "schema" && strings.Contains(name, "missing") {
				continue // it needs no place
			}
			if command == "demo" && strings.Contains(name, "missing") {
				continue // it makes one
			}
			t.Run(command+", "+name, func(t *testing.T) {
				code, _, stderr := executeIn(t, c.env, append([]string{command}, strings.Fields(c.args)...)...)
				assert.Equal(t, c.code, code, stderr)
				for _, want := range c.says {
					assert.Contains(t, stderr, want)
				}
				assert.Equal(t, c.code == exitWrong && strings.Contains(strings.Join(c.says, ""), "(see"), strings.Contains(stderr, "(see"), stderr)
				assert.NotContains(t, stderr, "secret")
			})
		}
	}
}

// The environment chooses the store of every command, the demo included.
func TestEnvironmentChoosesTheStore(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "sessions")
	env := environment{"WEBSESSION_URL=file://" + dir}
	code, stdout, stderr := executeIn(t, env, "check")
	assert.Equal(t, exitOK, code, stderr)
	assert.Contains(t, stdout, dir)
	code, stdout, stderr = executeIn(t, env, "schema")
	assert.Equal(t, exitOK, code, stderr)
	assert.Contains(t, stdout, "class File")
	code, _, stderr = executeIn(t, environment{"WEBSESSION_CLASS=File", "WEBSESSION_PROP_Directory=/none/none"}, "demo", "--listen", "127.0.0.1:0")
	assert.Equal(t, exitWrong, code)
	assert.Contains(t, stderr, "open (File)")
}
