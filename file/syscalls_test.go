//go:build linux

package file

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/websession/websession/internal/lyingdisk/syscalls"
	"github.com/websession/websession/session/driver"
)

func init() { children["steps"] = steps }

// steps writes and deletes a record, with a mark before and after each step:
// folder, durability, which sync it leaves out.
func steps(args []string) error {
	s, err := New(args[0], &Options{Durability: Durability(args[1])})
	if err != nil {
		return err
	}
	defer s.Close()
	if args[2] != "" {
		leaveOut(s, args[2])
	}
	var v driver.Version
	for _, step := range []struct {
		kind string
		f    func() error
	}{
		{"write", func() error { v, err = s.Create(ctx, record("k", "one")); return err }}, // makes the folder
		{"write", func() error { v, err = s.Replace(ctx, record("k", "two"), v); return err }},
		{"delete", func() error { return s.Delete(ctx, record("k", ""), v) }},
		{"absent", func() error { return s.Delete(ctx, record("k", ""), "") }},
		{"write", func() error { _, err = s.Create(ctx, record("k", "three")); return err }},
		{"delete", func() error { return s.Delete(ctx, record("k", ""), "") }},
	} {
		err := syscalls.Mark("begin " + step.kind)
		if err == nil {
			err = step.f()
		}
		if err == nil {
			err = syscalls.Mark("end " + step.kind)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// ordered reports where calls break the order that a durability promises.
func ordered(d Durability, calls []syscalls.Call) error {
	state := syscalls.NewState()
	place := placeOf("k")
	var written, moved, removed, synced bool
	for i, c := range calls {
		state.Apply(c)
		wrong := ""
		switch {
		case c.Name == "mark" && strings.HasPrefix(c.Path, "begin"):
			written, moved, removed, synced = false, false, false, false
		case c.Name == "write":
			written = true
			if filepath.Dir(c.Path) != tempFolder {
				wrong = "a record is written at its place"
			}
		case c.Name == "rename":
			moved = c.To == place.path
			switch {
			case !written:
				wrong = "a file comes to its place that nobody wrote"
			case d != DurabilityNone && state.Dirty(c.To):
				wrong = "a file comes to its place whose data are not on the disk"
			}
		case c.Name == "unlink":
			removed = removed || c.Path == place.path
		case c.Name == "sync":
			synced = synced || c.Path == place.folder()
		case c.Name == "mark":
			switch kind := strings.TrimPrefix(c.Path, "end "); {
			case kind == "write" && !moved:
				wrong = "it is answered before it is at its place"
			case kind == "delete" && !removed:
				wrong = "it is answered before it is removed"
			case kind == "absent" && !synced:
				wrong = "it is answered though nobody may have synced the removal"
			case kind != "write" && state.Pending(place.path):
				wrong = "it is answered before the removal is on the disk"
			case kind == "write" && d == DurabilityFull && state.Pending(place.path):
				wrong = "it is answered before its name is on the disk"
			case kind == "write" && d != DurabilityNone && state.Pending(place.folder()):
				wrong = "it is answered before its folder is on the disk"
			}
		case c.Name == "create", c.Name == "mkdir":
		default:
			wrong = "nobody knows what this is"
		}
		if wrong != "" {
			return fmt.Errorf("call %d, %v: %s", i, c, wrong)
		}
	}
	return nil
}

// relevant cuts off what a store does when it opens and closes.
func relevant(t *testing.T, calls []syscalls.Call) []syscalls.Call {
	t.Helper()
	first, last := -1, -1
	for i, c := range calls {
		if c.Name == "mark" {
			if first < 0 {
				first = i
			}
			last = i
		}
	}
	if first < 0 {
		t.Fatal("no mark: ", calls)
	}
	return calls[first : last+1]
}

func traceSteps(t *testing.T, d Durability, without string) []syscalls.Call {
	t.Helper()
	dir := filepath.Join(memoryDir(t), "sessions")
	return relevant(t, syscalls.Trace(t, dir, child("steps", dir, string(d), without).Cmd))
}

// The order of the system calls of each mutation, and that it is found out when
// one of them is left out, or comes too late.
func TestOrderOfSystemCalls(t *testing.T) {
	if testing.Short() {
		t.Skip("left out with -short: runs strace")
	}
	t.Parallel()
	for d, want := range map[Durability]string{
		DurabilityFull: "create temp, write temp, sync temp, mkdir folder, sync root, rename temp to record, sync folder",
		DurabilityFile: "create temp, write temp, sync temp, mkdir folder, sync root, rename temp to record",
		DurabilityNone: "create temp, write temp, mkdir folder, rename temp to record",
	} {
		calls := traceSteps(t, d, "")
		if err := ordered(d, calls); err != nil {
			t.Fatalf("durability %s: %v\n%v", d, err, calls)
		}
		if got := named(calls); got[0] != want {
			t.Errorf("durability %s: create is %s, want %s", d, got[0], want)
		} else if got[2] != "unlink record, sync folder" {
			t.Errorf("durability %s: delete is %s", d, got[2])
		}
		variants := 0
		caught := func(what string, altered []syscalls.Call) {
			if variants++; ordered(d, altered) == nil {
				t.Errorf("durability %s: %s: not caught", d, what)
			}
		}
		for i, c := range calls {
			later := i+1 < len(calls) && calls[i+1].Name != "mark"
			switch {
			case c.Name == "write", c.Name == "sync", c.Name == "rename", c.Name == "unlink":
				caught(fmt.Sprintf("without call %d, %v", i, c), syscalls.Without(calls, i))
			}
			if c.Name == "sync" && later && calls[i+1].Name == "rename" && calls[i+1].Path == c.Path ||
				later && calls[i+1].Name == "sync" && (c.Name == "rename" || c.Name == "unlink") {
				caught(fmt.Sprintf("call %d, %v, after %v", i, c, calls[i+1]), syscalls.Swapped(calls, i))
			}
		}
		for _, without := range map[Durability][]string{
			DurabilityFull: {"file", "folder", "root"},
			DurabilityFile: {"file", "folder", "root"},
			DurabilityNone: {"folder"},
		}[d] {
			caught("a store that does not sync the "+without, traceSteps(t, d, without))
		}
		t.Logf("figure: File: durability %s: create is %s; %d variants that leave a call out or make it late were caught", d, want, variants)
	}
}

// named answers the calls of each step with names that say what they are for.
func named(calls []syscalls.Call) (steps []string) {
	p := placeOf("k")
	name := func(path string) string {
		switch {
		case path == p.path:
			return "record"
		case path == p.folder():
			return "folder"
		case path == ".":
			return "root"
		case strings.HasPrefix(path, tempFolder+"/"):
			return "temp"
		case strings.HasPrefix(path, lockFolder+"/"):
			return "lock"
		}
		return path
	}
	var step []string
	for _, c := range calls {
		switch {
		case c.Name == "mark" && strings.HasPrefix(c.Path, "end"):
			steps, step = append(steps, strings.Join(step, ", ")), nil
		case c.Name == "mark", name(c.Path) == "lock":
		case c.To != "":
			step = append(step, c.Name+" "+name(c.Path)+" to "+name(c.To))
		default:
			step = append(step, c.Name+" "+name(c.Path))
		}
	}
	return steps
}
