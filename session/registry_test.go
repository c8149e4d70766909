package session_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/session"
	"github.com/websession/websession/session/driver"
	"github.com/websession/websession/session/memory"
)

// sample is a driver with properties of every type.
type sample struct{ class driver.Class }

func (d sample) Class() driver.Class { return d.class }

func (sample) Configure(d *driver.Decoder) (driver.Connector, error) {
	d.Required("server", "host and port of the server")
	d.Secret("password", "password of the user")
	d.Int("pool_size", 10, 1, 100, "connections")
	d.Bool("ssl", false, "whether to use TLS")
	d.Duration("timeout", 0, "bound of a call")
	d.List("sentinels", "addresses")
	d.OneOf("durability", "file", []string{"none", "file", "full"}, "what survives")
	d.Ignore("Perl's", "every")
	return connectNowhere{}, nil
}

type connectNowhere struct{}

func (connectNowhere) Open(context.Context, driver.OpenOptions) (driver.Store, error) {
	return nil, errors.New("connection refused")
}

func (sample) ParseURL(u *url.URL) (map[string]any, error) {
	props := map[string]any{"server": u.Host}
	if pw, ok := u.User.Password(); ok {
		props["password"] = pw
	}
	if u.Path != "" {
		return nil, errors.New("it has a path")
	}
	return props, nil
}

var samples = session.NewRegistry(sample{driver.Class{Name: "Sample", Aliases: []string{"My::Sample"}, Schemes: []string{"sample", "samples"}}}, memory.Driver{})

func TestOpenByClass(t *testing.T) {
	m, err := samples.Open(t.Context(), "Memory", nil, nil)
	require.NoError(t, err)
	require.Equal(t, "Memory", m.Class())
	require.NoError(t, m.Close())
	m, err = samples.OpenURL(t.Context(), "memory:?name=x", nil)
	require.NoError(t, err)
	require.NoError(t, m.Close())
	m, err = session.Config{Class: "Memory"}.Open(t.Context(), nil)
	require.NoError(t, err)
	require.NoError(t, m.Close())

	_, err = samples.Open(t.Context(), "Sample", map[string]any{"server": "localhost:1"}, nil)
	require.EqualError(t, err, "session: open (Sample): connection refused")
	_, err = samples.Open(t.Context(), "My::Sample", map[string]any{"server": "localhost:1"}, nil)
	require.EqualError(t, err, "session: open (Sample): connection refused")
}

func TestUnknownClass(t *testing.T) {
	_, err := samples.Open(t.Context(), "Sampel", nil, nil)
	require.EqualError(t, err, `session: unknown class "Sampel": known are Memory, Sample`)
	_, err = samples.Open(t.Context(), "File", nil, nil)
	require.EqualError(t, err, `session: unknown class "File": known are Memory, Sample; class File is built in: `+
		`add import _ "github.com/websession/websession/file", or _ "github.com/websession/websession/backends" for all`)
	_, err = samples.OpenURL(t.Context(), "file:///tmp", nil)
	require.ErrorContains(t, err, `add import _ "github.com/websession/websession/file"`)
	_, err = samples.OpenURL(t.Context(), "nosuch://x", nil)
	require.EqualError(t, err, `session: no class has the URL scheme "nosuch": known are memory, sample, samples`)
	_, err = new(session.Registry).Open(t.Context(), "x", nil, nil)
	require.ErrorContains(t, err, "known are none")
}

func TestAllFaultsAtOnce(t *testing.T) {
	err := samples.Check("Sample", map[string]any{
		"Server": "localhost", "passwort": "hunter2", "pool_size": "many", "ssl": "maybe", "timeout": "-1",
		"durability": "max", "sentinels": []any{1, []int{2}}, "password": []string{"hunter2"}, "every": 1000,
	})
	var pe *driver.PropertyError
	require.ErrorAs(t, err, &pe)
	require.Equal(t, `session: class Sample: property "server" is missing: host and port of the server; `+
		`property "password" must be a text; `+
		`property "pool_size" is "many": it must be a whole number from 1 to 100; `+
		`property "ssl" is "maybe": it must be true or false; `+
		`property "timeout" is "-1": it must be a number of seconds ("0.1") or a duration ("100ms"), not negative; `+
		`property "sentinels" must be a list of texts; `+
		`property "durability" is "max": it must be one of none, file, full; `+
		`property "Server" is unknown: did you mean "server"?; `+
		`property "passwort" is unknown: did you mean "password"?`, err.Error())
}

