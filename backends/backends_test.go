package backends_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/session"
	"github.com/websession/websession/session/driver"
)

// The core names the import that an unknown class needs. Its table is that of
// the drivers.
func TestEveryBuiltInClassHasAnImportHint(t *testing.T) {
	empty := session.NewRegistry()
	classes := driver.Registered()
	require.Len(t, classes, 9)
	for _, d := range classes {
		c := d.Class()
		for _, name := range append([]string{c.Name}, c.Aliases...) {
			_, err := empty.Open(t.Context(), name, nil, nil)
			require.ErrorContains(t, err, "class "+c.Name+" is built in: add import _ \"github.com/websession/websession/")
		}
		for _, scheme := range c.Schemes {
			_, err := empty.OpenURL(t.Context(), scheme+":x", nil)
			require.ErrorContains(t, err, "class "+c.Name+" is built in")
		}
	}
}
