package sqlite_test

import (
	"net/url"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/session/driver"
	"github.com/websession/websession/sql/sqlite"
)

func TestConfigure(t *testing.T) {
	for _, c := range []struct {
		props map[string]any
		want  string // "": no fault
	}{
		{map[string]any{"file": "/x"}, ""},
		{map[string]any{"file": "/x", "UserName": "a", "Password": "b", "table": "t", "synchronous": "normal", "busy_timeout": "0.5",
			"read_connections": 8, "group_commit": 0, "max_batch": "10"}, ""},
		{map[string]any{"file": "/x", "busy_timeout": 0}, ""},
		{map[string]any{"DataSource": "dbi:SQLite:dbname=/x"}, ""},
		{map[string]any{"DataSource": "DBI:SQLite:/x"}, ""},
		{map[string]any{"DataSource": "dbi:SQLite:database=/x;"}, ""},
		{map[string]any{}, `property "file" is missing`},
		{map[string]any{"file": ""}, `property "file" is missing`},
		{map[string]any{"file": "/x\x00y"}, "zero byte"},
		{map[string]any{"file": ":memory:"}, "class Memory"},
		{map[string]any{"DataSource": "dbi:SQLite:dbname=:memory:"}, `property "DataSource" names no file: for sessions in memory use the class Memory`},
		{map[string]any{"file": "file:/x?mode=ro"}, "a path, not a URI"},
		{map[string]any{"file": "/x", "DataSource": "dbi:SQLite:/x"}, `property "DataSource" and file exclude each other`},
		{map[string]any{"DataSource": "dbi:Pg:dbname=x"}, "must look like dbi:SQLite:dbname=/path"},
		{map[string]any{"DataSource": "dbi:SQLite:dbname=/x;mode=2"}, "without anything else"},
		{map[string]any{"DataSource": "dbi:SQLite:"}, `property "DataSource" is missing`},
		{map[string]any{"file": "/x", "synchronous": "off"}, "full, normal"},
		{map[string]any{"file": "/x", "table": "a b"}, `property "table" must be letters`},
		{map[string]any{"file": "/x", "table": "websession_meta"}, "which holds the versions"},
		{map[string]any{"file": "/x", "table": "SQLite_x"}, "must not begin with sqlite_"},
		{map[string]any{"file": "/x", "busy_timeout": "2h"}, "an hour at most"},
		{map[string]any{"file": "/x", "read_connections": 0, "max_batch": -1}, `from 1 to 64; property "max_batch"`},
		{map[string]any{"File": "/x"}, `did you mean "file"?`},
	} {
		d := driver.NewDecoder("SQLite", c.props)
		_, err := sqlite.Driver{}.Configure(d)
		require.NoError(t, err)
		if err = d.Err(); c.want == "" {
			require.NoError(t, err, c.props)
		} else {
			require.ErrorContains(t, err, c.want, c.props)
		}
	}
}

func TestParseURL(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"sqlite:///var/lib/app.db", "/var/lib/app.db"},
		{"sqlite://localhost/var/lib/app.db", "/var/lib/app.db"},
		{"sqlite:/var/lib/app.db", "/var/lib/app.db"},
		{"sqlite:///a%20b%23c?synchronous=full", "/a b#c"},
		{"sqlite://", ""},
		{"sqlite:///", ""},
		{"sqlite:relative", ""},
		{"sqlite::memory:", ""},
		{"sqlite://host/secret", ""},
		{"sqlite://user:secret@localhost/x", ""},
		{"sqlite://localhost:80/x", ""},
		{"sqlite:///x#secret", ""},
	} {
		u, err := url.Parse(c.in)
		require.NoError(t, err)
		props, err := sqlite.Driver{}.ParseURL(u)
		if c.want == "" {
			require.Error(t, err, c.in)
			require.NotContains(t, err.Error(), "secret")
			continue
		}
		require.NoError(t, err)
		require.Equal(t, map[string]any{"file": c.want}, props)
	}
}

// The door that the framework uses: registered, configured, opened.
func TestOpenByClass(t *testing.T) {
	var found driver.Driver
	for _, d := range driver.Registered() {
		if d.Class().Name == "SQLite" {
			found = d
		}
	}
	require.NotNil(t, found)
	path := fresh(t)
	c, err := found.Configure(driver.NewDecoder("SQLite", map[string]any{"DataSource": "dbi:SQLite:dbname=" + path, "table": "t", "synchronous": "normal"}))
	require.NoError(t, err)
	for range 2 { // each store is independent of the others
		var remarks []string
		s, err := c.Open(ctx, driver.OpenOptions{Indexed: []string{"user"}, Warn: func(r string) { remarks = append(remarks, r) }})
		require.NoError(t, err)
		defer s.Close()
		info, err := s.(driver.Pinger).Ping(ctx)
		require.NoError(t, err)
		require.Regexp(t, `^SQLite 3\.\d+\.\d+$`, info.Server)
		require.Regexp(t, `^\d+ bytes, \d+ of them free$`, info.Facts["size"])
		delete(info.Facts, "size")
		require.Equal(t, map[string]string{"file": path, "table": "t", "journal_mode": "wal", "synchronous": "normal"}, info.Facts)
		require.Len(t, info.Warnings, 1)
		require.Contains(t, info.Warnings[0], "a power cut may lose the last writes")
		require.Equal(t, info.Warnings, remarks)
	}
}

func TestOptions(t *testing.T) {
	path := fresh(t)
	for want, o := range map[string]sqlite.Options{
		"synchronous must be":   {Synchronous: "off"},
		"an hour at most":       {BusyTimeout: 1e13},
		"1 to 10000 writes":     {MaxBatch: -1},
		"1 to 64 connections":   {ReadConnections: 65},
		"the index field":       {Indexed: []string{"a b"}},
		"would be the same":     {Indexed: []string{"user", "USER"}},
		`the table "a\"b" must`: {Table: `a"b`},
	} {
		require.ErrorContains(t, refused(t, path, &o), want)
		_, err := os.Lstat(path)
		require.ErrorIs(t, err, os.ErrNotExist, "nothing is left behind")
	}
}

// Any name that a file can have.
func TestOddPaths(t *testing.T) {
	dir := folder(t)
	for _, name := range []string{"a b?mode=ro&x=1#y.db", "100%.db", "%41.db", "ü'\".db", "a;b.db", "-.db"} {
		s := newStore(t, dir+"/"+name, nil)
		create(t, s, record("k", "v"))
		_, err := os.Lstat(dir + "/" + name)
		require.NoError(t, err)
		mustHold(t, newStore(t, dir+"/"+name, nil), "k", "v")
	}
	t.Chdir(dir)
	create(t, newStore(t, "relative.db", nil), record("k", "v"))
	mustHold(t, newStore(t, dir+"/relative.db", nil), "k", "v")
}
