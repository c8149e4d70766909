package file

import (
	"context"
	"net/url"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/websession/websession/session/driver"
)

func TestConfigure(t *testing.T) {
	for _, c := range []struct {
		props map[string]any
		want  string // "": no fault
	}{
		{map[string]any{"Directory": "/x"}, ""},
		{map[string]any{"Directory": "/x", "LockDirectory": "/y", "durability": "full"}, ""},
		{map[string]any{}, `property "Directory" is missing`},
		{map[string]any{"Directory": ""}, `property "Directory" is missing`},
		{map[string]any{"Directory": "/x\x00y"}, "zero byte"},
		{map[string]any{"Directory": "/x", "durability": "some"}, "none, file, full"},
		{map[string]any{"directory": "/x"}, `did you mean "Directory"?`},
		{map[string]any{"Directory": []int{1}, "durability": 1, "x": 1}, `must be a text; property "durability"`},
	} {
		d := driver.NewDecoder("File", c.props)
		if _, err := (Driver{}).Configure(d); err != nil {
			t.Errorf("%v: %v", c.props, err)
		}
		err := d.Err()
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%v: got %v, want %q", c.props, err, c.want)
		}
	}
}

func TestParseURL(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"file:///var/lib/app", "/var/lib/app"},
		{"file://localhost/var/lib/app", "/var/lib/app"},
		{"file:/var/lib/app", "/var/lib/app"},
		{"file:///a%20b%23c?durability=full", "/a b#c"},
		{"file://", ""},
		{"file:relative", ""},
		{"file://host/secret", ""},
		{"file://user:secret@localhost/x", ""},
		{"file://localhost:80/x", ""},
		{"file:///x#secret", ""},
	} {
		u, err := url.Parse(c.in)
		if err != nil {
			t.Fatal(err)
		}
		props, err := (Driver{}).ParseURL(u)
		if c.want == "" {
			if err == nil {
				t.Errorf("%s: got %v, want an error", c.in, props)
			} else if strings.Contains(err.Error(), "secret") {
				t.Errorf("%s: the error quotes it: %v", c.in, err)
			}
			continue
		}
		if err != nil || !reflect.DeepEqual(props, map[string]any{"Directory": c.want}) {
			t.Errorf("%s: got %v, %v", c.in, props, err)
		}
	}
}

func TestFolderOfURL(t *testing.T) {
	for _, c := range []struct{ path, system, want string }{
		{"/var/lib", "linux", "/var/lib"},
		{"/C:/x", "linux", "/C:/x"},
		{"/C:/x", "windows", "C:/x"},
		{"/C:", "windows", "C:"},
		{"/var/lib", "windows", "/var/lib"},
		{"/", "windows", "/"},
	} {
		if got := folderOf(c.path, c.system); got != c.want {
			t.Errorf("%s on %s: got %q, want %q", c.path, c.system, got, c.want)
		}
	}
}

// The door that the framework uses: registered, configured, opened.
func TestOpenByClass(t *testing.T) {
	var found driver.Driver
	for _, d := range driver.Registered() {
		if d.Class().Name == "File" {
			found = d
		}
	}
	if found == nil {
		t.Fatal("class File is not registered")
	}
	dir := filepath.Join(t.TempDir(), "s")
	c, err := found.Configure(driver.NewDecoder("File", map[string]any{"Directory": dir, "durability": "none"}))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // each store is independent of the others
		s, err := c.Open(context.Background(), driver.OpenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		info, err := s.(driver.Pinger).Ping(context.Background())
		if err == nil && runtime.GOOS == "linux" && info.Facts["file system"] == "" {
			t.Errorf("ping: %+v: what does it lie on?", info)
		}
		delete(info.Facts, "file system")
		if err != nil || info.Server != "file system" || len(info.Warnings) > 0 ||
			!reflect.DeepEqual(info.Facts, map[string]string{"directory": dir, "durability": "none"}) {
			t.Fatalf("ping: %+v, %v", info, err)
		}
	}
	c, _ = found.Configure(driver.NewDecoder("File", map[string]any{"Directory": filepath.Join(dir, "no", "where")}))
	if s, err := c.Open(context.Background(), driver.OpenOptions{}); err == nil || s != nil {
		t.Fatalf("got %v, %v", s, err)
	}
}
