package syscalls_test

import (
	"fmt"

	"github.com/websession/websession/internal/lyingdisk/syscalls"
)

func Example() {
	s := syscalls.NewState()
	s.Apply(syscalls.Call{Name: "write", Path: "new"})
	s.Apply(syscalls.Call{Name: "rename", Path: "new", To: "record"})
	fmt.Println(s.Dirty("record"), s.Pending("record"))
	// Output: true true
}
