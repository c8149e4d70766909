package servers

import (
	"context"
	"testing"
)

// WithoutPrograms has nothing installed until the test is over.
func WithoutPrograms(t *testing.T) {
	t.Setenv("PATH", "")
	folders, pattern, java := systemFolders, postgresFolders, javaFolders
	systemFolders, postgresFolders, javaFolders = nil, "", ""
	t.Cleanup(func() { systemFolders, postgresFolders, javaFolders = folders, pattern, java })
}

// PassesOn says whether a master passes on what it writes to so many replicas.
func PassesOn(ctx context.Context, master string, replicas int) error {
	return access{}.passesOn(ctx, master, replicas)
}
