package sessionhttp_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/session/sessionhttp"
)

func TestNilAndZeroOptionsAreLegal(t *testing.T) {
	require.NoError(t, (*sessionhttp.Options)(nil).Validate())
	require.NoError(t, (&sessionhttp.Options{}).Validate())
}

func TestValidateRefusesWhatCannotStandInACookie(t *testing.T) {
	for _, c := range []struct {
		o    sessionhttp.Options
		says string
	}{
		{sessionhttp.Options{CommitTimeout: -time.Second}, "CommitTimeout"},
		{cookie(sessionhttp.Cookie{Name: "a b"}), "Name"},
		{cookie(sessionhttp.Cookie{Name: "a;b"}), "Name"},
		{cookie(sessionhttp.Cookie{Name: "a=b"}), "Name"},
		{cookie(sessionhttp.Cookie{Name: "a\nb"}), "Name"},
		{cookie(sessionhttp.Cookie{Name: "é"}), "Name"},
		{cookie(sessionhttp.Cookie{Name: `"a"`}), "Name"},
		{cookie(sessionhttp.Cookie{Name: "a", Path: "app"}), "Path"},
		{cookie(sessionhttp.Cookie{Name: "a", Path: "/a;b"}), "Path"},
		{cookie(sessionhttp.Cookie{Name: "a", Path: "/a\nb"}), "Path"},
		{cookie(sessionhttp.Cookie{Name: "a", Path: "/é"}), "Path"},
		{cookie(sessionhttp.Cookie{Name: "a", Path: "/" + strings.Repeat("x", 1024)}), "Path"},
		{cookie(sessionhttp.Cookie{Name: "a", Domain: ".example.com"}), "Domain"},
		{cookie(sessionhttp.Cookie{Name: "a", Domain: "exa mple.com"}), "Domain"},
		{cookie(sessionhttp.Cookie{Name: "a", Domain: "example.com;x"}), "Domain"},
		{cookie(sessionhttp.Cookie{Name: "a", Domain: "-example.com"}), "Domain"},
		{cookie(sessionhttp.Cookie{Name: "a", Domain: strings.Repeat("x", 256)}), "Domain"},
		{cookie(sessionhttp.Cookie{SameSite: http.SameSiteDefaultMode}), "SameSite"},
		{cookie(sessionhttp.Cookie{SameSite: 9}), "SameSite"},
		{cookie(sessionhttp.Cookie{SameSite: -1}), "SameSite"},
	} {
		err := c.o.Validate()
		require.Error(t, err, "%+v", c.o.Cookie)
		require.Contains(t, err.Error(), c.says)
	}
}

func cookie(c sessionhttp.Cookie) sessionhttp.Options { return sessionhttp.Options{Cookie: c} }

func TestValidateReportsAllFaultsAtOnce(t *testing.T) {
	o := sessionhttp.Options{
		CommitTimeout: -1,
		Cookie:        sessionhttp.Cookie{Name: "__Host-x", Domain: "example.com", Path: "/x", Insecure: true, Partitioned: true, SameSite: http.SameSiteNoneMode},
	}
	err := o.Validate()
	require.Error(t, err)
	for _, part := range []string{"Domain", "Path", "Insecure", "SameSiteNoneMode", "Partitioned", "CommitTimeout"} {
		require.Contains(t, err.Error(), part)
	}
}

func TestSetCookieIsNeverLongerThan4096Bytes(t *testing.T) {
	w := newWorld(t, nil)
	path, domain := "/"+strings.Repeat("p", 1023), strings.Repeat("d", 60)+"."+strings.Repeat("d", 60)+".com"
	longest := 0
	for n := 1; n <= 5000; n += 7 {
		o := cookie(sessionhttp.Cookie{Name: strings.Repeat("n", n), Path: path, Domain: domain, SameSite: http.SameSiteStrictMode, Partitioned: true})
		if o.Validate() != nil {
			continue
		}
		longest = n
		rec := w.serve(&o, "", func(rw http.ResponseWriter, r *http.Request) {
			s := get(t, r)
			must(t, count.Set(s, 1))
			must(t, s.SetPersistent(true))
		})
		lines := cookies(rec)
		require.Len(t, lines, 1)
		require.LessOrEqual(t, len(lines[0]), sessionhttp.MaxSetCookie, fmt.Sprint(n))
	}
	require.Greater(t, longest, 2000)
}

func TestDefaultNamesSayNothingAboutTheProgram(t *testing.T) {
	for _, name := range []string{sessionhttp.DefaultCookieName, sessionhttp.InsecureCookieName} {
		require.NotRegexp(t, `(?i)web|sess|go|php|java|asp`, name)
	}
}
