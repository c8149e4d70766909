package postgres_test

import (
	"context"
	"database/sql"
	"fmt"
	"log"

	"github.com/websession/websession/session/driver"
	websql "github.com/websession/websession/sql"
	"github.com/websession/websession/sql/postgres"
)

// An application hands over the pool that it has, and the store to session.New.
func ExampleDialect() {
	db, err := sql.Open("pgx", "postgres://app:secret@db.example.com/app")
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	store, err := websql.New(db, postgres.Dialect(), &websql.Options{Indexed: []string{"user"}})
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	info, err := store.Ping(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(info.Server, info.Warnings)
}

// The properties are those of Perl's DBI, or this project's own. Nothing is
// connected to by reading them.
func ExampleDriver() {
	d := driver.NewDecoder("PostgreSQL", map[string]any{
		"DataSource": "dbi:Pg:dbname=app;host=db.example.com",
		"UserName":   "app",
		"Password":   "secret",
		"locking":    "get_lock",
		"poolsize":   8,
	})
	if _, err := (postgres.Driver{}).Configure(d); err != nil {
		log.Fatal(err)
	}
	fmt.Println(d.Err())
	// Output:
	// class PostgreSQL: property "locking" is "get_lock": it must be one of none, advisory; property "poolsize" is unknown: did you mean "pool_size"?
}
