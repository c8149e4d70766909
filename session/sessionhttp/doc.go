// Package sessionhttp gives the handlers of net/http a session: a cookie that
// holds the id, read when a handler first asks for the session, and saved
// before the header of the answer leaves.
//
//	var visits = session.NewKey[int64]("visits")
//
//	func main() {
//		m, err := session.New(memory.New(), nil)
//		if err != nil {
//			log.Fatal(err)
//		}
//		defer m.Close()
//		hello := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
//			s, err := sessionhttp.Get(r)
//			if err != nil {
//				return // the store is down: Middleware answers 503
//			}
//			n := visits.GetOr(s, 0) + 1
//			visits.Set(s, n)
//			fmt.Fprintf(w, "visit %d\n", n)
//		})
//		local := &sessionhttp.Options{Cookie: sessionhttp.Cookie{Insecure: true}} // without TLS, on this machine only
//		log.Fatal(http.ListenAndServe("localhost:8080", sessionhttp.Middleware(m, local)(hello)))
//	}
//
// # When a session is saved
//
// The first Write, WriteHeader (with 200 and above, or 101), Flush, ReadFrom or
// Hijack saves the session before anything is sent, so that a client that acts
// on the answer finds what the answer speaks of. A handler that sends nothing
// is saved when it returns. Answers of 1xx, but for 101, pass without that.
//
// If this save fails, the client gets an answer that says so in place of the
// handler's: 503 if the store is in trouble, 409 if the session ended
// meanwhile, 500 if it cannot be stored at all. See Options.Error.
//
// What is changed later is saved once more when the handler returns; nobody
// waits for that, so its error is an event (session.EventLateSaveFailed). A
// session whose id has not reached the client cannot be changed any more then,
// nor renewed: that answers session.ErrHeadersSent.
//
// A client that went away loses nothing: saving goes on without it, for
// Options.CommitTimeout. A handler that panics saves nothing that was not saved
// by then. After a Renew that has not been sent this ends the session: the old
// id is dead, and the new one has not reached the client.
//
// # Locks
//
// Where the store locks (driver.Locker; no store does unless its properties say
// so), Get waits for the lock of the session, and the requests of one session
// queue from Get until the header of the answer, reads included. What is changed
// after the header takes the lock once more, for the write alone. A handler that
// answers early lets the next request in early; one that streams, or hijacks the
// connection, keeps nobody waiting. A lock that is not to be had in time is an
// error of Get as any other of the store: 503.
//
// # Cookies
//
// Set-Cookie is sent only when it tells the client something: a new id, another
// persistence, a later end of a persistent session that has no absolute one. It
// deletes the cookie only if this very handler destroyed the session by its
// Destroy. A request that carries a dead cookie leaves it alone, because a login
// that runs at the same time may just be replacing it; but if its handler sets
// something, the new session replaces the cookie of that login.
//
// An id is taken from that cookie and from nowhere else. A cookie that is sent
// twice, malformed or unknown is never adopted: the handler gets a new session.
//
// An answer whose handler asked for the session has Vary: Cookie, and
// Cache-Control: no-store unless the handler chose another. An answer that sets
// the cookie has no-store also if the handler chose something that is neither
// no-store nor private, since a shared cache would hand the cookie to others.
//
// # Connections
//
// The http.ResponseWriter that the handler gets works with
// http.ResponseController, and keeps sendfile, HTTP/2 push, trailers and
// hijacking where the server has them. Over a hijacked connection nobody sends
// the header that Middleware prepared: a handler that hijacks and answers by
// hand has to send Header()["Set-Cookie"] itself if it changed a new session or
// renewed one. Changes of a session that the client already has need nothing.
//
// Through this http.ResponseWriter, as through any but the server's own,
// http.MaxBytesReader limits a body but does not tell the server to close the
// connection. Use http.MaxBytesHandler around Middleware for that.
package sessionhttp
