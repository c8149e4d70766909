package main

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestDemoAnonymousVisitor(t *testing.T) {
	d := startDemo(t)
	v := d.visitor()
	s := v.session()
	assert.Equal(t, description{Server: s.Server, Attributes: map[string]any{}}, s)
	assert.Regexp(t, `^server-[12]$`, s.Server)

	home := v.get("/")
	assert.Equal(t, http.StatusOK, home.status)
	assert.Contains(t, home.body, `action="/login"`)
	assert.Empty(t, home.header["Set-Cookie"], "nothing is stored for a visit")
	assert.Equal(t, "no-store", home.header.Get("Cache-Control"))
	assert.Contains(t, home.header.Get("Content-Security-Policy"), "default-src 'none'")
	assert.Equal(t, "nosniff", home.header.Get("X-Content-Type-Options"))
	assert.NotContains(t, home.body, "<script")

	for _, path := range regexp.MustCompile(`/static/[^"]+`).FindAllString(home.body, -1) {
		file := v.get(path)
		assert.Equal(t, http.StatusOK, file.status, path)
		assert.Contains(t, file.header.Get("Cache-Control"), "immutable", path)
	}
	assert.Equal(t, http.StatusNotFound, v.get("/static/style.css").status)

	for _, path := range []string{"/set", "/end", "/logout-others"} {
		a := v.post(path, "key", "a", "value", "b")
		assert.Equal(t, http.StatusForbidden, a.status, path)
		assert.Contains(t, a.body, "Log in first", path)
	}
	assert.Equal(t, http.StatusSeeOther, v.post("/logout").status)
}

func TestDemoSession(t *testing.T) {
	d := startDemo(t, "--servers", "3")
	v := d.login("  Ada Lovelace ")
	assert.Equal(t, "You are logged in, under a new session id.", flash(v.get("/?done=login")))
	assert.Equal(t, "", flash(v.get("/?done=%3Cscript%3E")))

	assert.Equal(t, http.StatusSeeOther, v.post("/set", "key", "colour", "value", "green <b>").status)
	assert.Equal(t, http.StatusSeeOther, v.post("/set", "key", "empty", "value", "", "delay", "10ms").status)
	seen := make(map[string]bool)
	var id string
	for range 3 {
		s := v.session()
		seen[s.Server] = true
		assert.Equal(t, "Ada Lovelace", s.User)
		assert.Equal(t, map[string]any{"colour": "green <b>", "empty": ""}, s.Attributes)
		assert.Len(t, s.ID, 43)
		assert.True(t, id == "" || id == s.ID)
		id = s.ID
		assert.NotContains(t, v.cookie, s.ID, "the id is a digest")
		assert.WithinDuration(t, time.Now(), *s.Created, time.Minute)
		assert.WithinDuration(t, time.Now().Add(8*time.Hour), *s.Expires, time.Minute)
	}
	assert.Len(t, seen, 3, "servers that answered")
	home := v.get("/")
	assert.Contains(t, home.body, "Hello, Ada Lovelace.")
	assert.Contains(t, home.body, "green &lt;b&gt;")
	assert.NotContains(t, home.body, strings.TrimPrefix(v.cookie, "id="))
}

func TestDemoLogin(t *testing.T) {
	d := startDemo(t)
	for name, ok := range map[string]bool{
		"":                      false,
		"  ":                    false,
		"A":                     true,
		strings.Repeat("é", 64): true,
		strings.Repeat("é", 65): false,
		"Ada\nLovelace":         false,
		"Ada\x00":               false,
		"Ada\xff":               false,
		"Ada \u202eecalevoL":    false, // reads backwards
		"नमस्ते 👩\u200d💻 علی\u200cرضا": true,
		`<script>alert(1)</script>`:    true,
	} {
		v := d.visitor()
		a := v.post("/login", "name", name)
		if !ok {
			assert.Equal(t, http.StatusBadRequest, a.status, "%q", name)
			assert.Contains(t, a.body, "A name has 1 to 64 characters", "%q", name)
			assert.Empty(t, v.cookie, "%q", name)
			continue
		}
		assert.Equal(t, http.StatusSeeOther, a.status, "%q", name)
		assert.Equal(t, name, v.session().User)
		assert.NotContains(t, v.get("/").body, "<script")
	}
	a := d.visitor().post("/login")
	assert.Equal(t, http.StatusBadRequest, a.status)
}

