package server

import (
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Fingerprint returns a text that changes when a file of the server does: one in its
// folder, or one that its command line names.
func Fingerprint(spec string) (string, error) {
	names := []string{spec}
	if info, err := os.Stat(spec); err != nil || !info.IsDir() {
		names = strings.Fields(spec)
	}
	hash, files := sha256.New(), 0
	for _, name := range names {
		filepath.WalkDir(strings.Trim(name, `'"`), func(path string, entry fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return nil // an editor has just replaced it, or it is no file
			case path != name && strings.HasPrefix(entry.Name(), "."):
				if entry.IsDir() {
					return fs.SkipDir
				}
				return nil
			case entry.Type().IsRegular():
				files++
				addFile(hash, path)
			}
			return nil
		})
	}
	if files == 0 {
		return "", fmt.Errorf("There is nothing to watch: %s is no folder, and names no file.", spec)
	}
	return string(hash.Sum(nil)), nil
}

func addFile(hash io.Writer, path string) {
	fmt.Fprintln(hash, path)
	if file, err := os.Open(path); err == nil {
		io.Copy(hash, file)
		file.Close()
	}
}
