//go:build linux

package lyingdisk_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/websession/websession/internal/lyingdisk"
)

func TestMain(m *testing.M) {
	lyingdisk.Main()
	os.Exit(m.Run())
}

func syncFolder(t *testing.T, dir string) {
	t.Helper()
	f, err := os.Open(dir)
	require.NoError(t, err)
	defer f.Close()
	require.NoError(t, f.Sync())
}

// write writes a file, and syncs it or not.
func write(t *testing.T, path, text string, synced bool) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	require.NoError(t, err)
	_, err = f.WriteAt([]byte(text), 0)
	require.NoError(t, err)
	if synced {
		require.NoError(t, f.Sync())
	}
	require.NoError(t, f.Close())
}

// outcomes cuts the power and answers which states of the disk may be left, as
// the names and the beginnings of the files, over many seeds.
func outcomes(t *testing.T, d *lyingdisk.Disk) map[string]int {
	t.Helper()
	d.Cut()
	found := make(map[string]int)
	for seed := range uint64(150) {
		dir := t.TempDir()
		d.Survive(seed, dir)
		var list []string
		require.NoError(t, filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			b, err := os.ReadFile(path)
			name, _ := filepath.Rel(dir, path)
			list = append(list, fmt.Sprintf("%s=%.3q/%d", name, b, len(b)))
			return err
		}))
		found[strings.Join(list, " ")]++
	}
	return found
}

func states(found map[string]int) (list []string) {
	for s := range found {
		list = append(list, s)
	}
	return list
}

func TestWhatIsSyncedSurvives(t *testing.T) {
	d := lyingdisk.Start(t)
	write(t, d.Dir+"/a", "one", true)
	syncFolder(t, d.Dir)
	require.Equal(t, []string{`a="one"/3`}, states(outcomes(t, d)))
}

func TestNameThatIsNotSyncedMayGo(t *testing.T) {
	d := lyingdisk.Start(t)
	write(t, d.Dir+"/a", "one", true)
	require.ElementsMatch(t, []string{"", `a="one"/3`}, states(outcomes(t, d)))
}

func TestDataThatAreNotSyncedMayGo(t *testing.T) {
	d := lyingdisk.Start(t)
	write(t, d.Dir+"/a", "one", true)
	syncFolder(t, d.Dir)
	write(t, d.Dir+"/a", "other", false)
	require.ElementsMatch(t, []string{`a="one"/3`, `a="other"/5`, `a="oth"/3`, `a="one"/5`}, fix(states(outcomes(t, d))))
}

// fix tells the whole of a new file from its beginning.
func fix(list []string) []string {
	for i, s := range list {
		if s == `a="oth"/5` {
			list[i] = `a="other"/5`
		}
	}
	return list
}

// A file is torn between sectors.
func TestTornFile(t *testing.T) {
	d := lyingdisk.Start(t)
	write(t, d.Dir+"/a", strings.Repeat("x", 2048), true)
	syncFolder(t, d.Dir)
	write(t, d.Dir+"/a", strings.Repeat("y", 2048), false)
	d.Cut()
	torn := false
	for seed := range uint64(20) {
		dir := t.TempDir()
		d.Survive(seed, dir)
		b, err := os.ReadFile(dir + "/a")
		require.NoError(t, err)
		require.Len(t, b, 2048)
		for i := 0; i < len(b); i += 512 {
			require.Equal(t, strings.Repeat(string(b[i:i+1]), 512), string(b[i:i+512]))
		}
		torn = torn || strings.Contains(string(b), "xy") || strings.Contains(string(b), "yx")
	}
	require.True(t, torn)
}

func TestRename(t *testing.T) {
	d := lyingdisk.Start(t)
	require.NoError(t, os.Mkdir(d.Dir+"/f", 0o700))
	write(t, d.Dir+"/f/a", "old", true)
	write(t, d.Dir+"/t", "new", true)
	syncFolder(t, d.Dir+"/f")
	syncFolder(t, d.Dir)
	require.NoError(t, os.Rename(d.Dir+"/t", d.Dir+"/f/a"))
	b, err := os.ReadFile(d.Dir + "/f/a")
	require.NoError(t, err)
	require.Equal(t, "new", string(b))
	require.ElementsMatch(t, []string{`f/a="old"/3 t="new"/3`, `f/a="old"/3`, `f/a="new"/3 t="new"/3`, `f/a="new"/3`}, states(outcomes(t, d)))
}

func TestLies(t *testing.T) {
	d := lyingdisk.Start(t)
	d.Lie(lyingdisk.FsyncDir)
	write(t, d.Dir+"/a", "one", true)
	syncFolder(t, d.Dir)
	require.Contains(t, states(outcomes(t, d)), "")
}