// A login changes the id, and what one user left is not there for the next.
func TestDemoLoginAgain(t *testing.T) {
	d := startDemo(t)
	v := d.login("Ada")
	v.post("/set", "key", "colour", "value", "green")
	first := *v
	v.post("/login", "name", "Ada")
	assert.NotEqual(t, first.cookie, v.cookie)
	assert.Equal(t, "green", v.session().Attributes["colour"])
	assert.Empty(t, first.session().User, "the old id is dead")

	second := *v
	v.post("/login", "name", "Bob")
	assert.NotEqual(t, second.cookie, v.cookie)
	assert.Equal(t, "Bob", v.session().User)
	assert.Empty(t, v.session().Attributes)
	assert.Empty(t, second.session().User)
}

func TestDemoSetRefuses(t *testing.T) {
	d := startDemo(t)
	v := d.login("Ada")
	for _, c := range []struct{ key, value, delay, says string }{
		{"", "x", "", "A key has"},
		{strings.Repeat("k", 65), "x", "", "A key has"},
		{"a\x01b", "x", "", "A key has"},
		{"a\xff", "x", "", "A key has"},
		{"user", "Bob", "", "used by the demo"},
		{" user ", "Bob", "", "used by the demo"},
		{"visits", "9", "", "used by the demo"},
		{"browser", "x", "", "used by the demo"},
		{"address", "x", "", "used by the demo"},
		{"a", strings.Repeat("v", 1025), "", "A value has"},
		{"a", "\x00", "", "A value has"},
		{"a", "x", "soon", "A delay is"},
		{"a", "x", "-1s", "A delay is"},
		{"a", "x", "5", "A delay is"},
	} {
		a := v.post("/set", "key", c.key, "value", c.value, "delay", c.delay)
		assert.Equal(t, http.StatusBadRequest, a.status, "%q %q", c.key, c.delay)
		assert.Contains(t, a.body, c.says)
	}
	assert.Equal(t, http.StatusBadRequest, v.do(http.MethodPost, "/set", "key=%zz").status)
	assert.Equal(t, http.StatusBadRequest, v.do(http.MethodPost, "/set", "key=a&value="+strings.Repeat("v", 1<<20)).status)
	s := v.session()
	assert.Equal(t, "Ada", s.User)
	assert.Empty(t, s.Attributes)

	for i := range 100 {
		require.Equal(t, http.StatusSeeOther, v.post("/set", "key", fmt.Sprint("k", i), "value", strings.Repeat("é", 512)).status)
	}
	a := v.post("/set", "key", "one more", "value", "x")
	assert.Equal(t, http.StatusBadRequest, a.status)
	assert.Contains(t, a.body, "up to 100 attributes")
	assert.Equal(t, http.StatusSeeOther, v.post("/set", "key", "k0", "value", "x").status, "an old key")
	assert.Len(t, v.session().Attributes, 100)
}

