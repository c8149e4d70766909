package ledger_test

import (
	"context"
	"fmt"

	"github.com/websession/websession/internal/lyingdisk/ledger"
	"github.com/websession/websession/session/memory"
)

func Example() {
	s, l := memory.New(), ledger.New(1, nil)
	op := l.Write("k")
	_, err := s.Create(context.Background(), op.Record())
	op.Done(err)
	s.Delete(context.Background(), op.Record(), "") // as a crash might
	_, err = l.Check(s, ledger.Everything)
	fmt.Println(err)
	// Output: k holds nothing; what was answered allows [write 1]
}