func TestCutIsFinal(t *testing.T) {
	d := lyingdisk.Start(t)
	d.CutAfter(3) // create, write, sync
	write(t, d.Dir+"/a", "one", true)
	for range 2 {
		require.ErrorIs(t, os.WriteFile(d.Dir+"/b", nil, 0o600), syscall.EIO)
		require.ErrorIs(t, os.Remove(d.Dir+"/a"), syscall.EIO)
	}
	b, err := os.ReadFile(d.Dir + "/a") // reading promises nothing
	require.NoError(t, err)
	require.Equal(t, "one", string(b))

	// Somebody goes on where the cut left off.
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(dir+"/a", []byte("left"), 0o600))
	d.Reset(dir)
	b, err = os.ReadFile(d.Dir + "/a")
	require.NoError(t, err)
	require.Equal(t, "left", string(b))
	require.NoError(t, os.Remove(d.Dir+"/a"))
	syncFolder(t, d.Dir)
	require.Equal(t, []string{""}, states(outcomes(t, d)))
}

func TestFaults(t *testing.T) {
	d := lyingdisk.Start(t)
	path := d.Dir + "/a"
	write(t, path, "one", true)
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	require.NoError(t, err)
	defer f.Close()
	d.Fail(lyingdisk.Fault{Op: lyingdisk.Write, N: 2, Errno: syscall.ENOSPC})
	_, err = f.WriteAt([]byte("AB"), 0)
	require.NoError(t, err)
	_, err = f.WriteAt([]byte("CD"), 0)
	require.ErrorIs(t, err, syscall.ENOSPC)
	_, err = f.WriteAt([]byte("x"), 2)
	require.NoError(t, err)
	require.Equal(t, 1, d.Heal())
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "CBx", string(b))

	d.Fail(lyingdisk.Fault{Op: lyingdisk.Unlink, N: 1, Errno: syscall.EACCES, Last: true})
	for range 3 {
		require.ErrorIs(t, os.Remove(path), syscall.EACCES)
	}
	require.Equal(t, 6, d.Heal()+d.Counts()[lyingdisk.Unlink])
	d.Fail(lyingdisk.Fault{Op: lyingdisk.Unlink, N: 1, Errno: syscall.EIO, After: true})
	require.ErrorIs(t, syscall.Unlink(path), syscall.EIO)
	d.Heal()
	_, err = os.Stat(path)
	require.ErrorIs(t, err, os.ErrNotExist)
}

// What was to be synced when the disk failed is lost, though the next sync says
// nothing.
func TestFailedSyncLosesData(t *testing.T) {
	d := lyingdisk.Start(t)
	write(t, d.Dir+"/a", "one", true)
	syncFolder(t, d.Dir)
	f, err := os.OpenFile(d.Dir+"/a", os.O_RDWR, 0)
	require.NoError(t, err)
	defer f.Close()
	_, err = f.WriteAt([]byte("two"), 0)
	require.NoError(t, err)
	d.Fail(lyingdisk.Fault{Op: lyingdisk.Fsync, N: 1, Errno: syscall.EIO})
	require.ErrorIs(t, f.Sync(), syscall.EIO)
	require.NoError(t, f.Sync())
	require.Equal(t, []string{`a="one"/3`}, states(outcomes(t, d)))
}

// What programs map into their memory is seen by those that read.
func TestMappedFile(t *testing.T) {
	d := lyingdisk.Start(t)
	f, err := os.OpenFile(d.Dir+"/x-shm", os.O_RDWR|os.O_CREATE, 0o600)
	require.NoError(t, err)
	defer f.Close()
	require.NoError(t, f.Truncate(8192))
	m, err := syscall.Mmap(int(f.Fd()), 0, 8192, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	require.NoError(t, err)
	copy(m[5000:], "mapped")
	b := make([]byte, 6)
	_, err = f.ReadAt(b, 5000)
	require.NoError(t, err)
	require.Equal(t, "mapped", string(b))
	require.NoError(t, syscall.Munmap(m))
}

func TestFolders(t *testing.T) {
	d := lyingdisk.Start(t)
	for i := range 1000 {
		write(t, fmt.Sprintf("%s/%d", d.Dir, i), "x", false)
	}
	list, err := os.ReadDir(d.Dir)
	require.NoError(t, err)
	require.Len(t, list, 1000)
	require.NoError(t, os.Mkdir(d.Dir+"/f", 0o700))
	write(t, d.Dir+"/f/a", "x", false)
	require.True(t, errors.Is(os.Remove(d.Dir+"/f"), syscall.ENOTEMPTY))
	require.NoError(t, os.RemoveAll(d.Dir+"/f"))
}
