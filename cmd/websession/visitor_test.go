package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// visitor is a browser without a page: it has one cookie.
type visitor struct {
	demo   *aDemo
	cookie string // the header
	header http.Header
}

func (d *aDemo) visitor() *visitor { return &visitor{demo: d, header: make(http.Header)} }

// login answers a visitor who is logged in.
func (d *aDemo) login(name string) *visitor {
	d.t.Helper()
	v := d.visitor()
	a := v.post("/login", "name", name)
	require.Equal(d.t, http.StatusSeeOther, a.status, a.body)
	require.NotEmpty(d.t, v.cookie)
	return v
}

// answer is what a visitor got.
type answer struct {
	status int
	header http.Header
	body   string
}

func (a answer) server() string { return a.header.Get("X-Server") }

// post sends a form of keys and values, and keeps the cookie of the answer.
func (v *visitor) post(path string, fields ...string) answer {
	v.demo.t.Helper()
	a := v.send(path, fields...)
	v.keep(a)
	return a
}

// send is post for goroutines: it does not change v.
func (v *visitor) send(path string, fields ...string) answer {
	v.demo.t.Helper()
	form := make(url.Values)
	for i := 0; i < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	return v.do(http.MethodPost, path, form.Encode())
}

// get asks for a page.
func (v *visitor) get(path string) answer {
	v.demo.t.Helper()
	return v.do(http.MethodGet, path, "")
}

func (v *visitor) do(method, path, body string) answer {
	v.demo.t.Helper()
	req, err := http.NewRequest(method, v.demo.url+path, strings.NewReader(body))
	if !assert.NoError(v.demo.t, err) {
		return answer{}
	}
	for name, values := range v.header {
		req.Header[name] = values
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if v.cookie != "" {
		req.Header.Set("Cookie", v.cookie)
	}
	resp, err := v.demo.client.Do(req)
	if !assert.NoError(v.demo.t, err) {
		return answer{}
	}
	defer resp.Body.Close()
	all, err := io.ReadAll(resp.Body)
	assert.NoError(v.demo.t, err)
	return answer{resp.StatusCode, resp.Header, string(all)}
}

// keep takes the cookie of an answer.
func (v *visitor) keep(a answer) {
	for _, c := range (&http.Response{Header: a.header}).Cookies() {
		if c.MaxAge < 0 {
			v.cookie = ""
			continue
		}
		v.cookie = c.Name + "=" + c.Value
		v.demo.mu.Lock()
		v.demo.secrets = append(v.demo.secrets, c.Value)
		v.demo.mu.Unlock()
	}
}

// description is the answer of GET /api/session.
type description struct {
	ID, Server, User string
	Attributes       map[string]any
	Created, Expires *time.Time
}

func (v *visitor) session() description {
	v.demo.t.Helper()
	a := v.get("/api/session")
	require.Equal(v.demo.t, http.StatusOK, a.status, a.body)
	var d description
	dec := json.NewDecoder(strings.NewReader(a.body))
	dec.DisallowUnknownFields()
	require.NoError(v.demo.t, dec.Decode(&d), a.body)
	require.NotNil(v.demo.t, d.Attributes, a.body)
	return d
}