func TestParseURL(t *testing.T) {
	c, err := samples.ParseURL("sample://user:hunter2@host:6379?durability=full&sentinels=a&sentinels=b")
	require.NoError(t, err)
	require.Equal(t, session.Config{Class: "Sample", Properties: map[string]any{
		"server": "host:6379", "password": "hunter2", "durability": "full", "sentinels": []string{"a", "b"}}}, c)
	for _, raw := range []string{
		"", "sample", "://", "sample://user:hunter2@host:port", "sample://user:hunter2@host/hunter2",
		"sample://user:hunter2@host#hunter2", "sample://user:hunter2@host?server=hunter2",
		"sample://user:hunter2@host?a=%zzhunter2", "memory://hunter2", "sample://user:hunter2@ho st", "hunter2:pw",
	} {
		_, err := samples.OpenURL(t.Context(), raw, nil)
		require.Error(t, err, raw)
		if raw != "hunter2:pw" {
			require.NotContains(t, err.Error(), "hunter2")
		}
	}
}

func TestConfigIsReadAsRTWritesIt(t *testing.T) {
	var c session.Config
	require.NoError(t, json.Unmarshal([]byte(`{"WebSessionClass": "Sample", "WebSessionProperties":
		{"server": "127.0.0.1:6379", "password": "hunter2", "pool_size": 5, "timeout": 0.1, "sentinels": ["a", "b"]}}`), &c))
	require.Equal(t, "Sample", c.Class)
	require.NoError(t, samples.Check(c.Class, c.Properties))
	for _, printed := range []string{fmt.Sprint(c), fmt.Sprintf("%+v", c), fmt.Sprintf("%#v", &c), c.LogValue().String()} {
		require.NotContains(t, printed, "hunter2")
	}
	require.Equal(t, "Sample(password, pool_size, sentinels, server, timeout)", c.String())
}

func TestRegisterRefuses(t *testing.T) {
	for name, d := range map[string]driver.Driver{
		"nil":             nil,
		"name is taken":   sample{driver.Class{Name: "Memory"}},
		"alias is taken":  sample{driver.Class{Name: "Other", Aliases: []string{"memory"}}},
		"scheme is taken": sample{driver.Class{Name: "Other", Schemes: []string{"memory"}}},
		"malformed name":  sample{driver.Class{Name: "a b"}},
		"no name":         sample{},
		"bad scheme":      sample{driver.Class{Name: "Other", Schemes: []string{"A:"}}},
	} {
		r := session.NewRegistry(memory.Driver{})
		require.Panics(t, func() { r.Register(d) }, name)
		require.Len(t, r.Classes(), 1)
	}
	require.Panics(t, func() { driver.Register(memory.Driver{}) }, "the package has registered it")
}

// FuzzURL parses URLs. It neither panics nor prints the password of one.
func FuzzURL(f *testing.F) {
	f.Add("sample://user:%s@host:6379?durability=full")
	f.Add("memory:?name=%s")
	f.Add("file:///%s")
	f.Add("sample://%s")
	f.Add("sample://host?password=%s&pool_size=x")
	const secret = "Kc9-canary-Zq7"
	f.Fuzz(func(t *testing.T, template string) {
		raw := strings.ReplaceAll(template, "%s", secret)
		c, err := samples.ParseURL(raw)
		if err == nil {
			err = samples.Check(c.Class, map[string]any{"password": c.Properties["password"]})
		}
		if err != nil && strings.Contains(err.Error(), secret) && !strings.Contains(template[:min(len(template), strings.IndexByte(template+":", ':'))], "%s") {
			t.Fatalf("the error of %q quotes its secret: %v", template, err)
		}
	})
}

// FuzzDecoder decodes properties. It neither panics nor prints a secret.
func FuzzDecoder(f *testing.F) {
	f.Add("server", "localhost", "pool_size", "7")
	f.Add("password", "x", "timeout", "1e309")
	f.Add("sentinels", "a,b c", "ssl", "1")
	f.Add("\xff", "", "durability", "NaN")
	const secret = "Kc9-canary-Zq7"
	f.Fuzz(func(t *testing.T, name1, value1, name2, value2 string) {
		for _, secretValue := range []any{secret, []string{secret}, map[string]any{secret: secret}} {
			props := map[string]any{name1: value1, name2: value2, "password": secretValue}
			err := samples.Check("Sample", props)
			if err != nil && strings.Contains(err.Error(), secret) {
				t.Fatalf("the error quotes the password: %v", err)
			}
		}
		var raw any
		if json.Unmarshal([]byte(value1), &raw) == nil {
			_ = samples.Check("Sample", map[string]any{name1: raw})
		}
	})
}
