package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/websession/websession/session"
	"github.com/websession/websession/session/driver"
)

// classesOf runs classes --json.
func classesOf(t *testing.T, args ...string) []classInfo {
	t.Helper()
	code, stdout, stderr := execute(t, append([]string{"classes", "--json"}, args...)...)
	require.Equal(t, exitOK, code, stderr)
	require.Empty(t, stderr)
	var got struct {
		Classes []struct {
			classInfo
			Capabilities map[string]session.Support `json:"capabilities"`
		} `json:"classes"`
	}
	dec := json.NewDecoder(strings.NewReader(stdout))
	dec.DisallowUnknownFields()
	require.NoError(t, dec.Decode(&got))
	var infos []classInfo
	for _, c := range got.Classes {
		for _, name := range []string{"touch", "list", "find", "purge", "ping"} {
			if support := c.Capabilities[name]; support != "" {
				c.classInfo.Capabilities = append(c.classInfo.Capabilities, session.Capability{Name: name, Support: support})
			}
		}
		infos = append(infos, c.classInfo)
	}
	return infos
}

func find(t *testing.T, infos []classInfo, class string) classInfo {
	t.Helper()
	i := slices.IndexFunc(infos, func(info classInfo) bool { return info.Class == class })
	require.GreaterOrEqual(t, i, 0)
	return infos[i]
}

// Every class is there, and says what it can do unless it needs a server.
func TestClassesHasAllClasses(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	infos := classesOf(t)
	assert.Len(t, infos, len(driver.Registered()))
	for _, info := range infos {
		assert.NotNil(t, info.Aliases, info.Class)
		assert.NotNil(t, info.Schemes, info.Class)
		assert.NotNil(t, info.Properties, info.Class)
		if _, ok := scratchable[info.Class]; ok {
			assert.Len(t, info.Capabilities, 5, info.Note)
			assert.Equal(t, temporaryStore, info.Store)
		} else {
			assert.Nil(t, info.Capabilities)
			assert.Equal(t, "needs a server", info.Note)
		}
	}
	left, err := os.ReadDir(temp)
	require.NoError(t, err)
	assert.Empty(t, left)

	file := find(t, infos, "File")
	assert.Equal(t, "github.com/websession/websession/file", file.Package)
	assert.Equal(t, property{"Directory", "string", "", true, "the folder that keeps the sessions"}, file.Properties[0])
	assert.Equal(t, session.Emulated, file.Capabilities.of("touch"))
	assert.Equal(t, session.Native, find(t, infos, "Memory").Capabilities.of("touch"))
}

func TestClassesForPeople(t *testing.T) {
	code, stdout, stderr := execute(t, "classes")
	require.Equal(t, exitOK, code, stderr)
	for _, want := range []string{
		`(?m)^CLASS +ALIASES +URL +TOUCH +LIST +FIND +PURGE +PING$`,
		`(?m)^File +- +file: +emulated +native +(native|emulated) +native +native$`,
		`(?m)^  Directory +string +required +the folder`,
		`(?m)^  durability +none\|file\|full +file +what is synced`,
		`(?m)^  Accepted and without effect: LockDirectory$`,
		`(?m)^  name +string +- +stores of the same name`,
	} {
		assert.Regexp(t, want, stdout)
	}
	code, stdout, stderr = execute(t, "classes", "File")
	require.Equal(t, exitOK, code, stderr)
	assert.NotContains(t, stdout, "Memory")
	assert.Regexp(t, `(?m)^  LockDirectory +ignored +- +locks lie in`, stdout)
}

// The store that is configured is opened; of a class that was not asked for it
// is not.
func TestClassesOpensTheConfiguredStore(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "sessions")
	url := "file://" + dir
	assert.Equal(t, temporaryStore, find(t, classesOf(t, "Memory", "--url", url), "Memory").Store)
	assert.NoDirExists(t, dir)

	infos := classesOf(t, "--url", url)
	assert.DirExists(t, dir)
	assert.Equal(t, configuredStore, find(t, infos, "File").Store)
	assert.Equal(t, temporaryStore, find(t, infos, "Memory").Store)
	_, stdout, _ := execute(t, "classes", "File", "--url", url)
	assert.Contains(t, stdout, "Of class File this is what the store that is configured says.")
}

// The table is printed even if the store is not to be had.
func TestClassesPrintsInSpiteOfTheStore(t *testing.T) {
	for args, want := range map[string]struct {
		code int
		says string
	}{
		"--class File --prop Directory=/none/none": {exitWrong, "open (File)"},
		"--class File":                  {exitUsage, `"Directory" is missing`},
		"File --class Nothing":          {exitUsage, `unknown class "Nothing"`},
		"--class Memory --prop other=1": {exitUsage, `"other" is unknown`},
	} {
		code, stdout, stderr := execute(t, append([]string{"classes"}, strings.Fields(args)...)...)
		assert.Equal(t, want.code, code, args)
		assert.Contains(t, stderr, want.says)
		assert.Regexp(t, `(?m)^  durability +none\|file\|full`, stdout, args)
	}
	code, stdout, _ := execute(t, "classes", "--class", "File", "--prop", "Directory=/none/none")
	assert.Equal(t, exitWrong, code)
	assert.Regexp(t, `(?m)^File +- +file: +the store that is configured cannot be opened$`, stdout)
}

func TestSurveyOfAClassWithEverything(t *testing.T) {
	s := survey{[]classInfo{
		{Class: "Redis", Schemes: []string{"redis", "rediss"}, Note: "needs a server", Properties: []property{{"password", "secret", "", false, "of the user"}}},
		{Class: "PostgreSQL", Aliases: []string{"Postgres", "Pg"}},
	}}
	var b bytes.Buffer
	require.NoError(t, s.write(&b, false))
	assert.Regexp(t, `(?m)^Redis +- +redis:, rediss: +needs a server$`, b.String())
	assert.Regexp(t, `(?m)^PostgreSQL +Postgres, Pg +-`, b.String())
	assert.Regexp(t, `(?m)^  password +secret +- +of the user$`, b.String())
	assert.Contains(t, b.String(), "  (none)\n")
}
