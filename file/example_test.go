package file_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/websession/websession/file"
	"github.com/websession/websession/session/driver"
)

// An application opens its folder and hands the store to session.New. What the
// store itself does is what every store does.
func ExampleNew() {
	dir, err := os.MkdirTemp("", "sessions")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	store, err := file.New(dir, &file.Options{
		Durability: file.DurabilityFull,
		Warn:       func(remark string) { log.Print(remark) },
	})
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()

	ctx := context.Background()
	rec := driver.Record{Key: "key", Data: []byte("first"), Expires: time.Now().Add(time.Hour)}
	old, err := store.Create(ctx, rec)
	if err != nil {
		log.Fatal(err)
	}
	rec.Data = []byte("second")
	if _, err = store.Replace(ctx, rec, old); err != nil {
		log.Fatal(err)
	}
	_, err = store.Replace(ctx, rec, old)
	fmt.Println("late writer:", errors.Is(err, driver.ErrConflict))

	rec, _, err = store.Load(ctx, "key")
	fmt.Printf("%s %v\n", rec.Data, err)
	// Output:
	// late writer: true
	// second <nil>
}
