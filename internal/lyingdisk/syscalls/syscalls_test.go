package syscalls

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParse(t *testing.T) {
	calls := parse(`7 openat(5</d/s>, ".tmp", O_RDONLY|O_DIRECTORY) = 8</d/s/.tmp>
7 openat(8</d/s/.tmp>, "X", O_RDWR|O_CREAT|O_EXCL, 0600) = 9</d/s/.tmp/X>
7 write(9</d/s/.tmp/X>, "a, \"b\"\\"..., 99) = 99
8 fsync(9</d/s/.tmp/X> <unfinished ...>
9 fsync(1</elsewhere>) = 0
8 <... fsync resumed>)              = 0
7 renameat(8</d/s/.tmp>, "X", 10</d/s/ab>, "cd" <unfinished ...>
7 <... renameat resumed>)           = 0
7 unlinkat(10</d/s/ab>, "no", 0) = -1 ENOENT (No such file or directory)
7 write(1<pipe:[12]>, "mark done create\n", 17) = 17
7 pwrite64(3</d/s/x-wal>, "\0"..., 24, 4096) = 24
7 mkdirat(AT_FDCWD</home>, "/d/s/cd", 0700) = 0
7 fsync(5</d/s>) = 0
`, "/d/s")
	require.Equal(t, "[create .tmp/X write .tmp/X sync .tmp/X rename .tmp/X to ab/cd mark done create write x-wal mkdir cd sync .]", fmt.Sprint(calls))
	require.EqualValues(t, 99, calls[1].Size)
	require.EqualValues(t, 4096, calls[5].Offset)
}

func TestState(t *testing.T) {
	s := NewState()
	for _, c := range []Call{{Name: "create", Path: ".tmp/X"}, {Name: "write", Path: ".tmp/X"}, {Name: "rename", Path: ".tmp/X", To: "ab/cd"}} {
		s.Apply(c)
	}
	require.True(t, s.Dirty("ab/cd"))
	require.True(t, s.Pending("ab/cd"))
	s.Apply(Call{Name: "sync", Path: "ab"})
	require.False(t, s.Pending("ab/cd"))
	require.True(t, s.Pending(".tmp/X"))
	s.Apply(Call{Name: "sync", Path: "ab/cd"})
	require.False(t, s.Dirty("ab/cd"))
}
