package main

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPropertiesPageIsUpToDate(t *testing.T) {
	page, err := os.ReadFile("../../docs/properties.md")
	require.NoError(t, err)
	code, stdout, stderr := execute(t, "properties")
	require.Equal(t, exitOK, code, stderr)
	if stdout != string(page) {
		t.Fatal("docs/properties.md is not what the drivers ask for: go run ./cmd/websession properties > docs/properties.md")
	}
}

func TestPropertiesPageOfAClassWithEverything(t *testing.T) {
	var b strings.Builder
	classInfo{
		Class: "MySQL", Aliases: []string{"MariaDB"}, Schemes: []string{"mysql", "mariadb"}, Package: "example.com/mysql",
		Properties: []property{
			{"server", "string", "", true, "the address"},
			{"level", "low|high", "low", false, "a | b"},
			{"Password", "secret", "", false, "of the user"},
			{"Lock", "ignored", "", false, "there are no locks"},
			{"Sort", "ignored", "", false, "nothing is sorted"},
			{"LockDirectory", "ignored", "", false, "there are no locks"},
		},
	}.writePage(&b)
	classInfo{Class: "Null", Package: "example.com/null"}.writePage(&b)
	assert.Equal(t, `
## MySQL

Package `+"`example.com/mysql`. Also called `MariaDB`. URLs begin with `mysql:`, `mariadb:`"+`.

| property | type | default | meaning |
|---|---|---|---|
| `+"`server`"+` | text | required | the address |
| `+"`level` | `low`, `high` | `low`"+` | a \| b |
| `+"`Password`"+` | secret |  | of the user |

Known from Perl, accepted and without effect:

- `+"`Lock`, `LockDirectory`"+`: there are no locks.
- `+"`Sort`"+`: nothing is sorted.

## Null

Package `+"`example.com/null`"+`.

It has no properties.
`, b.String())
}
