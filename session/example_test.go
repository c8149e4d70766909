package session_test

import (
	"context"
	"fmt"

	"github.com/websession/websession/session"
	_ "github.com/websession/websession/session/memory"
)

// A session is stored under an id that its client keeps, and read by it.
func Example() {
	ctx := context.Background()
	m, err := session.Open(ctx, "Memory", nil, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer m.Close()

	var userID = session.NewKey[int64]("uid")

	s := m.NewSession()
	if err := userID.Set(s, 7); err != nil {
		fmt.Println(err)
	}
	if err := s.Save(ctx); err != nil {
		fmt.Println(err)
	}
	cookie := s.ID().Reveal()

	s, err = m.Load(ctx, session.ID(cookie))
	if err != nil {
		fmt.Println(err)
		return
	}
	uid, err := userID.Get(s)
	fmt.Println(uid, err)
	fmt.Println(s.ID())
	// Output:
	// 7 <nil>
	// [session id]
}
