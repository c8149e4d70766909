package mysql_test

import (
	"context"
	"database/sql"
	"fmt"
	"log"

	mysqldriver "github.com/go-sql-driver/mysql"

	"github.com/websession/websession/session/driver"
	websql "github.com/websession/websession/sql"
	"github.com/websession/websession/sql/mysql"
)

// An application hands over the pool that it has, and the store to session.New.
func ExampleDialect() {
	db, err := sql.Open("mysql", "app:secret@tcp(db.example.com)/app")
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	store, err := websql.New(db, mysql.Dialect(), &websql.Options{Indexed: []string{"user"}})
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

// On connections of NewConnector the calls of a store take least.
func ExampleNewConnector() {
	config, err := mysqldriver.ParseDSN("app:secret@tcp(db.example.com)/app")
	if err != nil {
		log.Fatal(err)
	}
	connector, err := mysql.NewConnector(config)
	if err != nil {
		log.Fatal(err)
	}
	db := sql.OpenDB(connector)
	defer db.Close()
	store, err := websql.New(db, mysql.Dialect(), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
}

// The properties are those of Perl's DBI, or this project's own. Nothing is
// connected to by reading them.
func ExampleDriver() {
	d := driver.NewDecoder("MySQL", map[string]any{
		"DataSource":     "dbi:mysql:database=app;host=db.example.com",
		"UserName":       "app",
		"Password":       "secret",
		"LockDataSource": "dbi:mysql:host=db.example.com",
		"lock_timeout":   "soon",
	})
	if _, err := (mysql.Driver{}).Configure(d); err != nil {
		log.Fatal(err)
	}
	fmt.Println(d.Err())
	// Output:
	// class MySQL: property "lock_timeout" is "soon": it must be a number of seconds ("0.1") or a duration ("100ms"), not negative; property "LockDataSource" names no database: it must look like dbi:mysql:dbname=NAME;host=HOST
}
