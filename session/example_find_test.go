package session_test

import (
	"context"
	"fmt"

	"github.com/websession/websession/session"
	"github.com/websession/websession/session/memory"
)

// Sessions are found by the attributes named in Options.Indexed, which are
// "user" where nothing else is said.
func ExampleManager_DestroyFound() {
	ctx := context.Background()
	m, err := session.New(memory.New(), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer m.Close()

	user := session.NewKey[string]("user")
	var here *session.Session
	for range 3 {
		here = m.NewSession()
		if err := user.Set(here, "ada"); err != nil {
			fmt.Println(err)
		}
		if err := here.Save(ctx); err != nil {
			fmt.Println(err)
		}
	}
	fmt.Println(m.DestroyFound(ctx, "user", "ada", session.OtherThan(here)))
	fmt.Println(m.DestroyFound(ctx, "user", "ada", nil))
	// Output:
	// 2 <nil>
	// 1 <nil>
}
