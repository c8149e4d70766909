package sessionhttp_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"

	"github.com/websession/websession/session"
	"github.com/websession/websession/session/memory"
	"github.com/websession/websession/session/sessionhttp"
)

var userID = session.NewKey[string]("user")

func login(w http.ResponseWriter, r *http.Request) {
	s, err := sessionhttp.Get(r)
	if err != nil {
		return // the store is down: Middleware answers 503
	}
	// ... check the password; then a new id, so that nobody who knew the old
	// one is logged in with it.
	if err := s.Renew(r.Context()); err != nil {
		http.Error(w, "please try again", http.StatusServiceUnavailable)
		return
	}
	userID.Set(s, r.PathValue("name"))
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func logout(w http.ResponseWriter, r *http.Request) {
	s, err := sessionhttp.Get(r)
	if err != nil {
		return
	}
	if err := s.Destroy(r.Context()); err != nil {
		http.Error(w, "you are still logged in, please try again", http.StatusServiceUnavailable)
		return
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func home(w http.ResponseWriter, r *http.Request) {
	s, err := sessionhttp.Get(r)
	if err != nil {
		return
	}
	fmt.Fprintf(w, "hello %s", userID.GetOr(s, "stranger"))
}

// Login and logout, seen by a browser.
func Example() {
	m, err := session.New(memory.New(), nil)
	if err != nil {
		panic(err)
	}
	defer m.Close()
	mux := http.NewServeMux()
	mux.HandleFunc("/login/{name}", login)
	mux.HandleFunc("/logout", logout)
	mux.HandleFunc("/", home)
	server := httptest.NewTLSServer(sessionhttp.Middleware(m, nil)(mux))
	defer server.Close()

	browser := server.Client()
	browser.Jar, _ = cookiejar.New(nil)
	for _, path := range []string{"/", "/login/ann", "/", "/logout"} {
		resp, err := browser.Get(server.URL + path)
		if err != nil {
			panic(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		fmt.Println(path, "->", string(body))
	}
	// Output:
	// / -> hello stranger
	// /login/ann -> hello ann
	// / -> hello ann
	// /logout -> hello stranger
}
