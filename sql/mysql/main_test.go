package mysql_test

import (
	"context"
	"testing"

	"github.com/websession/websession/internal/testenv"
	"github.com/websession/websession/sql/internal/servertest"
	"github.com/websession/websession/sql/mysql"
)

func TestMain(m *testing.M) { testenv.Main(m) }

var ctx = context.Background()

// class is what the tests of all SQL servers are about here. They lie in package
// servertest, and what is special in this one.
var class = servertest.Class{Driver: mysql.Driver{}, Dialect: mysql.Dialect(), SQL: "mysql", Locking: "get_lock"}

var (
	try, open, refused, bare, borrowed = class.Try, class.Open, class.Refused, class.Bare, class.Borrowed

	with, record, create, mustHold, mustNotBeApplied, mustExec, until = servertest.With, servertest.Record, servertest.Create,
		servertest.MustHold, servertest.MustNotBeApplied, servertest.Exec, servertest.Until
)

// place is an empty database on the server that all tests share.
func place(tb testing.TB) servertest.Place {
	p := testenv.MariaDB(tb)
	return servertest.Place{Properties: p.Properties, Addr: p.Addrs[0], DSN: p.DSN}
}
