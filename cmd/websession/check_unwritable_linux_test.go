package main

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A folder that cannot be written is found out about.
func TestCheckOfAFolderThatCannotBeWritten(t *testing.T) {
	dir := t.TempDir()
	if os.Getuid() == 0 { // whom no mode stops
		if err := syscall.Mount("none", dir, "tmpfs", 0, "size=1m"); err != nil {
			t.Skipf("root writes everywhere, and may not mount a file system here: %v", err)
		}
		t.Cleanup(func() { require.NoError(t, syscall.Unmount(dir, syscall.MNT_DETACH)) })
	}
	sessions := filepath.Join(dir, "sessions")
	code, _, stderr := execute(t, "check", "--url", "file://"+sessions) // makes the folder
	require.Equal(t, exitOK, code, stderr)
	if os.Getuid() == 0 {
		require.NoError(t, syscall.Mount("none", dir, "tmpfs", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""))
	} else {
		for _, folder := range []string{sessions, filepath.Join(sessions, ".tmp"), filepath.Join(sessions, ".locks")} {
			require.NoError(t, os.Chmod(folder, 0o500))
			t.Cleanup(func() { require.NoError(t, os.Chmod(folder, 0o700)) })
		}
	}
	r, stderr := checkJSON(t, exitWrong, "--url", "file://"+sessions)
	assert.Contains(t, stderr, "does not work")
	assert.NotContains(t, r.results(), "clean up", "nothing was stored")
	t.Log(r.Operations)
}
