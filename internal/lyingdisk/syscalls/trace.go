package syscalls

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// Call is one system call that succeeded, or a mark that the process set.
type Call struct {
	Name   string // create, write, truncate, sync, rename, unlink, mkdir, or mark
	Path   string // below the folder that is watched; of a mark: its text
	To     string // of a rename
	Size   int64  // of a write
	Offset int64  // of a write that says it, else -1
}

func (c Call) String() string {
	if c.To != "" {
		return c.Name + " " + c.Path + " to " + c.To
	}
	return c.Name + " " + c.Path
}

// Mark sets a mark in the trace of the own process.
func Mark(text string) error {
	_, err := os.Stdout.WriteString("mark " + text + "\n")
	return err
}

const traced = "openat,creat,write,pwrite64,writev,pwritev,pwritev2,ftruncate,truncate,fallocate,fsync,fdatasync,msync,sync_file_range," +
	"rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,rmdir,link,linkat"

// Trace runs a process and answers what it asked of the files below dir, and its
// marks. It fails the test if there is no strace.
func Trace(tb testing.TB, dir string, cmd *exec.Cmd) []Call {
	tb.Helper()
	strace, err := exec.LookPath("strace")
	if err != nil {
		tb.Fatal("this test needs strace. On Debian: apt-get install strace")
	}
	out := filepath.Join(tb.TempDir(), "trace")
	args := append([]string{"strace", "-f", "-y", "-s", "64", "-e", "trace=" + traced, "-o", out, cmd.Path}, cmd.Args[1:]...)
	cmd.Path, cmd.Args = strace, args
	if text, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("%v: %s", err, text)
	}
	b, err := os.ReadFile(out)
	if err != nil {
		tb.Fatal(err)
	}
	return parse(string(b), dir)
}

var (
	line    = regexp.MustCompile(`^(\d+) +(\w+)\((.*)\) += (-?\d+)`)
	begun   = regexp.MustCompile(`^(\d+) +(\w+\(.*?),? *<unfinished \.\.\.>$`)
	resumed = regexp.MustCompile(`^(\d+) +<\.\.\. \w+ resumed>(.*)$`)
	handle  = regexp.MustCompile(`^(?:\d+|AT_FDCWD)<([^>]*)>`)
)

func parse(text, dir string) (calls []Call) {
	half := make(map[string]string) // by thread
	for l := range strings.Lines(text) {
		l = strings.TrimSuffix(l, "\n")
		if m := begun.FindStringSubmatch(l); m != nil {
			half[m[1]] = m[2]
			continue
		}
		if m := resumed.FindStringSubmatch(l); m != nil {
			rest := m[2]
			if !strings.HasPrefix(rest, ")") && !strings.HasSuffix(half[m[1]], "(") {
				rest = ", " + strings.TrimPrefix(strings.TrimSpace(rest), ", ")
			}
			l = m[1] + " " + half[m[1]] + rest
		}
		m := line.FindStringSubmatch(l)
		if m == nil || strings.HasPrefix(m[4], "-") {
			continue
		}
		size, _ := strconv.ParseInt(m[4], 10, 64)
		if c, ok := call(m[2], split(m[3]), size); ok && c.below(dir) {
			calls = append(calls, c)
		}
	}
	return calls
}

// below cuts the folder off the paths, and reports whether they are below it.
func (c *Call) below(dir string) bool {
	if c.Name == "mark" {
		return true
	}
	path, ok := strings.CutPrefix(c.Path, dir)
	c.Path, c.To = cleaned(path), strings.TrimPrefix(c.To, dir)
	if c.To != "" {
		c.To = cleaned(c.To)
	}
	return ok
}

func cleaned(path string) string {
	if path = strings.TrimPrefix(path, "/"); path == "" {
		return "."
	}
	return path
}

// split cuts arguments at the commas between them.
func split(text string) (args []string) {
	quoted, from := false, 0
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && quoted:
			i++
		case c == '"':
			quoted = !quoted
		case c == ',' && !quoted:
			args, from = append(args, strings.TrimSpace(text[from:i])), i+1
		}
	}
	return append(args, strings.TrimSpace(text[from:]))
}

// path answers the path that a handle, a name, or both stand for.
func path(args ...string) string {
	var parts []string
	for _, a := range args {
		if m := handle.FindStringSubmatch(a); m != nil {
			parts = append(parts, m[1])
		} else if name, err := strconv.Unquote(a); err == nil {
			if filepath.IsAbs(name) {
				parts = nil
			}
			parts = append(parts, name)
		}
	}
	return filepath.Join(parts...)
}

func call(name string, args []string, size int64) (Call, bool) {
	c := Call{Offset: -1}
	switch name {
	case "openat":
		if len(args) < 3 || !strings.Contains(args[2], "O_CREAT") {
			return c, false
		}
		c.Name, c.Path = "create", path(args[0], args[1])
	case "write", "writev", "pwrite64", "pwritev", "pwritev2":
		c.Name, c.Path, c.Size = "write", path(args[0]), size
		if text, err := strconv.Unquote(args[1]); name == "write" && err == nil && strings.HasPrefix(text, "mark ") {
			c.Name, c.Path = "mark", strings.TrimSpace(strings.TrimPrefix(text, "mark "))
		}
		if name == "pwrite64" {
			c.Offset, _ = strconv.ParseInt(args[len(args)-1], 10, 64)
		}
	case "ftruncate", "truncate", "fallocate":
		c.Name, c.Path = "truncate", path(args[0])
	case "fsync", "fdatasync":
		c.Name, c.Path = "sync", path(args[0])
	case "rename":
		c.Name, c.Path, c.To = "rename", path(args[0]), path(args[1])
	case "renameat", "renameat2":
		c.Name, c.Path, c.To = "rename", path(args[0], args[1]), path(args[2], args[3])
	case "unlink", "rmdir":
		c.Name, c.Path = "unlink", path(args[0])
	case "unlinkat":
		c.Name, c.Path = "unlink", path(args[0], args[1])
	case "mkdir":
		c.Name, c.Path = "mkdir", path(args[0])
	case "mkdirat":
		c.Name, c.Path = "mkdir", path(args[0], args[1])
	default:
		c.Name, c.Path = name, path(args...) // which no checker knows
	}
	return c, true
}
