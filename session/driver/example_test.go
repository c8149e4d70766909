package driver_test

import (
	"fmt"
	"time"

	"github.com/websession/websession/session/driver"
)

// A Decoder reports every fault at once, names the nearest known property, and
// never prints a secret.
func ExampleDecoder() {
	d := driver.NewDecoder("Sample", map[string]any{
		"timeout":  "0.1",
		"Directry": "/var/lib/sessions",
		"password": []string{"secret"},
	})
	d.Required("Directory", "folder that holds the sessions")
	d.Secret("password", "of the user")
	fmt.Println(d.Duration("timeout", time.Second, "bound of a call"))
	fmt.Println(d.Err())
	// Output:
	// 100ms
	// class Sample: property "Directory" is missing: folder that holds the sessions; property "password" must be a text; property "Directry" is unknown: did you mean "Directory"?
}
