package sessionhttp

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Names of the cookie, if none is given. They say nothing about the program.
const (
	DefaultCookieName  = "__Host-id"
	InsecureCookieName = "id" // for Cookie.Insecure
)

// Limits of cookies.
const (
	// MaxSetCookie is how long the value of a Set-Cookie header is at most.
	// Options that would exceed it are illegal.
	MaxSetCookie = 4096

	// MaxID is how long a session id is at most; native ids have 43 bytes.
	MaxID = 256

	maxCookiePath = 1024               // browsers ignore longer ones
	maxCookieAge  = 400 * 24 * 60 * 60 // seconds; browsers cut longer ones
)

// Cookie is what the cookie looks like. It is always HttpOnly. It lasts until
// the browser ends, unless the session is persistent: then Max-Age is what is
// left to the session's absolute deadline, or, if it has none, to its end if it
// is not used any more; at most 400 days, which is what browsers grant.
//
// Illegal: a name that begins with __Host- together with Domain or a Path other
// than /; Insecure together with such a name, with one that begins with
// __Secure- or __Http-, with Domain, with SameSiteNoneMode or with Partitioned;
// and what cannot stand in a cookie.
type Cookie struct {
	Name        string        // default "__Host-id", or "id" when Insecure
	Domain      string        // default: this host alone
	Path        string        // default "/"
	SameSite    http.SameSite // Lax, Strict or None mode; default Lax
	Partitioned bool          // one for each site that embeds this one

	// Insecure is for plain HTTP on one machine: development. The cookie has no
	// Secure flag, and is accepted and sent only if the connection comes from a
	// loopback address; for others Get answers ErrNotLoopback. A proxy on the
	// same machine looks like that too: do not use it behind one.
	Insecure bool
}

func (c Cookie) withDefaults() Cookie {
	if c.Name == "" {
		c.Name = DefaultCookieName
		if c.Insecure {
			c.Name = InsecureCookieName
		}
	}
	if c.Path == "" {
		c.Path = "/"
	}
	if c.SameSite == 0 {
		c.SameSite = http.SameSiteLaxMode
	}
	return c
}

// faults answers what is illegal in c, which has its defaults. Browsers compare
// prefixes without regard to case.
func (c *Cookie) faults() (faults []error) {
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("Cookie."+format, args...))
	}
	prefix := func(p string) bool { return len(c.Name) >= len(p) && strings.EqualFold(c.Name[:len(p)], p) }
	shown := c.Name[:min(len(c.Name), 80)]
	if prefix("__Host-") {
		if c.Domain != "" {
			fault("Name %q excludes Domain: choose a name such as __Secure-id", shown)
		}
		if c.Path != "/" {
			fault("Name %q excludes a Path other than /: choose a name such as __Secure-id", shown)
		}
	}
	if c.Insecure {
		if prefix("__Host-") || prefix("__Secure-") || prefix("__Http-") {
			fault("Name %q excludes Insecure: choose one without a prefix, such as id", shown)
		}
		if c.Domain != "" {
			fault("Insecure excludes Domain")
		}
		if c.SameSite == http.SameSiteNoneMode {
			fault("Insecure excludes SameSiteNoneMode")
		}
		if c.Partitioned {
			fault("Insecure excludes Partitioned")
		}
	}
	switch c.SameSite {
	case http.SameSiteLaxMode, http.SameSiteStrictMode, http.SameSiteNoneMode:
	default:
		fault("SameSite is %d: it must be Lax, Strict or None mode", c.SameSite)
	}
	if !strings.HasPrefix(c.Path, "/") || len(c.Path) > maxCookiePath {
		fault("Path must begin with / and have at most %d bytes", maxCookiePath)
	}
	if strings.HasPrefix(c.Domain, ".") {
		fault("Domain must not begin with a dot")
	}
	longest := c.std(strings.Repeat("x", MaxID), maxCookieAge)
	longest.Secure = true // Partitioned without it was reported above
	if err := longest.Valid(); err != nil {
		faults = append(faults, errors.New("Cookie: "+strings.TrimPrefix(err.Error(), "http: ")))
	} else if len(longest.String()) > MaxSetCookie {
		faults = append(faults, fmt.Errorf("Cookie: Set-Cookie would be longer than %d bytes", MaxSetCookie))
	}
	return faults
}

