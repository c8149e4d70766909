package demo

import (
	"encoding/json"
	"net/http"
	"strings"
)

// writeProblem answers a request that was not served: a page, or JSON for a
// program that asks for it.
func writeProblem(w http.ResponseWriter, r *http.Request, status int, text string) {
	if wantsJSON(r) {
		writeJSON(w, status, struct {
			Error string `json:"error"`
		}{text})
		return
	}
	writePage(w, status, "problem", problemPage{
		page: page{Title: http.StatusText(status), Server: w.Header().Get("X-Server")}, Status: status, Text: text,
	})
}

// refuse answers a form that is wrong.
func refuse(w http.ResponseWriter, r *http.Request, err error) {
	writeProblem(w, r, http.StatusBadRequest, err.Error())
}

// problemText explains the answers of sessionhttp and of fail.
func problemText(status int) string {
	switch status {
	case http.StatusConflict:
		return "Your session ended while this request was under way: somebody logged out. " +
			"Nothing was saved, and the session stays ended."
	case http.StatusServiceUnavailable:
		return "The store of the sessions does not answer. Try again in a moment."
	}
	return "The request was not served."
}

// wantsJSON reports whether a request is a program's.
func wantsJSON(r *http.Request) bool {
	if strings.HasPrefix(r.URL.Path, "/api/") {
		return true
	}
	accept := r.Header.Get("Accept")
	return strings.Contains(accept, "application/json") && !strings.Contains(accept, "text/html")
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		status, body = http.StatusInternalServerError, []byte(`{"error":"The answer cannot be written as JSON."}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(append(body, '\n'))
}

// withProblems is mux, but that a path that is unknown and a method that is
// wrong get the demo's page.
func withProblems(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h, pattern := mux.Handler(r)
		if pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		var plain statusWriter
		h.ServeHTTP(&plain, r)
		switch plain.status {
		case http.StatusMethodNotAllowed:
			w.Header().Set("Allow", plain.Header().Get("Allow"))
			writeProblem(w, r, plain.status, "This address does not take "+r.Method+".")
		default:
			writeProblem(w, r, http.StatusNotFound, "There is no such page.")
		}
	})
}

// statusWriter takes an answer of which only status and header matter.
type statusWriter struct {
	status int
	header http.Header
}

func (s *statusWriter) Header() http.Header {
	if s.header == nil {
		s.header = make(http.Header)
	}
	return s.header
}

func (s *statusWriter) Write(b []byte) (int, error) { return len(b), nil }
func (s *statusWriter) WriteHeader(status int)      { s.status = status }
