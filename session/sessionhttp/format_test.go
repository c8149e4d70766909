package sessionhttp_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/session"
	"github.com/websession/websession/session/driver"
)

// jsonFormat keeps sessions as JSON, under ids of its own: another program's.
type jsonFormat struct{ prefix string }

func (f jsonFormat) NewID() string                 { return f.prefix + fmt.Sprint(len(f.prefix)) }
func (f jsonFormat) ValidID(id string) bool        { return strings.HasPrefix(id, f.prefix) }
func (f jsonFormat) Key(id string) string          { return id[:min(len(id), driver.MaxKey)] }
func (f jsonFormat) Digest(field, v string) string { return field + v }
func (f jsonFormat) Attributes(_ string, data []byte) (m map[string]any, err error) {
	return m, json.Unmarshal(data, &m)
}

func (f jsonFormat) Apply(_ string, old []byte, c driver.Changes) ([]byte, error) {
	m := make(map[string]any)
	if old != nil {
		if err := json.Unmarshal(old, &m); err != nil {
			return nil, err
		}
	}
	maps.Copy(m, c.Set)
	return json.Marshal(m)
}

func TestForeignIDsTravelInTheCookie(t *testing.T) {
	w := newWorld(t, &session.Options{Format: jsonFormat{"perl-"}})
	rec := w.serve(nil, "", func(rw http.ResponseWriter, r *http.Request) { must(t, user.Set(get(t, r), "ann")) })
	id := sentID(t, rec.Result().Header)
	require.Equal(t, "perl-5", id.Reveal())
	w.serve(nil, id, func(rw http.ResponseWriter, r *http.Request) {
		require.Equal(t, "ann", user.GetOr(get(t, r), ""))
	})
}

func TestForeignIDThatCannotStandInACookieIsNotSent(t *testing.T) {
	for _, prefix := range []string{"a b", "a;b", "é", `a"`, strings.Repeat("x", 257)} {
		w := newWorld(t, &session.Options{Format: jsonFormat{prefix}})
		rec := w.serve(nil, "", func(rw http.ResponseWriter, r *http.Request) { must(t, user.Set(get(t, r), "ann")) })
		require.Equal(t, 500, rec.Code)
		require.Empty(t, cookies(rec))
		events := w.of(session.EventCommitFailed)
		require.Len(t, events, 1)
		require.NotContains(t, events[0].Err.Error(), prefix)
	}
}