// std answers c as net/http knows cookies. An age of 0 means until the browser
// ends, a negative one deletes.
func (c *Cookie) std(value string, age int) http.Cookie {
	return http.Cookie{
		Name: c.Name, Value: value, Domain: c.Domain, Path: c.Path, MaxAge: age,
		HttpOnly: true, Secure: !c.Insecure, SameSite: c.SameSite, Partitioned: c.Partitioned,
	}
}

// set adds the cookie to a header, in place of any of that name.
func (c *Cookie) set(h http.Header, value string, age int) {
	std := c.std(value, age)
	var lines []string
	for _, line := range h["Set-Cookie"] {
		if name, _, _ := strings.Cut(line, "="); trimBlanks(name) != c.Name {
			lines = append(lines, line)
		}
	}
	h["Set-Cookie"] = append(lines, std.String())
}

// find answers the value of the cookie of a name from the lines of the Cookie
// header, or why it was refused, or neither: there is none.
//
// A name matches byte by byte, from the blanks (space, tab) after a semicolon
// to the first equals sign, and nothing else does. Quotes mean nothing: a
// semicolon ends a cookie wherever it stands, as it does for browsers.
func find(lines []string, name string) (value, refused string) {
	found := false
	for _, line := range lines {
		for line != "" {
			var pair string
			pair, line, _ = strings.Cut(line, ";")
			pair = trimBlanks(pair)
			if len(pair) <= len(name) || pair[len(name)] != '=' || pair[:len(name)] != name {
				continue
			}
			if found {
				return "", "the cookie was sent twice"
			}
			found = true
			value = pair[len(name)+1:]
		}
	}
	switch {
	case !found:
		return "", ""
	case len(value) > MaxID:
		return "", "the cookie is too long"
	case !validValue(value):
		return "", "the cookie is malformed"
	}
	return value, ""
}

// validValue reports whether a text may be the value of a cookie, unquoted and
// not empty: RFC 6265, section 4.1.1, cookie-octet.
func validValue(v string) bool {
	for i := range len(v) {
		if !cookieOctet[v[i]] {
			return false
		}
	}
	return v != ""
}

var cookieOctet = func() (is [256]bool) {
	for c := '!'; c < 0x7f; c++ {
		is[c] = c != '"' && c != ',' && c != ';' && c != '\\'
	}
	return is
}()

func trimBlanks(s string) string {
	for s != "" && (s[0] == ' ' || s[0] == '\t') {
		s = s[1:]
	}
	for s != "" && (s[len(s)-1] == ' ' || s[len(s)-1] == '\t') {
		s = s[:len(s)-1]
	}
	return s
}

// age answers Max-Age for what is left of a persistent session, 0 if that is
// not a whole second.
func age(now, end time.Time) int {
	if end.IsZero() {
		return maxCookieAge
	}
	return int(max(0, min(int64(end.Sub(now)/time.Second), maxCookieAge)))
}

// guard keeps an answer that depends on a session from other people's caches.
func (x *exchange) guard(h http.Header, setsCookie bool) {
	x.guards = [2]string{"Cookie", "no-store"}
	if len(h) == 0 {
		h["Vary"], h["Cache-Control"] = x.guards[0:1:1], x.guards[1:2:2]
		return
	}
	switch vary := h["Vary"]; {
	case len(vary) == 0:
		h["Vary"] = x.guards[0:1:1]
	case !lists(vary, "Cookie", "*"):
		h["Vary"] = append(slices.Clip(vary), "Cookie")
	}
	if cc := h["Cache-Control"]; len(cc) == 0 || setsCookie && !lists(cc, "no-store", "private") {
		h["Cache-Control"] = x.guards[1:2:2]
	}
}

// lists reports whether a header that is a list of words has one of two.
func lists(lines []string, a, b string) bool {
	for _, line := range lines {
		for line != "" {
			var word string
			word, line, _ = strings.Cut(line, ",")
			word = trimBlanks(word)
			if strings.EqualFold(word, a) || strings.EqualFold(word, b) {
				return true
			}
		}
	}
	return false
}
