package testenv

import (
	"context"
	"testing"
)

// secret is the password of the superusers of SQL servers in containers.
const secret = "secret"

// database makes an empty database on a server, which is dropped at the end of
// the test. That fails while somebody is connected: a store that was not closed.
func database(tb testing.TB, s *shared, run func(ctx context.Context, dsn, statement string) error) string {
	tb.Helper()
	name := uniqueName()
	do := func(statement string) error {
		ctx, cancel := context.WithTimeout(context.Background(), cleanTimeout)
		defer cancel()
		return run(ctx, s.dsn, statement)
	}
	if err := do("CREATE DATABASE " + name); err != nil {
		tb.Fatalf("testenv: make a database on %s: %v", s.addrs, err)
	}
	tb.Cleanup(func() {
		if err := do("DROP DATABASE " + name); err != nil {
			tb.Errorf("testenv: drop the database of the test: %v", err)
		}
	})
	return name
}

// perlSource is the properties by which Perl's DBI names a database.
func perlSource(source, user, password string) map[string]any {
	props := map[string]any{"DataSource": source, "UserName": user}
	if password != "" {
		props["Password"] = password
	}
	return props
}
