package demo

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/websession/websession/session"
)

// Limits of what people can put into a session.
const (
	MaxDelay      = 10 * time.Second
	maxName       = 64 // characters
	maxKey        = 64 // bytes
	maxValue      = 1024
	maxAttributes = 100
	maxBody       = 32 << 10
)

// The attributes that the demo sets itself.
var (
	userKey    = session.NewKey[string]("user")
	visitsKey  = session.NewKey[int64]("visits")
	browserKey = session.NewKey[string]("browser")
	addressKey = session.NewKey[string]("address")

	reserved = []string{userKey.Name(), visitsKey.Name(), browserKey.Name(), addressKey.Name()}
)

// ownNames answers the attributes of s that people set.
func ownNames(s *session.Session) []string {
	return slices.DeleteFunc(s.Names(), func(n string) bool { return slices.Contains(reserved, n) })
}

// refusal is what is wrong with a form, in a sentence for people.
type refusal string

func (r refusal) Error() string { return string(r) }

var (
	errForm  = refusal("The form cannot be read.")
	errName  = refusal(fmt.Sprintf("A name has 1 to %d characters, all of them visible.", maxName))
	errKey   = refusal(fmt.Sprintf("A key has 1 to %d bytes, all of them visible characters.", maxKey))
	errTaken = refusal("The keys " + strings.Join(reserved, ", ") + " are used by the demo itself.")
	errValue = refusal(fmt.Sprintf("A value has up to %d bytes of text.", maxValue))
	errDelay = refusal("A delay is a duration such as 500ms or 2s.")
	errMany  = refusal(fmt.Sprintf("A session of the demo has up to %d attributes.", maxAttributes))
)

// readForm parses the body of a POST.
func readForm(w http.ResponseWriter, r *http.Request) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	if r.ParseForm() != nil {
		return errForm
	}
	return nil
}

// readName answers the name of a login.
func readName(r *http.Request) (string, error) {
	name := strings.TrimSpace(r.PostForm.Get("name"))
	if name == "" || utf8.RuneCountInString(name) > maxName || !visible(name) {
		return "", errName
	}
	return name, nil
}

// setting is the form of POST /set.
type setting struct {
	key, value string
	delay      time.Duration
}

// readSetting answers what to set, and how long to wait between load and save.
func readSetting(r *http.Request) (set setting, err error) {
	set = setting{key: strings.TrimSpace(r.PostForm.Get("key")), value: r.PostForm.Get("value")}
	switch {
	case set.key == "" || len(set.key) > maxKey || !visible(set.key):
		return set, errKey
	case slices.Contains(reserved, set.key):
		return set, errTaken
	case len(set.value) > maxValue || !visible(strings.NewReplacer("\n", "", "\r", "", "\t", "").Replace(set.value)):
		return set, errValue
	}
	if delay := strings.TrimSpace(r.PostForm.Get("delay")); delay != "" {
		if set.delay, err = time.ParseDuration(delay); err != nil || set.delay < 0 {
			return set, errDelay
		}
		set.delay = min(set.delay, MaxDelay)
	}
	return set, nil
}

// visible reports whether s is text that people can see: no control
// characters, and of those that only format, the joiners that many scripts and
// emoji need.
func visible(s string) bool {
	for _, c := range s {
		if c == utf8.RuneError || !unicode.IsGraphic(c) && c != '\u200c' && c != '\u200d' {
			return false
		}
	}
	return true
}
