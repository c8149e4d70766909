package sqlite_test

import (
	"encoding/json"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

// modernc.org/sqlite asks its users to take the very version of modernc.org/libc
// that its own go.mod names: it was translated against it, and another one may
// not fit.
func TestLibcIsPinned(t *testing.T) {
	run := func(args ...string) []byte {
		out, err := exec.Command("go", args...).Output()
		require.NoError(t, err)
		return out
	}
	required := func(gomod string) map[string]string {
		var mod struct {
			Require []struct{ Path, Version string }
		}
		require.NoError(t, json.Unmarshal(run("mod", "edit", "-json", gomod), &mod))
		versions := make(map[string]string)
		for _, r := range mod.Require {
			versions[r.Path] = r.Version
		}
		return versions
	}
	var module struct{ Version, GoMod string }
	require.NoError(t, json.Unmarshal(run("list", "-m", "-json", "modernc.org/sqlite"), &module))
	var main struct{ GoMod string }
	require.NoError(t, json.Unmarshal(run("list", "-m", "-json"), &main))

	const libc = "modernc.org/libc"
	want := required(module.GoMod)[libc]
	require.NotEmpty(t, want)
	require.Equal(t, want, required(main.GoMod)[libc], "go.mod must require the %s of modernc.org/sqlite %s", libc, module.Version)
	var used struct{ Version string }
	require.NoError(t, json.Unmarshal(run("list", "-m", "-json", libc), &used))
	require.Equal(t, want, used.Version, "another module asks for another version")
}