func TestDemoSessionsOfAUser(t *testing.T) {
	d := startDemo(t)
	ada := d.visitor()
	ada.header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
	ada.header.Set("X-Forwarded-For", "192.0.2.7") // what a client claims does not count
	ada.post("/login", "name", "Ada")
	second, third, bob := d.login("Ada"), d.login("Ada"), d.login("Bob")
	page := ada.get("/").body
	assert.Contains(t, page, "Firefox on Linux")
	assert.Equal(t, 2, strings.Count(page, "End the session of A Go program"))
	assert.Contains(t, page, "127.0.0.1 · last used")
	assert.NotContains(t, page, "192.0.2.7")
	assert.Contains(t, page, `Your sessions <span class="count">3</span>`)

	end := func(v, other *visitor) string {
		a := v.post("/end", "handle", other.session().ID)
		require.Equal(t, http.StatusSeeOther, a.status)
		return a.header.Get("Location")
	}
	assert.Equal(t, "/?done=gone", end(ada, bob), "of another user")
	assert.Equal(t, "Bob", bob.session().User)
	assert.Equal(t, "/?done=ended", end(ada, second))
	assert.Empty(t, second.session().User)
	assert.Equal(t, "/?done=gone", end(ada, second))
	assert.Equal(t, http.StatusSeeOther, ada.post("/end", "handle", "../../x").status)
	assert.Equal(t, "Ada", third.session().User)

	assert.Equal(t, "/?done=others", ada.post("/logout-others").header.Get("Location"))
	assert.Empty(t, third.session().User)
	assert.Equal(t, "Bob", bob.session().User)
	assert.Equal(t, "Ada", ada.session().User)
	assert.Equal(t, "/?done=logout", end(ada, ada))
	assert.Empty(t, ada.cookie, "the cookie is deleted")

	before := *bob
	assert.Equal(t, "/?done=logout", bob.post("/logout").header.Get("Location"))
	assert.Empty(t, bob.cookie)
	assert.Empty(t, before.session().User)
}

// Visits are exact although they overlap on two servers.
func TestDemoCountsVisits(t *testing.T) {
	d := startDemo(t)
	v := d.login("Ada")
	const visits = 40
	var wg sync.WaitGroup
	for range visits {
		wg.Go(func() { v.get("/") })
	}
	wg.Wait()
	assert.Equal(t, http.StatusOK, v.do(http.MethodHead, "/", "").status)
	assert.Contains(t, v.get("/").body, fmt.Sprintf(`<dd id="visits">%d</dd>`, visits+1))
}

func TestDemoRefusesOtherSites(t *testing.T) {
	d := startDemo(t)
	host := strings.TrimPrefix(d.url, "http://")
	v := d.login("Ada")
	for header, refused := range map[[2]string]bool{
		{"Sec-Fetch-Site", "cross-site"}:    true,
		{"Sec-Fetch-Site", "same-site"}:     true,
		{"Origin", "http://example.com"}:    true,
		{"Origin", "null"}:                  true,
		{"Origin", "http://" + host}:        false,
		{"Sec-Fetch-Site", "same-origin"}:   false,
		{"X-Forwarded-Host", "example.com"}: false,
	} {
		v.header = http.Header{header[0]: {header[1]}}
		for _, path := range []string{"/login", "/set", "/end", "/logout-others", "/logout"} {
			if !refused && path != "/set" {
				continue
			}
			a := v.post(path, "key", "a", "value", "b", "name", "Eve")
			assert.Equal(t, refused, a.status == http.StatusForbidden, "%v %s %d", header, path, a.status)
		}
	}
	v.header = http.Header{}
	assert.Equal(t, "Ada", v.session().User)
}

func TestDemoProblems(t *testing.T) {
	d := startDemo(t)
	v := d.login("Ada")
	a := v.get("/nothing")
	assert.Equal(t, http.StatusNotFound, a.status)
	assert.Contains(t, a.body, "There is no such page.")
	a = v.get("/set")
	assert.Equal(t, http.StatusMethodNotAllowed, a.status)
	assert.Equal(t, "POST", a.header.Get("Allow"))
	assert.Contains(t, a.header.Get("Content-Type"), "text/html")

	v.header.Set("Accept", "application/json")
	for path, status := range map[string]int{"/set": http.StatusBadRequest, "/login": http.StatusBadRequest, "/nothing": http.StatusNotFound} {
		a = v.post(path)
		assert.Equal(t, status, a.status, path)
		assert.Equal(t, "application/json", a.header.Get("Content-Type"), path)
		assert.Contains(t, a.body, `{"error":"`, path)
	}
}

// flash answers the note on a page.
func flash(a answer) string {
	m := regexp.MustCompile(`<p class="flash" role="status">(.*)</p>`).FindStringSubmatch(a.body)
	if m == nil {
		return ""
	}
	return m[1]
}
