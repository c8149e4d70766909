package sql_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/websession/websession/session/driver"
	websql "github.com/websession/websession/sql"
	"github.com/websession/websession/sql/sqlite"
)

// An application hands over the pool that it has, and the store to session.New.
// The sessions lie beside its own tables, and the pool stays open.
func ExampleNew() {
	dir, err := os.MkdirTemp("", "sessions")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	db, err := sql.Open("sqlite", filepath.Join(dir, "app.db")+"?_pragma=journal_mode(WAL)&_pragma=busy_timeout(5000)")
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()

	store, err := websql.New(db, sqlite.Dialect(nil), &websql.Options{
		Table:   "app_sessions",
		Indexed: []string{"user"},
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

	var sessions int
	err = db.QueryRow("SELECT count(*) FROM app_sessions").Scan(&sessions)
	fmt.Println("sessions:", sessions, err)
	// Output:
	// late writer: true
	// sessions: 1 <nil>
}

// Statements answers what an administrator may want to run before the
// application starts.
func ExampleStatements() {
	list, err := websql.Statements(sqlite.Dialect(nil), "app_sessions", []string{"user"})
	if err != nil {
		log.Fatal(err)
	}
	for _, statement := range list[3:] { // after the tables, and the index of expires
		fmt.Println(statement)
	}
	// Output:
	// ALTER TABLE "app_sessions" ADD COLUMN "ix_user" TEXT
	// CREATE INDEX "app_sessions_ix_user" ON "app_sessions" ("ix_user", session_key) WHERE "ix_user" IS NOT NULL
	// DELETE FROM "websession_meta" WHERE table_name = 'app_sessions'
	// INSERT INTO "websession_meta" (table_name, schema_version) VALUES ('app_sessions', 1)
}
