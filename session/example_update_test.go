package session_test

import (
	"context"
	"fmt"
	"sync"

	"github.com/websession/websession/session"
	"github.com/websession/websession/session/memory"
)

// Update is for changes that depend on what is there: it loses none, however
// many requests make them at once.
func ExampleManager_Update() {
	ctx := context.Background()
	m, err := session.New(memory.New(), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer m.Close()

	visits := session.NewKey[int]("visits")
	s := m.NewSession()
	if err := visits.Set(s, 0); err != nil {
		fmt.Println(err)
	}
	if err := s.Save(ctx); err != nil {
		fmt.Println(err)
	}

	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			err := m.Update(ctx, s.ID(), func(s *session.Session) error {
				return visits.Set(s, visits.GetOr(s, 0)+1)
			})
			if err != nil {
				fmt.Println(err)
			}
		})
	}
	wg.Wait()

	if err := s.Reload(ctx); err != nil {
		fmt.Println(err)
	}
	fmt.Println(visits.Get(s))
	// Output: 100 <nil>
}
