package bolt_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	_ "github.com/websession/websession/docs/examples/bolt"
	"github.com/websession/websession/session"
)

var user = session.NewKey[string]("user")

// An application imports the driver and chooses it by its class name, as it
// would any other.
func Example() {
	folder, err := os.MkdirTemp("", "bolt")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)

	class, properties := "Bolt", map[string]any{"file": filepath.Join(folder, "sessions.db")}
	ctx := context.Background()
	m, err := session.Open(ctx, class, properties, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()

	s := m.NewSession()
	if err := user.Set(s, "ann"); err != nil {
		log.Fatal(err)
	}
	if err := s.Save(ctx); err != nil {
		log.Fatal(err)
	}

	s, err = m.Load(ctx, s.ID())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("hello", user.GetOr(s, "stranger"))
	for _, c := range m.Capabilities() {
		fmt.Printf("%s: %s\n", c.Name, c.Support)
	}
	// Output:
	// hello ann
	// touch: emulated
	// list: native
	// find: emulated
	// purge: native
	// ping: native
}
