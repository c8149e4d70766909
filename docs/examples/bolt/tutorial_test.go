package bolt

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestTutorial compares docs/drivers.md with this package: each block of code is
// in one of its files, and together they are the whole driver but for imports
// and the sharing of the open file.
func TestTutorial(t *testing.T) {
	page, err := os.ReadFile("../../drivers.md")
	if err != nil {
		t.Fatal(err)
	}
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	files := make(map[string]string)
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = string(text)
	}
	rest := files["bolt.go"]
	blocks := regexp.MustCompile("(?ms)^```go\n(.*?)\n```$").FindAllStringSubmatch(string(page), -1)
	for _, block := range blocks {
		code := strings.Trim(block[1], "\n")
		found := false
		for _, text := range files {
			found = found || strings.Contains("\n"+text, "\n"+code+"\n")
		}
		if !found {
			t.Errorf("docs/drivers.md has code that is in no file:\n%s", code)
		}
		rest = strings.Replace(rest, code+"\n", "", 1)
	}
	if _, rest, _ = strings.Cut(rest, "\n)\n"); strings.TrimSpace(rest) != "" {
		t.Errorf("bolt.go has code that is not in docs/drivers.md:\n%s", rest)
	}
	if len(blocks) == 0 {
		t.Error("docs/drivers.md has no code")
	}
}
