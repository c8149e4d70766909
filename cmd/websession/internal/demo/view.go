package demo

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"

	"github.com/websession/websession/session"
)

//go:embed templates/*.html
var templateFiles embed.FS

// page is what every page shows.
type page struct {
	Title  string
	Server string // the one that answered, as server-1; "" for the front end
	Class  string // of the store
	Nodes  []node // the servers, if they are few enough to draw
	Of     int    // how many servers there are
	Here   node   // the server that answered
	Done   string // what the request before this page did
}

// node is an application server as the page draws it.
type node struct {
	Number int
	Here   bool // it answered
}

// Colour answers a number from 1 to 6.
func (n node) Colour() int { return (n.Number-1)%6 + 1 }

type loginPage struct {
	page
	Fault   string // what was wrong with the name
	Name    string
	MaxName int
}

type sessionPage struct {
	page
	User             string
	Visits           int64
	Handle           string
	Created, Expires moment
	Attributes       []attribute
	MaxKey, MaxValue int
	Sessions         []userSession
	Count, More      int
	Unlisted         string // why there are no Sessions
}

type attribute struct{ Name, Value string }

// userSession is one session of the user.
type userSession struct {
	Handle           session.Handle
	This             bool
	Browser, Address string
	LastUse          moment
}

type problemPage struct {
	page
	Status int
	Text   string
}

// done are the texts for what the request before this page did.
var done = map[string]string{
	"login":  "You are logged in, under a new session id.",
	"set":    "The attribute is saved.",
	"ended":  "That session has ended.",
	"gone":   "That session had ended already.",
	"others": "Your other sessions have ended.",
	"logout": "You are logged out. The session is gone, on every server.",
}

// drawn is how many servers a page has room for.
const drawn = 6

func (a *app) page(r *http.Request, title string) page {
	p := page{
		Title: title, Server: a.name(), Class: a.sessions.Class(), Of: a.of,
		Here: node{a.number, true}, Done: done[r.URL.Query().Get("done")],
	}
	for n := 1; n <= a.of && a.of <= drawn; n++ {
		p.Nodes = append(p.Nodes, node{n, n == a.number})
	}
	return p
}

// showValue answers an attribute as text.
func showValue(v any, err error) string {
	if err != nil {
		return "(cannot be read)"
	}
	return fmt.Sprint(v)
}

// inWords answers a number of servers as people write it.
func inWords(n int) string {
	words := []string{"no", "one", "two", "three", "four", "five", "six"}
	if n < len(words) {
		return words[n]
	}
	return fmt.Sprint(n)
}

func shortHandle(h session.Handle) string { return string(h[:min(len(h), 10)]) }

var templates = func() *template.Template {
	t := template.New("").Funcs(template.FuncMap{"static": staticPath, "inWords": inWords})
	return template.Must(t.ParseFS(templateFiles, "templates/*.html"))
}()

// writePage answers a whole page, or nothing of it.
func writePage(w http.ResponseWriter, status int, name string, data any) {
	var b bytes.Buffer
	if err := templates.ExecuteTemplate(&b, name+".html", data); err != nil {
		http.Error(w, "The page cannot be written.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	w.Write(b.Bytes())
}
