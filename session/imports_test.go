package session_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/websession/websession/"

// allowed says which packages outside of the standard library each package may
// import, in its code that is not a test. The first rule whose prefix fits
// holds. Whatever is not listed here may import nothing.
var allowed = []struct {
	prefix  string
	imports []string // prefixes; "..." ends one
}{
	// Importing the core costs an application nothing else.
	{"session/driver", nil},
	{"session/memory", []string{module + "session/driver"}},
	{"session", []string{module + "session", module + "session/..."}},
	// A third-party driver's tests import the suite and the checker.
	{"conformance", []string{module + "session", module + "session/...", "github.com/anishathalye/porcupine"}},
	// Drivers know the contract, never the core.
	{"file", []string{module + "session/driver"}},
	{"sql/sqlite", []string{module + "session/driver", module + "sql", "modernc.org/sqlite", "modernc.org/sqlite/lib"}},
	{"sql/postgres", []string{module + "session/driver", module + "sql", module + "sql/internal/...", "github.com/jackc/pgx/v5", "github.com/jackc/pgx/v5/..."}},
	{"sql/mysql", []string{module + "session/driver", module + "sql", module + "sql/internal/...", "github.com/go-sql-driver/mysql"}},
	// Only tests import it.
	{"sql/internal/servertest", []string{module + "session", module + "session/driver", module + "session/sessionhttp", module + "sql", module + "conformance", module + "internal/workload", module + "internal/lyingdisk/ledger", "github.com/stretchr/testify/require"}},
	{"sql/internal", []string{module + "session/driver", module + "sql"}},
	{"sql", []string{module + "session/driver", module + "internal/deadline", module + "internal/stored"}},
	{"redis", []string{module + "session/driver", module + "internal/deadline", module + "internal/stored", module + "internal/tlsfile", "github.com/redis/go-redis/v9", "github.com/redis/go-redis/v9/..."}},
	{"cassandra", []string{module + "session/driver", module + "internal/stored", module + "internal/tlsfile", "github.com/gocql/gocql"}},
	{"backends", []string{module + "..."}},
	{"internal/stored", []string{module + "session/driver"}},
	{"internal/tlsfile", []string{module + "session/driver"}},
	{"internal/servers", nil},
	{"internal/workload", []string{module + "session"}},
	{"internal/lyingdisk", []string{module + "internal/lyingdisk", module + "internal/lyingdisk/...", module + "session/driver", "github.com/hanwen/go-fuse/v2/..."}},
	// Only tests import it, and only it imports Docker's client.
	{"internal/testenv", []string{module + "internal/servers", "github.com/ory/dockertest/v3", "github.com/ory/dockertest/v3/...", "github.com/Shopify/toxiproxy/v2", "github.com/Shopify/toxiproxy/v2/...", "github.com/rs/zerolog", "github.com/jackc/pgx/v5", "github.com/jackc/pgx/v5/...", "github.com/go-sql-driver/mysql", "github.com/redis/go-redis/v9", "github.com/gocql/gocql"}},
	{"cmd/websession", []string{module + "cmd/websession/...", module + "backends", module + "session", module + "session/...", "github.com/spf13/cobra", "github.com/spf13/pflag", "go.yaml.in/yaml/v3"}},
}

// TestImportGraph holds every package to the layers of docs/design.md.
func TestImportGraph(t *testing.T) {
	out, err := exec.Command("go", "list", "-e", "-json=ImportPath,Imports", module+"...").Output()
	require.NoError(t, err)
	dec := json.NewDecoder(strings.NewReader(string(out)))
	packages := 0
	for {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else {
			require.NoError(t, err)
		}
		packages++
		for _, imported := range p.Imports {
			first, _, _ := strings.Cut(imported, "/")
			if !strings.Contains(first, ".") {
				continue // standard library
			}
			if !mayImport(strings.TrimPrefix(p.ImportPath, module), imported) {
				t.Errorf("%s must not import %s: see docs/design.md, layers", p.ImportPath, imported)
			}
		}
	}
	require.Greater(t, packages, 2)
}

func mayImport(pkg, imported string) bool {
	for _, rule := range allowed {
		if pkg != rule.prefix && !strings.HasPrefix(pkg, rule.prefix+"/") {
			continue
		}
		return slices.ContainsFunc(rule.imports, func(p string) bool {
			if dir, ok := strings.CutSuffix(p, "..."); ok {
				return strings.HasPrefix(imported, dir)
			}
			return imported == p
		})
	}
	return false
}

func TestImportRulesHold(t *testing.T) {
	require.True(t, mayImport("session/sessionhttp", module+"session"))
	require.False(t, mayImport("session/memory", module+"session"), "a driver must not know the core")
	require.False(t, mayImport("session", "github.com/stretchr/testify/require"))
	require.False(t, mayImport("file", module+"session"))
	require.False(t, mayImport("unlisted", "example.com/x"))
}
