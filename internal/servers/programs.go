package servers

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// systemFolders is where servers lie that are not on everybody's PATH.
var systemFolders = []string{"/usr/sbin", "/usr/local/sbin", "/sbin"}

// programFolders is where programs are looked for.
func programFolders() []string {
	return append(filepath.SplitList(os.Getenv("PATH")), systemFolders...)
}

// find answers the path of the first of these programs that is installed.
func find(debianPackage string, names ...string) (string, error) {
	for _, name := range names {
		for _, dir := range programFolders() {
			path := filepath.Join(dir, name)
			if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
				return path, nil
			}
		}
	}
	return "", fmt.Errorf("servers: %s: %w: install it, on Debian with: apt-get install %s", names[0], exec.ErrNotFound, debianPackage)
}
