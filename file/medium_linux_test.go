package file

import (
	"strings"
	"syscall"
	"testing"
)

// The real folder of the tests, and one in memory: both are this machine's own,
// and nothing is said against them.
func TestMediumOfRealFolders(t *testing.T) {
	for _, dir := range []string{t.TempDir(), quickDir(t)} {
		var st syscall.Statfs_t
		if err := syscall.Statfs(dir, &st); err != nil {
			t.Fatal(err)
		}
		var remarks []string
		s, err := New(dir, &Options{Warn: func(w string) { remarks = append(remarks, w) }})
		if err != nil {
			t.Fatal(err)
		}
		info, err := s.Ping(ctx)
		s.Close()
		if err != nil {
			t.Fatal(err)
		}
		want := linuxMedium(uint32(st.Type))
		if got := info.Facts["file system"]; got == "" || got != want.String() {
			t.Errorf("%s: the fact is %q, want %q", dir, got, want)
		}
		warned := 0
		if want.kind == network || want.kind == maybeShared {
			warned = 1
		}
		for _, list := range [][]string{remarks, info.Warnings} {
			list = withoutMode(list)
			if len(list) != warned {
				t.Errorf("%s on %v: warned %q", dir, want, list)
			}
		}
	}
}

func withoutMode(list []string) (rest []string) {
	for _, w := range list {
		if !strings.HasPrefix(w, "The mode") {
			rest = append(rest, w)
		}
	}
	return rest
}
