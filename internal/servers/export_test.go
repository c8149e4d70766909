package servers

import "testing"

// WithoutPrograms has nothing installed until the test is over.
func WithoutPrograms(t *testing.T) {
	t.Setenv("PATH", "")
	folders, pattern := systemFolders, postgresFolders
	systemFolders, postgresFolders = nil, ""
	t.Cleanup(func() { systemFolders, postgresFolders = folders, pattern })
}
