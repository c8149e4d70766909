package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/websession/websession/session"
)

// report is checkReport as scripts read it.
type report struct {
	Class, Server string
	Guarantee     string
	OK            bool
	Facts         map[string]string
	Warnings      []string
	Capabilities  map[string]session.Support
	Operations    []checkResult
}

// checkJSON runs check --json.
func checkJSON(t *testing.T, want int, args ...string) (r report, stderr string) {
	t.Helper()
	code, stdout, stderr := execute(t, append([]string{"check", "--json"}, args...)...)
	require.Equal(t, want, code, stderr)
	assert.Equal(t, 1, strings.Count(stdout, "\n"))
	dec := json.NewDecoder(strings.NewReader(stdout))
	dec.DisallowUnknownFields()
	require.NoError(t, dec.Decode(&r), stdout)
	assert.Equal(t, code == exitOK, r.OK)
	assert.NotNil(t, r.Facts)
	assert.NotNil(t, r.Warnings)
	return r, stderr
}

// results answers what came of the operations, by name.
func (r report) results() map[string]string {
	m := make(map[string]string)
	for _, o := range r.Operations {
		m[o.Name] = o.Result
	}
	return m
}

// allOperations are those of a check that ends well.
var allOperations = []string{"open", "ping", "create", "load", "save", "touch", "merge", "update", "find", "list", "renew", "destroy", "save after destroy", "close"}

func TestCheck(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "sessions")
	for class, args := range map[string][]string{
		"File":   {"--class", "File", "--prop", "Directory=" + dir},
		"Memory": {"--url", "memory:"},
	} {
		t.Run(class, func(t *testing.T) {
			r, stderr := checkJSON(t, exitOK, args...)
			assert.Empty(t, stderr)
			assert.Equal(t, class, r.Class)
			assert.NotEmpty(t, r.Server)
			assert.NotEmpty(t, r.Guarantee)
			assert.Len(t, r.Capabilities, 5)
			var names []string
			for _, o := range r.Operations {
				names = append(names, o.Name)
				assert.Equal(t, resultOK, o.Result, o)
				assert.Positive(t, o.Milliseconds, o.Name)
			}
			assert.Equal(t, allOperations, names)

			code, stdout, stderr := execute(t, append([]string{"check"}, args...)...)
			assert.Equal(t, exitOK, code)
			assert.Empty(t, stderr)
			assert.Regexp(t, `(?m)^class +`+class+`$`, stdout)
			for _, name := range allOperations {
				assert.Regexp(t, `(?m)^`+name+` +\d+\.\d{3} ms +ok`, stdout)
			}
			assert.True(t, strings.HasSuffix(stdout, "\nThe store works.\n"), stdout)
		})
	}
	assertNoSessions(t, dir)
}

// assertNoSessions fails if there is a record in a folder.
func assertNoSessions(t *testing.T, dir string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() && !strings.Contains(path, "/.locks/") {
			t.Errorf("%s stays", path)
		}
		return err
	}))
	for s, err := range open(t, dir).All(t.Context()) {
		require.NoError(t, err)
		t.Errorf("%v stays", s)
	}
}

// open opens the store in a folder, until the end of the test.
func open(t *testing.T, dir string) *session.Manager {
	t.Helper()
	m, err := session.Open(t.Context(), "File", map[string]any{"Directory": dir}, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	return m
}

// A session that is there stays as it is, and is not printed.
func TestCheckLeavesOthersAlone(t *testing.T) {
	dir := t.TempDir()
	m := open(t, dir)
	s := m.NewSession()
	require.NoError(t, session.NewKey[string]("user").Set(s, "Ada"))
	require.NoError(t, s.Save(t.Context()))
	expires := s.Expires()
	for _, args := range [][]string{{}, {"--json"}, {"--purge"}} {
		code, stdout, stderr := execute(t, append([]string{"check", "--url", "file://" + dir}, args...)...)
		assert.Equal(t, exitOK, code, stderr)
		assert.NotContains(t, stdout, "Ada")
		assert.NotContains(t, stdout, s.ID().Reveal())
		assert.NotContains(t, stdout, string(s.Handle()))
	}
	n := 0
	for other, err := range m.All(t.Context()) {
		require.NoError(t, err)
		n++
		assert.Equal(t, s.Handle(), other.Handle())
		assert.Equal(t, expires, other.Expires())
	}
	assert.Equal(t, 1, n)
}

func TestCheckPurgesOnDemand(t *testing.T) {
	r, _ := checkJSON(t, exitOK, "--class", "Memory", "--purge")
	assert.Equal(t, resultOK, r.results()["purge"])
}

// A warning alone is no failure.
func TestCheckPrintsWarnings(t *testing.T) {
	code, stdout, stderr := execute(t, "check", "--class", "Memory")
	assert.Equal(t, exitOK, code, stderr)
	assert.Contains(t, stdout, "\nwarning: Sessions end with the process.\n")
}

// What is in the way of opening is reported, in both forms.
func TestCheckOfAStoreThatCannotBeOpened(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	r, stderr := checkJSON(t, exitWrong, "--url", "file://"+file)
	assert.Equal(t, map[string]string{"open": resultFailed}, r.results())
	assert.Contains(t, r.Operations[0].Remark, "open (File)")
	assert.Equal(t, "websession: the store of class File does not work: 1 of 1 operations failed\n", stderr)
	assert.Nil(t, r.Capabilities)

	_, stdout, _ := execute(t, "check", "--url", "file://"+file)
	assert.Regexp(t, `(?m)^open +.* FAILED: session: open \(File\)`, stdout)
	assert.True(t, strings.HasSuffix(stdout, "The store does not work.\n"), stdout)
}
