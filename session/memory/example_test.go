package memory_test

import (
	"context"
	"fmt"

	"github.com/websession/websession/session"
	_ "github.com/websession/websession/session/memory"
)

// Stores of one name share their sessions, as servers share a real store.
func Example() {
	ctx := context.Background()
	a, err := session.OpenURL(ctx, "memory:?name=example", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer a.Close()
	b, err := session.OpenURL(ctx, "memory:?name=example", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer b.Close()

	color := session.NewKey[string]("color")
	s := a.NewSession()
	if err := color.Set(s, "red"); err != nil {
		fmt.Println(err)
	}
	if err := s.Save(ctx); err != nil {
		fmt.Println(err)
	}
	s, err = b.Load(ctx, s.ID())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(color.Get(s))
	// Output: red <nil>
}
