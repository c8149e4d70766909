package servers

import "testing"

// WithoutPrograms has nothing installed until the test is over.
func WithoutPrograms(t *testing.T) {
	t.Setenv("PATH", "")
	folders, pattern, java := systemFolders, postgresFolders, javaFolders
	systemFolders, postgresFolders, javaFolders = nil, "", ""
	t.Cleanup(func() { systemFolders, postgresFolders, javaFolders = folders, pattern, java })
}
