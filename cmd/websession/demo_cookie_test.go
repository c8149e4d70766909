package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// raw sends a request with header lines that net/http would not send.
func (d *aDemo) raw(method, path, header, body string) answer {
	d.t.Helper()
	host := strings.TrimPrefix(d.url, "http://")
	conn, err := net.Dial("tcp", host)
	require.NoError(d.t, err)
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	go fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n%s\r\n%s",
		method, path, host, len(body), header, body)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(d.t, err)
	defer resp.Body.Close()
	all, err := io.ReadAll(resp.Body)
	require.NoError(d.t, err)
	return answer{resp.StatusCode, resp.Header, string(all)}
}

// Whatever cookie comes, the answer is anonymous or a refusal: never a panic,
// and never another person's session.
func TestDemoBadCookies(t *testing.T) {
	d := startDemo(t)
	ada, bob := d.login("Ada"), d.login("Bob")
	adas := strings.TrimPrefix(ada.cookie, "id=")
	unknown := strings.Repeat("A", 43)
	for name, header := range map[string]string{
		"no value":              "Cookie: id=\r\n",
		"no equals sign":        "Cookie: id\r\n",
		"no name":               "Cookie: =" + adas + "\r\n",
		"empty":                 "Cookie: \r\n",
		"separators only":       "Cookie: ;;; ; =;=\r\n",
		"short":                 "Cookie: id=" + adas[:42] + "\r\n",
		"long":                  "Cookie: id=" + adas + "A\r\n",
		"other case":            "Cookie: id=" + strings.ToLower(adas) + "\r\n",
		"quoted unknown":        "Cookie: id=\"" + unknown + "\"\r\n",
		"unknown":               "Cookie: id=" + unknown + "\r\n",
		"the digest":            "Cookie: id=" + ada.session().ID + "\r\n",
		"twice the same":        "Cookie: id=" + adas + "; id=" + adas + "\r\n",
		"Ada's and Bob's":       "Cookie: " + ada.cookie + "; " + bob.cookie + "\r\n",
		"in two headers":        "Cookie: " + bob.cookie + "\r\nCookie: " + ada.cookie + "\r\n",
		"a name like it":        "Cookie: ID=" + adas + "; __Host-id=" + adas + "; idx=" + adas + "\r\n",
		"NUL":                   "Cookie: id=" + adas[:20] + "\x00" + adas[20:] + "\r\n",
		"NUL at the end":        "Cookie: id=" + adas + "\x00\r\n",
		"control characters":    "Cookie: id=\x01\x02\x7f\r\n",
		"bytes above ASCII":     "Cookie: id=\xff\xfe" + unknown + "\r\n",
		"percent NUL":           "Cookie: id=%00" + adas + "\r\n",
		"slashes":               "Cookie: id=../../../../etc/passwd\r\n",
		"an absolute path":      "Cookie: id=/etc/passwd\r\n",
		"backslashes":           "Cookie: id=..\\..\\x\r\n",
		"dots":                  "Cookie: id=..\r\n",
		"43 dots":               "Cookie: id=" + strings.Repeat(".", 43) + "\r\n",
		"43 slashes":            "Cookie: id=" + strings.Repeat("/", 43) + "\r\n",
		"the name of a folder":  "Cookie: id=.locks\r\n",
		"4 KB":                  "Cookie: id=" + strings.Repeat("A", 4096) + "\r\n",
		"60 KB":                 "Cookie: id=" + strings.Repeat("A", 60<<10) + "\r\n",
		"200 KB":                "Cookie: id=" + strings.Repeat("A", 200<<10) + "\r\n",
		"a thousand cookies":    "Cookie: " + strings.Repeat("id="+unknown+"; ", 1000) + "\r\n",
		"a line that continues": "Cookie: id=\r\n " + adas + "\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			for _, path := range []string{"/api/session", "/"} {
				a := d.raw(http.MethodGet, path, header, "")
				assert.Contains(t, []int{http.StatusOK, http.StatusBadRequest, http.StatusRequestHeaderFieldsTooLarge}, a.status, path)
				assert.Empty(t, a.header["Set-Cookie"], path)
				for _, name := range []string{"Ada", "Bob"} {
					assert.NotContains(t, a.body, name, path)
				}
				if a.status == http.StatusOK && path == "/api/session" {
					var s description
					require.NoError(t, json.Unmarshal([]byte(a.body), &s))
					assert.Equal(t, description{Server: s.Server, Attributes: map[string]any{}}, s)
				}
			}
			a := d.raw(http.MethodPost, "/set", header, "key=a&value=b")
			assert.Contains(t, []int{http.StatusForbidden, http.StatusBadRequest, http.StatusRequestHeaderFieldsTooLarge}, a.status)
			d.raw(http.MethodPost, "/logout", header, "")
			d.raw(http.MethodPost, "/logout-others", header, "")

			// A planted id is never adopted.
			a = d.raw(http.MethodPost, "/login", header, "name=Eve")
			if a.status == http.StatusSeeOther {
				eve := d.visitor()
				eve.keep(a)
				assert.Equal(t, "Eve", eve.session().User)
				assert.NotContains(t, header, strings.TrimPrefix(eve.cookie, "id="))
			}
			assert.Equal(t, "Ada", ada.session().User)
			assert.Equal(t, "Bob", bob.session().User)
		})
	}

	t.Run("foreign cookies beside a good one", func(t *testing.T) {
		a := d.raw(http.MethodGet, "/api/session", "Cookie: theme=dark; x=\"a b\"; bad name=1; "+ada.cookie+"; =; last\r\n", "")
		assert.Equal(t, http.StatusOK, a.status)
		assert.Contains(t, a.body, `"user":"Ada"`)
	})
}

// A store that goes away while the demo runs: an anonymous visitor or an error
// that says so, and the demo goes on.
func TestDemoStoreGoesAway(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "sessions")
	d := startDemo(t, "--prop", "Directory="+folder)
	ada := d.login("Ada")
	check := func(state string) {
		t.Helper()
		for _, path := range []string{"/api/session", "/"} {
			a := ada.get(path)
			assert.Contains(t, []int{http.StatusOK, http.StatusServiceUnavailable}, a.status, "%s: %s", state, path)
			assert.NotContains(t, a.body, "Ada", "%s: %s", state, path)
		}
		for _, path := range []string{"/login", "/set", "/logout", "/logout-others"} {
			a := ada.send(path, "name", "Eve", "key", "a")
			assert.Contains(t, []int{http.StatusSeeOther, http.StatusForbidden, http.StatusServiceUnavailable}, a.status, "%s: %s", state, path)
		}
	}
	require.NoError(t, os.RemoveAll(folder))
	check("the folder is missing")
	os.RemoveAll(folder)
	require.NoError(t, os.WriteFile(folder, nil, 0o600))
	check("the folder is a file")
}
